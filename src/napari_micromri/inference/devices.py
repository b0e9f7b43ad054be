"""Where to compute, and in which precision."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    import torch

    from napari_micromri.inference.options import Precision

CPU_MEMORY = 2**29
"""Bytes that a batch may take on the CPU; more gains no speed there."""

CGROUP = Path("/sys/fs/cgroup")

DEVICE_SHARE = 0.6
"""Part of a GPU's free memory that a batch may take."""

BFLOAT16_GAIN = 0.8
"""Part of float32's time that bfloat16 must stay below on a CPU; for less its rounding is not worth it."""
_HOPELESS = 3.0
"""Times of float32's time from which on nothing more is measured."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")
"""What the allocators of CUDA, Linux, Windows and of cuDNN and cuBLAS say in a plain RuntimeError."""


def available_devices() -> list[str]:
    """List the devices of this machine, the CPU first."""
    import torch

    devices = ["cpu", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
    return [*devices, "mps"] if torch.backends.mps.is_available() else devices


def resolve_device(name: str) -> torch.device:
    """Turn what a person chose into a device; ``"auto"`` takes the fastest kind.

    Raises
    ------
    InputError
        The machine has no such device.
    """
    import torch

    devices = available_devices()
    if name == "auto":
        return torch.device(devices[min(1, len(devices) - 1)])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in devices:
        raise InputError(f"This machine has no device '{name}'. It has: {', '.join(devices)}.")
    return torch.device(wanted)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Turn what a person chose into a type.

    Raises
    ------
    InputError
        No such precision, or half floats on a CPU, which computes them slowly.
    """
    import torch

    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision != "auto":
        if precision not in known:
            raise InputError(f"There is no precision '{precision}'. Choose auto, {', '.join(known)}.")
        if precision == "float16" and device.type == "cpu":
            raise InputError("Half precision (float16) is for GPUs. Choose auto, float32 or bfloat16 on a CPU.")
        return known[precision]
    if device.type == "cpu":
        return torch.bfloat16 if _bfloat16_is_faster() else torch.float32
    # Older GPUs only emulate bfloat16, slowly.
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def batch_memory(device: torch.device) -> int:
    """Bytes that a batch may take on a device."""
    free = free_memory(device) if device.type == "cuda" else None
    return CPU_MEMORY if free is None else int(free * DEVICE_SHARE)


def free_memory(device: torch.device) -> int | None:
    """Tell how many bytes are free for this process; None where that can't be asked."""
    import psutil
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    free = int(psutil.virtual_memory().available)
    limit = _number_in(CGROUP / "memory.max")  # of a container or a cluster's job
    used = _number_in(CGROUP / "memory.current")
    return free if limit is None or used is None else min(free, max(0, limit - used))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out, on any device."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def release_memory(device: torch.device) -> None:
    """Give cached memory back to other programs."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@cache
def _bfloat16_is_faster() -> bool:
    """Time a small convolution both ways: only some CPUs have instructions for bfloat16."""
    import torch

    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.zeros(1, 64, 96, 96).contiguous(memory_format=torch.channels_last)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    with torch.inference_mode():
        for half in (False, True) * 6:  # in turn, so that other work on the machine meets both alike
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                layer(image)
            seconds[half].append(time.perf_counter() - start)
            # Without such instructions a single convolution takes up to a second: two are enough to see it.
            if len(seconds[True]) == 2 and min(seconds[True]) > _HOPELESS * min(seconds[False]):
                break
    return min(seconds[True]) < BFLOAT16_GAIN * min(seconds[False])


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
