#!/usr/bin/env bash
# Make the shipped model and the two that judge it: about an hour on two cores.
# Training stops by the clock, so another machine takes other numbers of steps and gives other weights. The shipped ones
# are of this recipe, but their first stage had 300 random phantoms and, in it, two crops of a slice instead of four.
# Usage: scripts/unet_default/make_models.sh RUNS   (a new folder for the runs; the scans are at MICROMRI_DATA)
set -euo pipefail
runs=$1
here=$(cd "$(dirname "$0")" && pwd)
models="$here/../../benchmarks/models"
train() { python "$here/train.py" "$@"; }
mkdir -p "$runs" "$models"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# First on images that are nobody's scan: all three models share this stage.
train "$runs/base" --minutes 16 --threads 2 --final 0.3 --noisy-targets 0 \
    --without mouse_trunk rat_head geometric_phantoms digital_mouse

# Then with all real scans but those that the model is judged on, one core each.
second() { train "$runs/$1" --minutes 27 --noisy-targets 0.5 --target-snr 12 80 "${@:2}"; }
second no-rat --start "$runs/base" --lr 8e-4 --seed 1 --without rat_head geometric_phantoms &
second no-trunk --start "$runs/base" --lr 8e-4 --seed 2 --without mouse_trunk
wait

# At last with structure and local brightness in the loss; the shipped model sees everything from here on.
last() { train "$runs/$1" --loss structural --lr 5e-4 "${@:2}"; }
last no-rat-2 --minutes 12 --start "$runs/no-rat" --seed 4 --without rat_head geometric_phantoms &
last no-trunk-2 --minutes 12 --start "$runs/no-trunk" --seed 5 --without mouse_trunk &
last all --minutes 13 --start "$runs/no-trunk" --seed 6
wait

export_model() { python "$here/export.py" "$runs/$1" "$2" --name "$3"; }
export_model no-rat-2 "$models/unet-without-rat-head.safetensors" unet-without-rat-head
export_model no-trunk-2 "$models/unet-without-mouse-trunk.safetensors" unet-without-mouse-trunk
export_model all "$here/../../src/napari_micromri/nn/pretrained/unet-default.safetensors" unet-default
