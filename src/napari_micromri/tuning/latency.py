"""How long a model takes for a slice, as an objective: small networks are worth something."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

REPEATS = 10


def seconds_per_slice(model: Path, slice_: NDArray[np.float32], device: str) -> float:
    """Measure the median time of denoising one slice (h, w), everything included but loading the model.

    Raises
    ------
    ModelError
        The file isn't a model.
    InputError
        The machine has no such device.
    """
    import torch

    from napari_micromri.inference.devices import resolve_device
    from napari_micromri.nn.registry import load_model

    place = resolve_device(device)
    restorer = load_model(model)
    restorer.prepare(place, torch.float32)
    given = torch.from_numpy(slice_)[None, None].to(place)
    times = []
    for _ in range(REPEATS + 1):  # the first time prepares what later times find prepared
        start = time.perf_counter()
        restorer.restore(given).cpu()  # waits for the device
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
