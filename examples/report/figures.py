"""The slices, regions and charts of the page."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import uniform_filter

from napari_micromri.charts import BLUE, GREY, ORANGE, new_figure, our_style, use_logarithm
from napari_micromri.inference import DenoiseOptions
from napari_micromri.inference.slices import SliceDenoiser
from napari_micromri.measure.metrics import ImageQuality, assess
from napari_micromri.measure.roi_stats import RoiStats, cnr, normalised_sd, statistics
from napari_micromri.nn.registry import load_model
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.samples import lego_phantom
from napari_micromri.training.run import read_run
from napari_micromri.tuning.reading import read_tuning

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.study import Study

    Image = NDArray[np.float32]
    Regions = dict[str, tuple[RoiStats, RoiStats]]
    """Region and background by image: LR, DL, HR."""

REPORT_SLICES = 30
BOX = 16
"""Pixels of HR along a side of a region: 1.6 mm; LR has half."""


@dataclass(frozen=True)
class Shown:
    """A slice as LR (on the grid of HR), denoised and good image, divided by the mean of LR."""

    title: str
    lr: Image
    dl: Image
    hr: Image

    @cached_property
    def lr_quality(self) -> ImageQuality:
        """Figures of LR against HR."""
        return assess(self.lr, self.hr)

    @cached_property
    def dl_quality(self) -> ImageQuality:
        """Figures of DL against HR."""
        return assess(self.dl, self.hr)


@dataclass
class Denoisers:
    """The models of the runs, each loaded once; a context."""

    home: Path
    study: Study
    stack: ExitStack = field(default_factory=ExitStack)
    loaded: dict[str, SliceDenoiser] = field(default_factory=dict)

    def __enter__(self) -> Denoisers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def denoise(self, run: str, lr: Image, number: int) -> Image:
        """Denoise a whole slice with the best model of a run."""
        if run not in self.loaded:
            model: Any = load_model(self.home / "runs" / run / "best.safetensors")
            core = SliceDenoiser(model, DenoiseOptions(batch_size=1))
            self.loaded[run] = self.stack.enter_context(core)
        return self.loaded[run].one(lr, number)

    def nearest(self, key: str, number: int) -> int:
        """Find the kept slice at the place of the report's slice, which is counted from 1."""
        pair = self.study.pairs_by_key[key]
        wanted = (number - 0.5) * pair.slice_count / REPORT_SLICES - 0.5
        return min(pair.kept, key=lambda index: abs(index - wanted))

    def slice(self, run: str, mouse: int, region: str, plane: str, number: int) -> Shown:
        """Give a slice within the crop."""
        key = f"Mouse{mouse:02}/{region}/{plane}"
        index = self.nearest(key, number)
        cut, whole = (self.study.read_slice(key, index, crop=crop) for crop in (True, False))
        rows, columns = (slice(first, first + count) for first, count in zip(cut.corner, cut.hr.shape, strict=True))
        dl = self.denoise(run, whole.lr, index)[rows, columns]
        return scaled(f"Mouse{mouse:02}, {region}, {plane}, slice {index + 1}", cut.lr, dl, cut.hr)

    def regions(self, run: str, mouse: int, region: str, plane: str, number: int) -> Regions:
        """Measure the brightest square in the animal and the darkest one, on the pixels of each image."""
        key = f"Mouse{mouse:02}/{region}/{plane}"
        index = self.nearest(key, number)
        whole = self.study.read_slice(key, index, crop=False)
        bright, dark = squares(whole.hr)
        dl = self.denoise(run, whole.lr, index)
        return {
            name: (inside(image, bright, part), inside(image, dark, part))
            for name, image, part in (("LR", whole.lr, 2), ("DL", dl, 1), ("HR", whole.hr, 1))
        }

    def lego(self, run: str) -> list[Shown]:
        """Denoise every fifth slice of the LEGO phantom."""
        fast, good = lego_phantom(0)
        return [
            scaled(f"LEGO phantom, slice {k + 1}", fast.data[k], self.denoise(run, fast.data[k], k), good.data[k])
            for k in range(4, 26, 5)
        ]


def scaled(title: str, lr: Image, dl: Image, hr: Image) -> Shown:
    """Divide by the mean of LR, as the report does (section 3.4)."""
    unit = float(lr.mean())
    return Shown(title, upsample(lr, hr.shape, "nearest") / unit, dl / unit, hr / unit)


def squares(hr: Image) -> tuple[tuple[int, int], tuple[int, int]]:
    """Find corners of the squares of `BOX` pixels with the largest and smallest mean, on common pixel edges."""
    means = uniform_filter(hr, BOX)[BOX // 2 : -BOX // 2 : 2, BOX // 2 : -BOX // 2 : 2]
    places = (np.unravel_index(choose(means), means.shape) for choose in (np.argmax, np.argmin))
    bright, dark = ((2 * int(row), 2 * int(column)) for row, column in places)
    return bright, dark


def inside(image: Image, corner: tuple[int, int], part: int) -> RoiStats:
    """Measure a square, on pixels that are ``part`` times as large."""
    row, column, size = corner[0] // part, corner[1] // part, BOX // part
    values = image[row : row + size, column : column + size].astype(np.float64).ravel()
    return statistics(values, np.ones_like(values))


def figures_of(stats: tuple[RoiStats, RoiStats]) -> tuple[float, float]:
    """CNR (eq. 13) and normalised SD (eq. 14)."""
    return cnr(*stats), normalised_sd(stats[1])


def draw_slices(path: Path, shown: Shown) -> None:
    """Draw LR, DL, HR and both residuals, the residuals on one scale."""
    white, limit = np.percentile(shown.hr, 99.7), np.percentile(np.abs(shown.hr - shown.lr), 99.5)
    panels: list[tuple[str, Image, Any]] = [
        (name, image, {"cmap": "gray", "vmin": 0, "vmax": white})
        for name, image in (("LR", shown.lr), ("DL", shown.dl), ("HR", shown.hr))
    ]
    residual = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    panels += [(f"HR − {name}", shown.hr - image, residual) for name, image in (("LR", shown.lr), ("DL", shown.dl))]
    with our_style():
        figure, axes = new_figure(11, 0.4 + 2.1 * shown.hr.shape[0] / shown.hr.shape[1], columns=5)
        for one, (name, image, look) in zip(axes, panels, strict=True):
            one.imshow(image, **look)
            one.set_title(name)
            one.set_axis_off()
        figure.savefig(path, dpi=110)


def draw_losses(path: Path, run: Path) -> None:
    """Draw the loss by epoch (the report's figure 13)."""
    found = read_run(run)
    numbers = [epoch.epoch for epoch in found.epochs]
    with our_style():
        figure, [axes] = new_figure(6, 3)
        axes.plot(numbers, [epoch.train_loss for epoch in found.epochs], ".-", color=BLUE, label="training")
        axes.plot(numbers, [epoch.validation.mse for epoch in found.epochs], ".-", color=ORANGE, label="validation")
        axes.axhline(found.epochs[0].baseline.mse, color=GREY, linestyle=":", label="fast scan")
        axes.set(xlabel="epoch", ylabel="MSE")
        axes.legend()
        figure.savefig(path, dpi=110)


def draw_trials(path: Path, tuning: Path) -> None:
    """Draw the validation MSE by trial (the report's figure 17)."""
    done = [row for row in read_tuning(tuning).trials if row.values and row.state in ("done", "pruned")]
    best = np.minimum.accumulate([row.values[0] for row in done if row.values])
    with our_style():
        figure, [axes] = new_figure(6, 3)
        axes.plot(
            [row.number for row in done], [row.values[0] for row in done if row.values], "o", color=BLUE, label="trial"
        )
        axes.plot([row.number for row in done], best, color=ORANGE, drawstyle="steps-post", label="best so far")
        axes.set(xlabel="trial", ylabel="validation MSE")
        use_logarithm(axes, "y")
        axes.legend()
        figure.savefig(path, dpi=110)
