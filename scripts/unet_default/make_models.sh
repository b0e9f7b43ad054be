#!/usr/bin/env bash
# Make the shipped model and the two that judge it, as they were made: about an hour and a half on two cores.
# Usage: scripts/unet_default/make_models.sh RUNS   (a new folder for the runs; the scans are at MICROMRI_DATA)
set -euo pipefail
runs=$1
here=$(cd "$(dirname "$0")" && pwd)
models="$here/../../benchmarks/models"
train() { python "$here/train.py" "$@"; }
mkdir -p "$runs" "$models"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# First on images that are nobody's scan: all three models share this stage.
train "$runs/base" --minutes 16 --threads 2 --final 0.3 --without mouse_trunk rat_head geometric_phantoms

# Then with all real scans but those that the model is judged on, one core each.
train "$runs/no-rat" --minutes 27 --start "$runs/base" --lr 8e-4 --seed 1 --without rat_head geometric_phantoms &
train "$runs/no-trunk" --minutes 27 --start "$runs/base" --lr 8e-4 --seed 2 --without mouse_trunk
wait

# The shipped model goes on with everything.
train "$runs/all" --minutes 16 --threads 2 --start "$runs/no-trunk" --lr 6e-4 --seed 3

export_model() { python "$here/export.py" "$runs/$1" "$2" --name "$3"; }
export_model no-rat "$models/unet-without-rat-head.safetensors" unet-without-rat-head
export_model no-trunk "$models/unet-without-mouse-trunk.safetensors" unet-without-mouse-trunk
export_model all "$here/../../src/napari_micromri/nn/pretrained/unet-default.safetensors" unet-default
