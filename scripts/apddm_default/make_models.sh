#!/usr/bin/env bash
# Make the shipped APDDM, the two that judge it on scans that they never saw, and what it is compared with at equal
# training time: five runs one after the other, each MINUTES of one core. All start from trained UNets.
# Training stops by the processor's clock, so another machine takes other numbers of steps and gives other weights.
# Usage: scripts/apddm_default/make_models.sh RUNS [MINUTES]   (the scans are at MICROMRI_DATA)
set -euo pipefail
runs=$1 minutes=${2:-8}
here=$(cd "$(dirname "$0")" && pwd)
models="$here/../../benchmarks/models"
pretrained="$here/../../src/napari_micromri/nn/pretrained"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
mkdir -p "$runs"

train() { # RUN START FILE NAME [KNOBS]
    python "$here/train_apddm.py" "$runs/$1" --start "$2" --minutes "$minutes" "${@:5}"
    python "$here/export_apddm.py" "$runs/$1" "$3" --name "$4"
}

no_rat=(--seed 1 --without rat_head geometric_phantoms)
unet_no_rat="$models/unet-without-rat-head.safetensors"
train no-rat "$unet_no_rat" "$models/apddm-without-rat-head.safetensors" apddm-without-rat-head "${no_rat[@]}"
train all unet-default "$pretrained/apddm-default.safetensors" apddm-default --seed 3
train no-trunk "$models/unet-without-mouse-trunk.safetensors" "$models/apddm-without-mouse-trunk.safetensors" \
    apddm-without-mouse-trunk --seed 2 --without mouse_trunk

# At equal time, from the same UNet and on the same batches. They are no part of the repository.
train simplified "$unet_no_rat" "$runs/simplified.safetensors" simplified "${no_rat[@]}" --variant simplified
train unet-on "$unet_no_rat" "$runs/unet-on.safetensors" unet-on "${no_rat[@]}" --variant unet
