#!/usr/bin/env bash
# Train unet-default and a larger UNet on a graphics processor that is lent for minutes at a time.
#
# Usage: scripts/train_on_gpu.sh STUDY RUNS OUT [SECONDS]
#
# Each call trains both models for half of SECONDS (default 440) and leaves in OUT, for each, NAME.tar.aa, .ab, ... (the
# run with its checkpoints and log, in pieces of 15 MB) and NAME.safetensors (the best model so far). Put the pieces into
# RUNS on the next machine, and the same call continues where they stopped; one that is done is not trained again.
# Packages come from the folder WHEELS (default ./wheels) when it is there: such machines may have no network. Build
# STUDY beforehand with scripts/models/build_study.py. SETTINGS adds to both, for example to try it on a CPU:
#
#   SETTINGS="device=cpu epochs=2 draws=4 batch_size=2 crop=32" scripts/train_on_gpu.sh all.mri.zarr runs out 120
set -euo pipefail
study=$1 runs=$2 out=$3 seconds=${4:-440}
wheels=${WHEELS:-wheels}
micromri=(python -m napari_micromri.cli)
mkdir -p "$runs" "$out"
if [ -d "$wheels" ]; then python -m pip install -q --no-index --find-links "$wheels" "$wheels"/*.whl; fi

train() { # NAME SETTINGS...
    local name=$1 run="$runs/$1" settings=() status=0
    if [ ! -d "$run" ] && [ -f "$run.tar.aa" ]; then cat "$run".tar.* | tar -C "$runs" -xf -; fi
    if ! grep -qs '"event": "done"' "$run/events.jsonl"; then
        for setting in "${@:2}" ${SETTINGS:-}; do settings+=(--set "$setting"); done
        local what=(train "$study" "$run" --preset unet-default "${settings[@]}")
        if [ -d "$run" ]; then what=(resume "$run"); fi
        # Interrupted, a run writes its checkpoint and ends with 130, timeout with 124; killed (137) it keeps an earlier one.
        timeout --signal=INT --kill-after=60 $((seconds / 2)) "${micromri[@]}" "${what[@]}" || status=$?
        case $status in 0 | 124 | 130 | 137) ;; *) return "$status" ;; esac
    fi
    rm -f "$out/$name".tar.*
    tar -C "$runs" -cf - "$name" | split -b 15M - "$out/$name.tar."
    if [ -f "$run/best.safetensors" ]; then cp "$run/best.safetensors" "$out/$name.safetensors"; fi
}

train unet-default seed=3
train unet-best seed=3 network.features_main=96,128,192
