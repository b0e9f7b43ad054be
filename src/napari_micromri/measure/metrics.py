"""The figures by which an image is compared with its reference, one row each; all that shows one reads this table.

Evaluation, its files and page, and the tabs of the dock *Measure CNR* have a column for every row. A new figure is a
function of two images and a row here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_micromri.measure import image_quality
from napari_micromri.measure.gradient_similarity import gradient_deviation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

Better: TypeAlias = Literal["lower", "higher", "nearer"]


@dataclass(frozen=True)
class Metric:
    """A figure of an image: how it is computed, its name in files, what people read, and which direction is good.

    Parameters
    ----------
    compute
        Takes an image and its reference, as the functions of `napari_micromri.measure.image_quality` do.
    head
        Short, for a narrow table.
    column
        Name in tables of files.
    factor
        Shown values are multiplied by it.
    better
        ``nearer`` means nearer to ``target``.
    """

    name: str
    compute: Callable[[ArrayLike, ArrayLike], float] = field(compare=False)
    label: str
    head: str
    column: str
    decimals: int
    better: Better
    definition: str
    target: float = 0.0
    factor: float = 1.0
    unit: str = ""

    def shown(self, value: float) -> str:
        """Format a value for people; a dash stands for none."""
        if math.isnan(value):
            return "–"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        # "z" writes what rounds to zero without a sign.
        return f"{value * self.factor:z.{self.decimals}f}".replace("-", "−")

    def is_better(self, value: float, other: float) -> bool:
        """Tell whether a value is better than another."""
        if self.better == "nearer":
            return abs(value - self.target) < abs(other - self.target)
        return value < other if self.better == "lower" else value > other


METRICS = (
    Metric(
        *("mse", image_quality.mse, "MSE", "MSE", "mse", 4, "lower"),
        "Mean squared error; an evaluation divides images by the mean of the cropped LR slice first.",
    ),
    Metric(
        *("psnr", image_quality.psnr, "PSNR", "PSNR", "psnr_db", 2, "higher"),
        "Peak signal-to-noise ratio in dB; the peak is the maximum of HR. Larger is closer.",
        unit="dB",
    ),
    Metric(
        *(
            "foreground_psnr",
            image_quality.foreground_psnr,
            "Object PSNR",
            "Obj. PSNR",
            "foreground_psnr_db",
            2,
            "higher",
        ),
        "PSNR in dB of the object alone: the air around it, often most of the pixels, doesn't count.",
        unit="dB",
    ),
    Metric(
        *("ssim", image_quality.ssim, "SSIM", "SSIM", "ssim", 3, "higher"),
        "Structural similarity in Gaussian windows of 1.5 pixels; 1 is best.",
    ),
    Metric(
        *("bias", image_quality.bias, "Bias", "Bias %", "bias", 2, "nearer"),
        "Mean brightness of the foreground relative to HR: -2 % is 2 % too dark.",
        factor=100,
        unit="%",
    ),
    Metric(
        *("power_ratio", image_quality.power_ratio, "High-frequency power", "HF power", "power_ratio", 2, "nearer"),
        "Power between 0.25 and 0.5 cycles per HR pixel relative to HR: below 1 detail is lost, above 1 there is more "
        "than HR has, which is noise or invention.",
        target=1.0,
    ),
    Metric(
        *(
            "ring_correlation",
            image_quality.ring_correlation,
            "Ring correlation",
            "FRC",
            "ring_correlation",
            2,
            "higher",
        ),
        "Fourier ring correlation with HR in the same band: how much of the detail is true. HR's own noise keeps it "
        "below 1.",
    ),
    Metric(
        *("gradient_deviation", gradient_deviation, "Edge deviation", "Edges", "gradient_deviation", 3, "lower"),
        "Gradient magnitude similarity deviation: how unevenly edges are lost or invented; 0 is best.",
    ),
)

if TYPE_CHECKING:

    @dataclass(frozen=True, kw_only=True)
    class Figures:
        """A value of every metric, by its name; NaN where it is undefined or wasn't measured."""

        def __getattr__(self, name: str) -> float: ...

else:
    # A float of each name. Evaluations of before a metric was there lack it, hence the default.
    Figures = make_dataclass(
        "Figures", [(metric.name, "float", field(default=math.nan)) for metric in METRICS], frozen=True, kw_only=True
    )


class ImageQuality(Figures):
    """What `assess` finds: the value of each metric, as ``quality.psnr``."""


def assess(image: ArrayLike, reference: ArrayLike) -> ImageQuality:
    """Compare a 2-D image with its reference in every respect.

    Parameters
    ----------
    image, reference
        2-D arrays of one shape, in the same units.

    Raises
    ------
    InputError
        The shapes differ, an array isn't 2-D or too small for the SSIM, or holds NaN or infinite values.
    """
    image, reference = image_quality.as_pair(image, reference)
    values: dict[str, float] = {metric.name: metric.compute(image, reference) for metric in METRICS}
    return ImageQuality(**values)
