"""Which of the report's findings hold on the made-up colony."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from figures import figures_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from figures import Regions, Shown

    Finding = tuple[str, str, str]


@dataclass(frozen=True)
class Measured:
    """Means of each method over the test mice, and slices, regions and LEGO slices of the model after tuning."""

    methods: Mapping[str, Mapping[str, float]]
    slices: Sequence[Shown]
    regions: Sequence[Regions]
    lego: Sequence[Shown]

    def extreme(self, which: int, best: str) -> float:
        """Tell in which part of the slices DL has the largest CNR (0), or the smallest normalised SD (1)."""
        pick = {"max": max, "min": min}[best]
        found = [{name: abs(figures_of(stats[name])[which]) for name in stats} for stats in self.regions]
        return fmean(row["DL"] == pick(row.values()) for row in found)


def findings(of: Measured) -> Iterator[Finding]:
    """Give each finding of the report, whether it holds, and by which figures."""
    tuned, fast = of.methods["tuned"], of.methods["LR nearest"]
    maxima = fmean(shown.dl.max() < min(shown.lr.max(), shown.hr.max()) for shown in of.slices)
    yield (
        "DL is darker than HR",
        holds(tuned["bias"] < -0.01),
        f"brightness of the foreground {percent(tuned['bias'], '+.1f')}; in {percent(maxima)} of the slices the "
        "maximum of DL is below those of LR and HR (report: always)",
    )
    detail = tuned["power_ratio"]
    yield "DL is oversmoothed", holds(detail < 0.8), f"its power at high spatial frequencies is {detail:.2f} of HR's"
    yield lego(of.lego)
    part = of.extreme(0, "max")
    yield "DL has the largest CNR", holds(part > 0.5), f"in {percent(part)} of the slices (report: in 8 of 9)"
    yield smoothing(of.regions)
    part = of.extreme(1, "min")
    yield (
        "DL has the smallest normalised SD",
        holds(part > 0.5),
        f"in {percent(part)} of the slices (report: in 15 of 18)",
    )
    yield (
        "Denoising brings the scan nearer to HR",
        holds(tuned["mse"] < fast["mse"]),
        f"MSE {fast['mse']:.4f} to {tuned['mse']:.4f} on the test mice",
    )
    change = of.methods["simplified"]["mse"] / tuned["mse"] - 1
    yield (
        "Simplified APDDM denoises like the UNet",
        holds(abs(change) < 0.1),
        f"its MSE differs from the UNet's by {percent(change, '+.1f')}",
    )


def lego(slices: Sequence[Shown]) -> Finding:
    """Compare the denoised LEGO phantom with its fast scan."""
    lr, dl = [shown.lr_quality for shown in slices], [shown.dl_quality for shown in slices]
    before, after = (fmean(one.mse for one in found) for found in (lr, dl))
    ssim = " to ".join(f"{fmean(one.ssim for one in found):.3f}" for found in (lr, dl))
    return (
        "LEGO comes out worse than its fast scan",
        holds(after > before),
        f"MSE {before:.4f} to {after:.4f}, SSIM {ssim} (report: 0.0737 to 0.1269, and 0.4624 to 0.4548)",
    )


def smoothing(regions: Sequence[Regions]) -> Finding:
    """Ask whether a large CNR comes from the contrast or from a smooth background."""
    contrast = fmean((s["DL"][0].mean - s["DL"][1].mean) / (s["HR"][0].mean - s["HR"][1].mean) for s in regions)
    noise = fmean(s["DL"][1].sd / s["HR"][1].sd for s in regions)
    return (
        "CNR rises by smoothing",
        holds(noise < 0.7 and abs(contrast - 1) < 0.2),
        f"DL has {contrast:.2f} times the contrast of HR, and {noise:.2f} times the SD of its background",
    )


def holds(found: bool) -> str:
    """Say it in words."""
    return "holds" if found else "doesn't hold"


def percent(part: float, form: str = ".0f") -> str:
    """Write a part of 1 in percent."""
    return f"{100 * part:{form}} %"
