"""An evaluation as one JSON document, and as text for a terminal: what ``summary.json`` and the command line show."""

from __future__ import annotations

import math
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from napari_micromri.measure.evaluation.rows import MULTIPLES
from napari_micromri.measure.evaluation.slices import FREQUENCIES
from napari_micromri.measure.evaluation.tables import (
    by_part,
    differences,
    errors_within,
    mean_curves,
    over_subjects,
    overall,
    within_curves,
)
from napari_micromri.measure.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.measure.evaluation.rows import Evaluation
    from napari_micromri.measure.evaluation.tables import Difference, Estimate
    from napari_micromri.measure.metrics import Metric

PARTS = ("subject", "region", "plane")
ROI_PLACE = ("subject", "plane", "slice", "region", "roi", "background")
ROI_FIGURES = (
    ("CNR", "cnr"),
    ("Normalised SD", "normalised_sd"),
    ("Contrast relative to HR", "contrast_to_reference"),
    ("Background SD relative to HR", "background_sd_to_reference"),
)
ERRORS = "Errors within the width that the model states, of the pixels of the foreground; 90 % should be"
LIBRARIES = ("napari-micromri", "torch", "numpy", "scipy", "scikit-image", "zarr")

DEFINITIONS = {metric.name: metric.definition for metric in METRICS}
HOW = (
    "Whole slices are denoised and then cropped. Means are taken over a subject's slices and then over subjects; "
    "intervals are Student's 95 % over subjects."
)


def summarise(evaluation: Evaluation, command: str) -> dict[str, Any]:
    """Give everything that was found and how, as plain JSON; what can't be given is None."""
    setup, rows = evaluation.setup, evaluation.rows
    document = {
        "evaluation": setup.to_json(),
        "subjects": list(evaluation.subjects),
        "slices": len({row.slice_key for row in rows}),
        "overall": _nested(overall(rows)),
        "by_region": _nested(over_subjects(rows, "region")),
        "by_plane": _nested(over_subjects(rows, "plane")),
        "by_subject": [_group(group.names, group.slices, group.means) for group in by_part(rows, PARTS)],
        "differences": [asdict(one) for one in differences(rows, setup.methods)],
        "curves": {"cycles_per_pixel": list(FREQUENCIES)} | mean_curves(rows),
        "errors_within": _nested(errors_within(rows)),
        "error_curves": {"times_the_width": list(MULTIPLES)} | within_curves(rows),
        "rois": list(evaluation.rois),
        "cautions": list(evaluation.cautions),
        "problems": [asdict(problem) for problem in evaluation.problems],
        "definitions": DEFINITIONS | {"how": HOW},
        "command": command,
        "versions": versions(),
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def versions() -> dict[str, str]:
    """Name the versions that computed the figures."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def as_text(evaluation: Evaluation) -> str:
    """Lay the figures out for a terminal: per subject as in the report's Table 3, overall, differences, regions."""
    setup, subjects = evaluation.setup, len(evaluation.subjects)
    slices = len({row.slice_key for row in evaluation.rows})
    title = f"{setup.study}, {setup.split} set: {slices} slices of {subjects} subject{'' if subjects == 1 else 's'}"
    parts = [
        "\n".join([title, *(f"{model.label}: {model.how}" for model in setup.models if model.how)]),
        _subject_text(evaluation),
        _overall_text(evaluation),
        *_errors_text(evaluation),
        *_difference_texts(evaluation),
        *(f"{title}\n{table(head, body)}" for title, head, body in roi_tables(evaluation.rois) if body),
        "\n".join([HOW, *evaluation.cautions, *roi_cautions(evaluation.rois)]),
    ]
    return "\n\n".join(parts)


def studies_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lay the means of several studies out for a terminal, one line for each method."""
    names = ("study", "method", "subjects", "slices")
    body = [
        [*(str(line[name]) for name in names), *(metric.shown(line[metric.column]) for metric in METRICS)]
        for line in lines
    ]
    return table([*names, *map(heading, METRICS)], body)


def _subject_text(evaluation: Evaluation) -> str:
    shown = [metric for metric in METRICS if metric.name in ("mse", "ssim")]
    methods = evaluation.setup.methods
    above = ["", "", "", "", *(metric.label for metric in shown for _ in methods)]
    heads = [*PARTS, "slices", *(name for _ in shown for name in methods)]
    lines = [
        [*g.names, str(g.slices), *(m.shown(g.means[name][m.name]) for m in shown for name in methods)]
        for g in by_part(evaluation.rows, PARTS)
    ]
    return table(above, [heads, *lines])


def _overall_text(evaluation: Evaluation) -> str:
    found, methods = overall(evaluation.rows), evaluation.setup.methods
    lines = [[heading(m), *(_estimate(m, found[name][m.name]) for name in methods)] for m in METRICS]
    return table(["mean [95 % interval]", *methods], lines)


def _errors_text(evaluation: Evaluation) -> list[str]:
    lines = [[name, f"{shown} {note}".strip()] for name, shown, note, _ in error_lines(evaluation)]
    return [f"{ERRORS}\n{table(['', '% [95 % interval]'], lines)}"] if lines else []


def _difference_texts(evaluation: Evaluation) -> list[str]:
    texts = []
    for (first, second), mine in by_comparison(differences(evaluation.rows, evaluation.setup.methods)).items():
        found = [(metric, mine[metric.name]) for metric in METRICS]
        lines = [
            [heading(m), _estimate(m, one.estimate), f"{one.better_subjects} of {one.estimate.subjects}"]
            for m, one in found
        ]
        texts.append(table([f"{first} − {second}", "difference", "subjects where better"], lines))
    return texts


def error_lines(evaluation: Evaluation) -> list[tuple[str, str, str, float]]:
    """For each model that states widths: its label, the percentage of errors within, its interval, and the part."""
    lines = []
    for name, found in errors_within(evaluation.rows).items():
        low, mean, high = (f"{100 * min(max(v, 0.0), 1.0):.0f}" for v in (found.low, found.mean, found.high))
        lines.append((name, mean, "" if math.isnan(found.low) else f"[{low}, {high}]", found.mean))
    return lines


def heading(metric: Metric) -> str:
    """Name a metric with its unit."""
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def interval(metric: Metric, estimate: Estimate) -> str:
    """Show an interval; nothing where there is none."""
    if math.isnan(estimate.low):
        return ""
    return f"[{metric.shown(estimate.low)}, {metric.shown(estimate.high)}]"


def by_comparison(found: Sequence[Difference]) -> dict[tuple[str, str], dict[str, Difference]]:
    """Group differences: the two methods -> metric -> difference."""
    groups: dict[tuple[str, str], dict[str, Difference]] = {}
    for one in found:
        groups.setdefault((one.first, one.second), {})[one.metric] = one
    return groups


def roi_tables(rois: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Make tables like the report's Tables 4 and 5: title, heads, and a line per subject, slice and region."""
    images = list(dict.fromkeys(str(row["image"]) for row in rois))
    lines: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rois:
        place = tuple("–" if row[name] is None else str(row[name]) for name in ROI_PLACE)
        lines.setdefault(place, {})[str(row["image"])] = row
    heads = [*ROI_PLACE, *images]
    return [
        (
            title,
            heads,
            [[*place, *(_figure(mine.get(image), name) for image in images)] for place, mine in lines.items()],
        )
        for title, name in ROI_FIGURES
    ]


def roi_cautions(rois: Sequence[Mapping[str, Any]]) -> list[str]:
    """List what is doubtful about regions, each once with the image and slice."""
    return list(
        dict.fromkeys(
            f"{row['image']}, {row['subject']}, slice {row['slice']} · z {row['position_mm']:.4g} mm: {row['cautions']}"
            for row in rois
            if row["cautions"]
        )
    )


def table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Align columns; the first is text, so it stands on the left."""
    lines = [list(heads), *map(list, body)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _estimate(metric: Metric, estimate: Estimate) -> str:
    return f"{metric.shown(estimate.mean)} {interval(metric, estimate)}".strip()


def _figure(row: Mapping[str, Any] | None, name: str) -> str:
    value = None if row is None else row[name]
    return "–" if value is None else f"{value:.3f}"


def _group(names: tuple[str, ...], slices: int, means: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    return dict(zip(PARTS, names, strict=True)) | {"slices": slices, "means": means}


def _nested(found: Any) -> Any:
    """Turn estimates within dictionaries into dictionaries."""
    return {key: _nested(value) for key, value in found.items()} if isinstance(found, dict) else asdict(found)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
