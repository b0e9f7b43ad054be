"""The curves of a run as numbers, without Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_micromri.curves import Line
from napari_micromri.training.figures import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_micromri.training.events import Epoch
    from napari_micromri.training.run import Run

TRAINING, VALIDATION, INPUT, RATE = "#8da0cb", "#fc8d62", "#a8a8a8", "#ffd92f"
MANY = ("#fc8d62", "#66c2a5", "#8da0cb", "#e78ac3", "#a6d854", "#ffd92f", "#e5c494", "#b3b3b3")


def loss_lines(run: Run) -> list[Line]:
    """Draw the loss in training and validation, and what the input itself scores."""
    epochs = run.epochs
    return _with_points(
        _line("training", TRAINING, epochs, [epoch.train_loss for epoch in epochs]),
        _line("validation", VALIDATION, epochs, [epoch.validation.loss for epoch in epochs], best=run.best),
        _line("input", INPUT, epochs, [epoch.baseline.loss for epoch in epochs], dashed=True),
    )


def rate_lines(run: Run) -> list[Line]:
    """Draw the learning rate."""
    return _with_points(_line("learning rate", RATE, run.epochs, [epoch.learning_rate for epoch in run.epochs]))


def quality_lines(run: Run) -> list[Line]:
    """Signal quality: mean error of the prediction, and mean noise of the input, against the good scan."""
    epochs = run.epochs
    return _with_points(
        _line("Reconstruction error", VALIDATION, epochs, [epoch.recon_error for epoch in epochs], best=run.best),
        _line("Noise of input", INPUT, epochs, [epoch.noise for epoch in epochs], dashed=True),
    )


def compared(runs: Iterable[Run], figure: str) -> list[Line]:
    """One validation figure of several runs, a colour each."""
    runs = list(runs)
    names = [run.name for run in runs]
    return [
        _line(
            run.name if names.count(run.name) == 1 else str(run.path),
            MANY[number % len(MANY)],
            run.epochs,
            [getattr(epoch.validation, figure) for epoch in run.epochs],
            best=run.best,
            positive=BY_NAME[figure].logarithmic,
        )
        for number, run in enumerate(runs)
    ]


def _line(
    label: str,
    colour: str,
    epochs: Iterable[Epoch],
    values: Iterable[float],
    *,
    dashed: bool = False,
    best: Epoch | None = None,
    positive: bool = True,
) -> Line:
    points = [
        (float(epoch.epoch), value)
        for epoch, value in zip(epochs, values, strict=True)
        if math.isfinite(value) and (value > 0 or not positive)
    ]
    star = next((point for point in points if best is not None and point[0] == best.epoch), None)
    return Line(label, colour, tuple(x for x, _ in points), tuple(y for _, y in points), dashed, star)


def _with_points(*lines: Line) -> list[Line]:
    return [line for line in lines if line.x]
