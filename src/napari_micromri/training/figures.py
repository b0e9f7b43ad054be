"""The figures by which a network is judged on validation slices; all that shows or searches one reads this table.

A new one is a function of its name in `napari_micromri.training.engine.losses` and a row here: the run records it, the
tab *Compare* draws it, ``monitor`` can choose the best epoch by it, and where it has a ``goal`` a tuning can search for
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """A figure of validation.

    Parameters
    ----------
    label, head
        For people: at length, and short for the head of a column.
    better
        Which direction is good.
    logarithmic
        Whether plots of it have a logarithmic axis.
    may_be_undefined
        Slices without a value are left out of its mean; else they are a fault.
    decimals
        How it is written; None: with four digits.
    goal
        What a tuning for it is good for; empty where none can be.
    """

    name: str
    label: str
    head: str
    better: Literal["lower", "higher"]
    logarithmic: bool = False
    may_be_undefined: bool = False
    decimals: int | None = None
    goal: str = ""


FIGURES = (
    Figure("loss", "Validation loss", "loss", "lower", logarithmic=True),
    Figure(
        *("mse", "Squared error (MSE)", "MSE", "lower"),
        logarithmic=True,
        goal="Small squared error on the validation slices, at the best epoch.",
    ),
    Figure("mae", "Absolute error (MAE)", "MAE", "lower", logarithmic=True),
    Figure("psnr", "PSNR in dB", "PSNR", "higher", may_be_undefined=True, decimals=2),
    Figure(
        *("ssim", "SSIM", "SSIM", "higher"),
        may_be_undefined=True,
        decimals=4,
        goal="Structure as in the good scan (SSIM), at the best epoch.",
    ),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
