"""Is there enough memory for a trial? Asked before it begins, without computing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData

GIGABYTE = 1e9


def shortage(config: TrainConfig, data: TrainingData) -> str | None:
    """Say in a sentence that the memory is too small; None when it is enough."""
    from napari_micromri.inference.devices import free_memory, resolve_device

    device = resolve_device(config.device)
    needed, there = needed_bytes(config, data), free_memory(device)
    if there is None or needed <= there:
        return None
    return (
        f"It needs about {needed / GIGABYTE:.1f} GB of memory, but {there / GIGABYTE:.1f} GB are free. Search smaller "
        "networks or batches, or let fewer workers share the machine."
    )


def needed_bytes(config: TrainConfig, data: TrainingData) -> int:
    """Estimate what a step of training keeps, from the shapes of its tensors alone."""
    import torch

    from napari_micromri.training.engine.methods import new_network

    rows, columns = (max(sizes) for sizes in zip(*_shapes(data), strict=True))
    if config.crop is not None:
        rows, columns = min(rows, config.crop), min(columns, config.crop)
    kept: dict[object, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.device("meta"):  # tensors that have a shape and no content
        network = new_network(config)
        count = min(config.batch_size, len(data.train))
        batch = torch.empty(count, network.config.input_channels, rows, columns)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            network(batch, torch.empty(count))  # a network without a time ignores it
    weights = sum(weight.nbytes for weight in network.parameters())
    return sum(kept.values()) + 4 * weights  # with their gradients and what the optimizer keeps of each


def _shapes(data: TrainingData) -> list[tuple[int, int]]:
    """Give the HR sizes of some slices, one of each part of the set."""
    count = len(data.train)
    some = sorted({0, count // 3, 2 * count // 3, count - 1})
    return [(int(rows), int(columns)) for rows, columns in (data.train[number].hr.shape for number in some)]
