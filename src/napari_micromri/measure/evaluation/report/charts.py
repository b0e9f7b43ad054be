"""The charts of an evaluation's page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_micromri.charts import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, SAND, SKY, new_figure, use_logarithm
from napari_micromri.measure.evaluation.rows import MULTIPLES
from napari_micromri.measure.evaluation.slices import FREQUENCIES
from napari_micromri.measure.evaluation.summary import heading
from napari_micromri.measure.evaluation.tables import mean_curves, subject_means, within_curves
from napari_micromri.measure.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_micromri.measure.evaluation.rows import Evaluation

WIDTH, COLUMNS = 11.5, 3
MOST_NAMES = 14
"""From this number of subjects on they are numbered instead of named."""

POWER_RANGE, RING_RANGE = (0.02, 10.0), (-0.2, 1.0)

COLOURS = (GREY, SKY, ORANGE, BLUE, GREEN, PINK, SAND, BLACK)
"""The first two are for the baselines."""

DASHES, MARKS = (":", "--", "-", "-.", (0, (1, 1)), (0, (8, 2)), (0, (4, 4)), (0, (3, 1))), "os^DPX1_"


def subject_charts(evaluation: Evaluation) -> Figure:
    """Draw a chart per metric: a mark per subject and method, and what would be perfect."""
    rows = -(-len(METRICS) // COLUMNS)
    figure, panels = new_figure(WIDTH, 0.4 + 2.4 * rows, columns=COLUMNS, rows=rows)
    subjects = evaluation.subjects
    many = len(subjects) > MOST_NAMES
    names = [str(number) if many else _short(name) for number, name in enumerate(subjects, 1)]
    for axes, metric in zip(panels, METRICS, strict=False):
        means = subject_means(evaluation.rows, metric)
        for number, (method, mine) in enumerate(means.items()):
            places = [k + (number - (len(means) - 1) / 2) * 0.6 / len(means) for k in range(len(subjects))]
            values = [metric.factor * mine.get(subject, math.nan) for subject in subjects]
            axes.scatter(places, values, s=28, marker=_of(MARKS, number), color=_of(COLOURS, number), label=method)
        if metric.better == "nearer":
            _show_perfect(axes, metric.target * metric.factor)
        axes.set_title(heading(metric))
        axes.set_xticks(range(len(subjects)), names)
        axes.set_xlim(-0.5, len(subjects) - 0.5)
    for axes in panels[len(METRICS) :]:
        axes.remove()
    if many:
        figure.supxlabel("subject, in the order of the table")
    return _with_key(figure, panels[0])


def curve_charts(evaluation: Evaluation) -> Figure:
    """Draw how much detail there is at each frequency, and how much of it is true."""
    figure, [power, ring] = new_figure(WIDTH, 3.4, columns=2)
    for number, (method, curves) in enumerate(mean_curves(evaluation.rows).items()):
        for axes, which in ((power, "power"), (ring, "ring")):
            look = {"color": _of(COLOURS, number), "linestyle": _of(DASHES, number)}
            axes.plot(FREQUENCIES, curves[which], label=method, **look)
    power.set(title="Power relative to HR", ylabel="ratio", ylim=POWER_RANGE)
    use_logarithm(power, "y")
    _show_perfect(power, 1.0)
    ring.set(title="Fourier ring correlation with HR", ylabel="correlation", ylim=RING_RANGE)
    for axes in (power, ring):
        axes.set(xlabel="cycles per HR pixel", xlim=(0, 0.5))
    return _with_key(figure, power)


def error_chart(evaluation: Evaluation) -> Figure | None:
    """Draw which part of the errors lies within multiples of the stated width; None where no model states one."""
    curves = within_curves(evaluation.rows)
    if not curves:
        return None
    figure, [axes] = new_figure(WIDTH / 2, 3.4)
    for method, values in curves.items():
        number = evaluation.setup.methods.index(method)
        look = {"color": _of(COLOURS, number), "linestyle": _of(DASHES, number)}
        axes.plot(MULTIPLES, [100 * value for value in values], label=method, **look)
    _show_perfect(axes, 90)
    axes.axvline(1, color=BLACK, linewidth=0.8, linestyle=":")
    axes.set(title="Errors within the stated width", ylabel="% of the foreground", ylim=(0, 100))
    axes.set(xlabel="times the stated width", xlim=(0, MULTIPLES[-1]))
    return _with_key(figure, axes)


def _of(looks: Sequence[Any], number: int) -> Any:
    return looks[number % len(looks)]


def _show_perfect(axes: Axes, value: float) -> None:
    axes.axhline(value, color=BLACK, linewidth=0.8, linestyle=":")


def _with_key(figure: Figure, axes: Axes) -> Figure:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"
