"""Devices, precision and processes: all of it is `lightning_fabric`'s, set up from a configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from napari_micromri.errors import InputError
from napari_micromri.inference.devices import resolve_device

if TYPE_CHECKING:
    from napari_micromri.training.config import TrainConfig


class _AutocastOnly(MixedPrecision):
    """Computes in half precision, but leaves the input alone: a residual network adds it to its output."""

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(config: TrainConfig) -> Fabric:
    """Set up devices and start the other processes, if there are any.

    Raises
    ------
    InputError
        The machine has no such device, or it can't compute in that precision.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    precision = precision_of(config, device)
    half = {"bfloat16": "bf16-mixed", "float16": "16-mixed"}
    devices, nodes = _processes(config)
    alone = devices * nodes == 1
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index] if alone and device.type == "cuda" else devices,
        num_nodes=nodes,
        strategy="auto" if alone else "ddp",
        plugins=[_AutocastOnly(half[precision], device.type)] if precision in half else None,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def precision_of(config: TrainConfig, device: torch.device) -> str:
    """Settle the precision.

    Raises
    ------
    InputError
        Half floats were asked for on a device that isn't a GPU of NVIDIA or AMD.
    """
    if config.precision == "float16" and device.type != "cuda":
        raise InputError("Training with float16 needs a CUDA device. Choose float32 or bfloat16.")
    if config.precision != "auto":
        return config.precision
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if fast else "float32"


def _processes(config: TrainConfig) -> tuple[int, int]:
    """Count processes per computer, and computers: what torchrun or SLURM has started, else what is configured."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    if "SLURM_NTASKS_PER_NODE" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return int(os.environ["SLURM_NTASKS_PER_NODE"]), int(os.environ.get("SLURM_NNODES", "1"))
    return config.devices, config.nodes
