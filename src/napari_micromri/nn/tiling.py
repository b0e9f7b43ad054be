"""Run a network on an image piece by piece.

Each tile is computed with a margin as wide as the network can see, then the margin is dropped: the result is that of
the whole image, up to rounding, without seams and without anything to blend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from napari_micromri.nn.family import NetworkConfig


def run_tiled(run: Callable[[Tensor], Tensor], image: Tensor, tile: int | None, config: NetworkConfig) -> Tensor:
    """Apply ``run`` to images (N, C, H, W) in tiles of about ``tile`` pixels (None: whole); it gives (N, 1, H, W).

    A network that sees all of an image, wherever it looks, gets it whole.
    """
    height, width = image.shape[-2:]
    if tile is None or config.reach is None or max(height, width) <= tile:
        return run(image)
    # Tiles and margins start at multiples of what the network halves, so that its grid falls on the same pixels.
    step = max(1, tile // config.multiple) * config.multiple
    margin = -(-config.reach // config.multiple) * config.multiple
    result = torch.empty_like(image[:, :1])
    for rows, inner_rows in _spans(height, step, margin):
        for columns, inner_columns in _spans(width, step, margin):
            piece = run(image[..., rows, columns])
            start = (inner_rows.start - rows.start, inner_columns.start - columns.start)
            stop = (inner_rows.stop - rows.start, inner_columns.stop - columns.start)
            result[..., inner_rows, inner_columns] = piece[..., start[0] : stop[0], start[1] : stop[1]]
    return result


def _spans(length: int, step: int, margin: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, step):
        stop = min(length, start + step)
        yield slice(max(0, start - margin), min(length, stop + margin)), slice(start, stop)
