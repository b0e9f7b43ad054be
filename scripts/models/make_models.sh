#!/usr/bin/env bash
# Make the shipped models and those that judge them on sources that they never saw: each a `micromri train` on a study
# of good slices. The judging models leave sources out: one the mouse trunk and all T2-weighted human heads, one the rat
# head, the mouse head and the geometric phantoms.
#
# Usage: scripts/models/make_models.sh FOLDER [EPOCHS]   (the scans are at MICROMRI_DATA)
#
# FOLDER takes the study and the runs. An interrupted script continues where it was. Without START the networks begin
# from scratch; START=shipped begins with the models that are in the repository, and blends both. A diffusion model
# always begins with its UNet, and is blended with the diffusion model that was there. The shipped models were made with
# START=shipped from those of 0.1.
set -euo pipefail
folder=$1 epochs=${2:-15}
here=$(cd "$(dirname "$0")" && pwd)
judges="$here/../../benchmarks/models"
shipped="$here/../../src/napari_micromri/nn/pretrained"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
mkdir -p "$folder"
cd "$folder"

[ -d all.mri.zarr ] || python "$here/build_study.py" all.mri.zarr
leave_out() { # STUDY SOURCES
    [ -d "$1.mri.zarr" ] || cp -r all.mri.zarr "$1.mri.zarr"
    micromri study split "$1.mri.zarr" --set "test=$2"
}
leave_out no-trunk mouse_trunk,human_t2tse,human_3t,judge_mouse_trunk,judge_human_t2tse,judge_human_3t
leave_out no-rat rat_head,geometric_phantoms,mouse_head,judge_rat_head,judge_mouse_head

train() { # RUN STUDY START SETTINGS...
    if grep -qs "\"event\": \"done\"" "$1/events.jsonl"; then return; fi
    if [ -d "$1" ]; then micromri resume "$1"; return; fi
    local start=()
    [ "$3" = scratch ] || start=(--set "init_from=$3")
    micromri train "$2.mri.zarr" "$1" "${start[@]}" "${@:4}"
}
# What is blended in is kept: it is replaced by what comes out.
keep() { # MODEL
    [ "${START:-scratch}" != shipped ] || [ -f "begin-$(basename "$1")" ] || cp "$1" "begin-$(basename "$1")"
}
start_of() { # MODEL
    [ "${START:-scratch}" = shipped ] || { echo scratch; return; }
    keep "$1"
    echo "$PWD/begin-$(basename "$1")"
}

unet=(--preset unet-default --set "epochs=$epochs")
# What is shipped already learns structure and brightness, in small steps.
[ "${START:-scratch}" = scratch ] || unet+=(--set loss=structural --set learning_rate=5e-4 --set warmup_epochs=0.5)
train unet-no-trunk no-trunk "$(start_of "$judges/unet-without-mouse-trunk.safetensors")" "${unet[@]}" --set seed=1
train unet-no-rat no-rat "$(start_of "$judges/unet-without-rat-head.safetensors")" "${unet[@]}" --set seed=2
train unet-all all "$(start_of "$shipped/unet-default.safetensors")" "${unet[@]}" --set seed=3

publish() { # RUN STUDY FILE
    keep "$3"
    local begin=begin-$(basename "$3") blend=()
    [ ! -f "$begin" ] || blend=(--blend "$begin")
    python "$here/publish.py" "$1/best.safetensors" "$3" --name "$(basename "$3" .safetensors)" "${blend[@]}"
    python "$here/calibrate.py" "$2.mri.zarr" "$3"
}
publish unet-no-trunk no-trunk "$judges/unet-without-mouse-trunk.safetensors"
publish unet-no-rat no-rat "$judges/unet-without-rat-head.safetensors"
publish unet-all all "$shipped/unet-default.safetensors"

apddm=(--preset apddm-default --set epochs=10)
train apddm-no-trunk no-trunk "$judges/unet-without-mouse-trunk.safetensors" "${apddm[@]}" --set seed=1
train apddm-no-rat no-rat "$judges/unet-without-rat-head.safetensors" "${apddm[@]}" --set seed=2
train apddm-all all "$shipped/unet-default.safetensors" "${apddm[@]}" --set seed=3
publish apddm-no-trunk no-trunk "$judges/apddm-without-mouse-trunk.safetensors"
publish apddm-no-rat no-rat "$judges/apddm-without-rat-head.safetensors"
publish apddm-all all "$shipped/apddm-default.safetensors"
