"""The page that a supervisor opens: one HTML file with its pictures and charts in it, and nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_micromri.charts import our_style, svg_source
from napari_micromri.io.atomic import atomic_output
from napari_micromri.measure.evaluation.report.charts import curve_charts, error_chart, subject_charts
from napari_micromri.measure.evaluation.summary import (
    DEFINITIONS,
    ERRORS,
    HOW,
    PARTS,
    by_comparison,
    error_lines,
    heading,
    interval,
    roi_cautions,
    roi_tables,
    versions,
)
from napari_micromri.measure.evaluation.tables import (
    by_part,
    differences,
    over_subjects,
    overall,
)
from napari_micromri.measure.metrics import METRICS
from napari_micromri.report_page import render_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_micromri.measure.evaluation.report.pictures import Strip
    from napari_micromri.measure.evaluation.rows import Evaluation
    from napari_micromri.measure.evaluation.tables import Estimate
    from napari_micromri.measure.metrics import Metric
    from napari_micromri.nn.checkpoint import ModelSpec

TABLE_METRICS = ("mse", "ssim", "psnr")
"""What stands in the table per subject, as in the report's Table 3."""


@dataclass(frozen=True)
class Entry:
    """A figure of a table: for people, in full, and its interval."""

    text: str
    value: float
    note: str = ""


TableLine: TypeAlias = tuple[str | Entry, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first ``names`` cells of a line are names. ``groups`` stand above the heads, with their widths."""

    names: int
    heads: tuple[str, ...]
    lines: tuple[TableLine, ...]
    groups: tuple[tuple[str, int], ...] = ()


def write_page(
    path: Path,
    evaluation: Evaluation,
    specs: Mapping[str, ModelSpec],
    strips: Mapping[str, Sequence[Strip]],
    command: str,
) -> None:
    """Write the page.

    Parameters
    ----------
    specs
        Label of the model -> what its file says of it.
    strips
        Label of the model -> pictures of chosen slices.

    Raises
    ------
    WriteError
        The system refused.
    """
    text = render(evaluation, specs, strips, command)
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render(
    evaluation: Evaluation, specs: Mapping[str, ModelSpec], strips: Mapping[str, Sequence[Strip]], command: str
) -> str:
    """Give the page as text."""
    content = _content(evaluation, specs, strips, command)
    return render_page("measure/evaluation/report/page.html.jinja", content)


def _content(
    evaluation: Evaluation, specs: Mapping[str, ModelSpec], strips: Mapping[str, Sequence[Strip]], command: str
) -> dict[str, Any]:
    rows = evaluation.rows
    return {
        "evaluation": evaluation,
        "setup": evaluation.setup,
        "slices": len({row.slice_key for row in rows}),
        "overall": overall_table(evaluation),
        "differences": difference_table(evaluation),
        "by_subject": subject_table(evaluation),
        "errors": errors_table(evaluation),
        "errors_head": ERRORS,
        "by_region": part_table(evaluation, "region"),
        "by_plane": part_table(evaluation, "plane"),
        "rois": [(title, heads, lines) for title, heads, lines in roi_tables(evaluation.rois) if lines],
        "roi_cautions": roi_cautions(evaluation.rois),
        **_charts(evaluation),
        "strips": strips,
        "specs": specs,
        "definitions": [(heading(metric), DEFINITIONS[metric.name]) for metric in METRICS],
        "how": HOW,
        "command": command,
        "versions": versions(),
    }


def overall_table(evaluation: Evaluation) -> Table:
    """Mean and interval of every metric, a line per method."""
    lines: list[TableLine] = [
        (name, *(_estimated(metric, mine[metric.name]) for metric in METRICS))
        for name, mine in overall(evaluation.rows).items()
    ]
    return Table(1, ("method", *(heading(metric) for metric in METRICS)), tuple(lines))


def difference_table(evaluation: Evaluation) -> Table:
    """Paired differences, a line per two methods."""
    lines: list[TableLine] = []
    for (first, second), mine in by_comparison(differences(evaluation.rows, evaluation.setup.methods)).items():
        cells = []
        for metric in METRICS:
            one = mine[metric.name]
            found = _estimated(metric, one.estimate)
            wins = f"{one.better_subjects}/{one.estimate.subjects}"
            cells.append(replace(found, note=" · ".join(filter(None, (found.note, wins)))))
        lines.append((f"{first} − {second}", *cells))
    return Table(1, ("difference", *(heading(metric) for metric in METRICS)), tuple(lines))


def subject_table(evaluation: Evaluation) -> Table:
    """Means per subject, region and plane, a column per metric and method."""
    shown = [metric for metric in METRICS if metric.name in TABLE_METRICS]
    methods = evaluation.setup.methods
    heads = (*PARTS, "slices", *(name for _ in shown for name in methods))
    groups = (("", len(PARTS) + 1), *((heading(metric), len(methods)) for metric in shown))
    lines: list[TableLine] = []
    for group in by_part(evaluation.rows, PARTS):
        values = [(metric, group.means[name][metric.name]) for metric in shown for name in methods]
        lines.append((*group.names, str(group.slices), *(Entry(m.shown(v), v) for m, v in values)))
    return Table(len(PARTS), heads, tuple(lines), groups)


def part_table(evaluation: Evaluation, part: str) -> Table:
    """Mean and interval within each region or plane."""
    lines: list[TableLine] = [
        (name, method, *(_estimated(metric, mine[metric.name]) for metric in METRICS))
        for name, methods in over_subjects(evaluation.rows, part).items()
        for method, mine in methods.items()
    ]
    return Table(2, (part, "method", *(heading(metric) for metric in METRICS)), tuple(lines))


def errors_table(evaluation: Evaluation) -> Table:
    """Part of the errors within the stated width, a line per model that states it."""
    lines = [(name, Entry(shown, value, note)) for name, shown, note, value in error_lines(evaluation)]
    return Table(1, ("model", "% within"), tuple(lines))


def _charts(evaluation: Evaluation) -> dict[str, str | None]:
    with our_style():
        errors = error_chart(evaluation)
        return {
            "error_chart": None if errors is None else svg_source(errors),
            "subject_charts": svg_source(subject_charts(evaluation)),
            "curve_charts": svg_source(curve_charts(evaluation)),
        }


def _estimated(metric: Metric, estimate: Estimate) -> Entry:
    return Entry(metric.shown(estimate.mean), estimate.mean, interval(metric, estimate))
