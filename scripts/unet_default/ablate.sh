#!/usr/bin/env bash
# Train variants for equal time side by side, from scratch, without the rat head and the geometric phantoms.
# They share the machine's cores, so that its load meets all alike. Usage: ablate.sh RUNS [MINUTES]
set -euo pipefail
runs=$1 minutes=${2:-5}
here=$(cd "$(dirname "$0")" && pwd)
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
train() { python "$here/train.py" "$runs/$1" --minutes "$minutes" --without rat_head geometric_phantoms "${@:2}"; }
mkdir -p "$runs"
train as-shipped &
train nearest-input --upsampling nearest &
train not-residual --no-residual &
train plain-mse --loss mse &
train fine-grid --patch-size 1 --features 32 64 128 &
wait
