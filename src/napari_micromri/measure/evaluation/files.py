"""Write what an evaluation found: the tidy tables, the summary, and the page with its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.csv_table import write_csv
from napari_micromri.measure.evaluation.folder import PAGE, ROIS, SUMMARY, TABLE, write_json
from napari_micromri.measure.evaluation.rows import NEAREST
from napari_micromri.measure.evaluation.slices import cropped, lr_unit, on_fine_grid
from napari_micromri.measure.evaluation.summary import summarise
from napari_micromri.measure.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_micromri.measure.evaluation.report.pictures import Choice, Strip
    from napari_micromri.measure.evaluation.rows import Evaluation, SliceRow
    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.study.model import Pair

    Image = NDArray[np.float32]
    Images = tuple[Image, Image, Image]
    """LR, denoised, HR: whole slices."""

NAMES = ("subject", "region", "plane", "session", "key", "slice", "method", "lr_mean")
COLUMNS = (*NAMES, *(metric.column for metric in METRICS), "errors_within")


def write_files(
    evaluation: Evaluation,
    pairs: Mapping[str, Pair],
    specs: Mapping[str, ModelSpec],
    images: Callable[[Pair, int, str], Images],
    command: str,
) -> None:
    """Write all files of an evaluation but its journal.

    Parameters
    ----------
    pairs
        By key.
    specs
        By label of the model.
    images
        Gives LR, denoised and HR of a slice, for pictures.

    Raises
    ------
    WriteError
        The system refused.
    """
    from napari_micromri.measure.evaluation.report.page import write_page

    folder = evaluation.folder
    write_table(folder / TABLE, COLUMNS, (row_values(row) for row in evaluation.rows))
    if evaluation.rois:
        write_table(folder / ROIS, tuple(evaluation.rois[0]), evaluation.rois)
    write_json(folder / SUMMARY, summarise(evaluation, command))
    strips = {label: list(strips_of(evaluation, label, pairs, images)) for label in specs}
    write_page(folder / PAGE, evaluation, specs, strips, command)


def row_values(row: SliceRow) -> dict[str, Any]:
    """Give a line of ``evaluation.csv``."""
    names = {name: row.index if name == "slice" else getattr(row, name) for name in NAMES}
    return (
        names | {metric.column: getattr(row, metric.name) for metric in METRICS} | {"errors_within": row.errors_within}
    )


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV whole; numbers in full precision, NaN as nothing."""
    with atomic_output(path, overwrite=True) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        write_csv(stream, columns, lines)


def strips_of(
    evaluation: Evaluation, label: str, pairs: Mapping[str, Pair], images: Callable[[Pair, int, str], Images]
) -> Iterable[Strip]:
    """Make the pictures of a model's chosen slices, one slice in memory at a time."""
    from napari_micromri.measure.evaluation.report.pictures import choose_slices

    found = {(row.key, row.index): row for row in evaluation.rows if row.method == label}
    for choice in choose_slices(evaluation.rows, label):
        pair = pairs[choice.key]
        yield _strip(choice, pair, found[choice.key, choice.index], images(pair, choice.index, label))


def _strip(choice: Choice, pair: Pair, row: SliceRow, images: Images) -> Strip:
    from napari_micromri.measure.evaluation.report.pictures import Strip, pictures_of

    lr, dl, hr = images
    unit, crop = lr_unit(pair, lr), pair.marks.crop
    fine = on_fine_grid(lr, hr.shape)[NEAREST]
    fine, dl, hr = (cropped(image, crop) / unit for image in (fine, dl, hr))
    pictures, limit = pictures_of(fine, dl, hr, row.method)
    height, width = hr.shape
    info = pair.hr.info
    return Strip(
        title=f"{pair.subject}, {pair.region}, {pair.plane}, slice {info.slice_words(choice.index)}",
        why=choice.why,
        figures={
            metric.label: f"{metric.shown(getattr(row, metric.name))} {metric.unit}".strip() for metric in METRICS
        },
        pictures=pictures,
        aspect=width * info.size_of("x") / (height * info.size_of("y")),
        limit=limit,
    )
