from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from napari_micromri.errors import CancelledError, InputError, OutputExistsError
from napari_micromri.measure import comparison
from napari_micromri.measure.comparison import ComparedImage, Settings, compare
from napari_micromri.measure.measurer import Measurer
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.table_file import COLUMNS, row_values, rows_as_text, save_table
from napari_micromri.scan import Scan, ScanInfo


def box(name, top, bottom, left, right, **more):
    return Roi(name, ((top, left), (top, right), (bottom, right), (bottom, left)), **more)


def scan_of(data, size=(0.6, 0.1, 0.1), origin=(0.0, 0.05, 0.05), **more):
    return Scan(np.asarray(data), ScanInfo(name="s", axes="zyx", voxel_size=size, origin=origin, **more))


def checked(low, high, shape=(3, 40, 40)):
    """Alternate between two values, so that every even box has mean (low + high) / 2 and SD (high - low) / 2."""
    return np.where(np.indices(shape).sum(axis=0) % 2, high, low).astype(np.float32)


@pytest.fixture
def images():
    """Background left, tissue right: contrasts 100, 80, 100 and background SDs 10, 4, 8."""
    result = []
    for name, contrast, sd in (("LR", 100, 10), ("DL", 80, 4), ("HR", 100, 8)):
        data = checked(50 - sd, 50 + sd)
        data[..., 20:] += contrast
        result.append(ComparedImage(name, scan_of(data)))
    return result


ROI = box("tissue", 0.5, 1.5, 2.5, 3.5, depth=(0.6, 0.6))
BACKGROUND = box("air", 0.5, 1.5, 0.5, 1.5, kind="background", depth=(0.0, 1.2))


def codes(row):
    return {one.code for one in row.cautions}


def test_contrast_and_noise_explain_the_ratio(images):
    found = compare(images, [ROI, BACKGROUND], Settings(reference="HR"))
    lr, dl, hr = found.rows
    assert [row.cnr for row in found.rows] == pytest.approx([10, 20, 12.5])
    assert [row.normalised_sd for row in found.rows] == pytest.approx([0.2, 0.08, 0.16])
    assert (dl.contrast_to_reference, dl.background_sd_to_reference) == pytest.approx((0.8, 0.5))
    assert dl.cnr / hr.cnr == pytest.approx(dl.contrast_to_reference / dl.background_sd_to_reference)
    assert (hr.contrast_to_reference, hr.background_sd_to_reference) == (1, 1)
    assert (
        [row.best_cnr for row in found.rows] == [row.best_normalised_sd for row in found.rows] == [False, True, False]
    )
    assert (lr.slice_index, lr.position, lr.background) == (1, 0.6, "air")
    assert lr.cautions == ()


def test_a_row_for_every_slice_region_and_image(images):
    rois = [box("a", 0.5, 1.5, 2.5, 3.5), ROI, BACKGROUND]
    rows = compare(images, rois).rows
    assert [(row.roi.name, row.slice_index, row.image) for row in rows] == [
        (name, index, image)
        for name, index in (("a", 0), ("a", 1), ("a", 2), ("tissue", 1))
        for image in ("LR", "DL", "HR")
    ]


def test_slices_are_matched_by_their_extent(images):
    thick = ComparedImage("thick", scan_of(checked(0, 2, (2, 40, 40)), size=(1.2, 0.1, 0.1), origin=(0.3, 0.05, 0.05)))
    rows = compare([images[0], thick], [box("a", 0.5, 1.5, 2.5, 3.5), BACKGROUND]).rows
    assert [row.slice_index for row in rows if row.image == "thick"] == [0, 0, 1]
    short = ComparedImage("short", scan_of(checked(0, 2, (1, 40, 40))))
    last = compare([images[0], short], [box("a", 0.5, 1.5, 2.5, 3.5), BACKGROUND]).rows[-1]
    assert (last.image, last.slice_index, codes(last)) == ("short", None, {"no-slice"})
    assert math.isnan(last.cnr)


def test_backgrounds_pooled_or_each(images):
    second = box("muscle", 0.5, 1.5, 3.6, 4.0, kind="background")
    [pooled] = compare(images[:1], [ROI, BACKGROUND, second]).rows
    assert pooled.background == "air + muscle"
    assert pooled.background_stats.n == 100 + 40
    assert pooled.background_stats.mean == pytest.approx((100 * 50 + 40 * 150) / 140)
    each = compare(images[:1], [ROI, BACKGROUND, second], Settings(backgrounds="each")).rows
    assert [row.background for row in each] == ["air", "muscle"]
    assert [row.cnr for row in each] == pytest.approx([10, 0])


@pytest.mark.parametrize(
    ("roi", "background", "expected"),
    [
        (ROI, None, {"no-background"}),
        (ROI, box("b", 0.5, 1.5, 0.5, 1.5, kind="background", depth=(1.2, 1.2)), {"no-background"}),
        (box("r", 0.5, 0.7, 2.5, 3.3), BACKGROUND, {"few"}),
        (box("r", 0.5, 1.5, 3.5, 4.5), BACKGROUND, {"outside"}),
        (box("r", 8, 9, 3.5, 4.5), BACKGROUND, {"outside", "empty"}),
        (box("r", 0.5, 1.5, 1.5, 2.0), BACKGROUND, {"touches"}),
        (box("r", 0.5, 1.5, 1.6, 2.1), BACKGROUND, set()),
        (box("r", 0.5, 1.5, 1.0, 2.0), BACKGROUND, {"touches"}),
        (Roi("r", ((0.5, 2.1), (1.5, 3.5), (1.5, 2.1), (0.5, 3.5)), shape="polygon"), BACKGROUND, {"self-crossing"}),
        (ROI, box("b", 0.52, 0.58, 0.5, 1.5, kind="background"), {"few"}),
    ],
)
def test_what_is_doubtful_is_said(images, roi, background, expected):
    row = compare(images[:1], [roi, *([background] if background else [])]).rows[1 if roi.depth is None else 0]
    assert codes(row) == expected
    assert all(one.text.endswith(".") for one in row.cautions)


def test_no_noise_and_no_numbers(images):
    flat = np.full((3, 40, 40), 7.0)
    flat[1, 10, 30] = np.nan
    [row] = compare([ComparedImage("flat", scan_of(flat))], [ROI, BACKGROUND]).rows
    assert codes(row) == {"zero-sd", "not-finite"}
    assert math.isnan(row.cnr)
    assert row.stats.n == 99


def test_what_crosses_the_crop_is_marked(images):
    crop = ((0.0, 4.0), (0.0, 3.0))
    [row] = compare(images[:1], [ROI, BACKGROUND], Settings(crop=crop)).rows
    assert codes(row) == {"crop"}
    across = Roi("across", ((0.0, 5.0), (0.0, 6.0), (1.2, 6.0), (1.2, 5.0)), axes="zx")
    assert "crop" not in codes(compare(images[:1], [across], Settings(crop=crop)).rows[0])


def test_only_what_changed_is_measured_again(images, monkeypatch):
    made, real = [], comparison.rows_of
    monkeypatch.setattr(comparison, "rows_of", lambda *given: made.append(given[1].name) or real(*given))
    measurer = Measurer()
    other, moved = box("other", 2.0, 3.0, 2.5, 3.5, depth=(1.2, 1.2)), box("air", 1.5, 2.5, 0.5, 1.5, kind="background")

    def names(rois, settings=Settings()):  # noqa: B008
        made.clear()
        found = compare(images, rois, settings, measurer=measurer)
        assert found.rows == compare(images, rois, settings).rows
        return made[: len(made) - len(found.rows) // len(images)]

    assert names([ROI, other, BACKGROUND]) == ["tissue", "other"]
    assert names([ROI, other, BACKGROUND]) == []
    assert names([box("tissue", 0.6, 1.6, 2.5, 3.5, depth=(0.6, 0.6)), other, BACKGROUND]) == ["tissue"]
    beside = replace(BACKGROUND, depth=(0.0, 0.6))
    assert names([ROI, other, beside, replace(moved, depth=(1.2, 1.2))]) == ["tissue", "other"]
    assert names([ROI, other, beside, replace(moved, depth=(0.9, 1.2))]) == ["other"]
    assert names([ROI, other, beside], Settings(rule="area")) == ["tissue", "other"]
    assert names([other, beside], Settings(rule="area")) == []


def test_what_cannot_be_compared_is_refused(images):
    with pytest.raises(InputError, match="'LR'"):
        compare([images[0], images[0]], [ROI])
    with pytest.raises(InputError, match="'best'"):
        compare(images, [ROI], Settings(reference="best"))
    with pytest.raises(CancelledError):
        compare(images, [ROI], should_stop=lambda: True)
    assert compare([], [ROI]).rows == ()
    assert compare(images, []).rows == ()


def test_the_measurer_reads_each_slice_once_and_sees_changes():
    class Counting(np.ndarray):
        reads = 0

        def __getitem__(self, index):
            Counting.reads += 1
            return np.asarray(self)[index]

    data = checked(1, 3).view(Counting)
    image, measurer = ComparedImage("a", scan_of(data).__class__(data, scan_of(data).info)), Measurer()
    Counting.reads = 0
    first = compare([image], [ROI, BACKGROUND], measurer=measurer).rows
    moved = box("tissue", 0.5, 1.5, 2.4, 3.4, depth=(0.6, 0.6))
    compare([image], [moved, BACKGROUND], measurer=measurer)
    assert Counting.reads == 1
    np.asarray(data)[:] += 5
    assert compare([image], [ROI, BACKGROUND], measurer=measurer).rows[0].stats.mean == first[0].stats.mean
    measurer.forget()
    assert compare([image], [ROI, BACKGROUND], measurer=measurer).rows[0].stats.mean == first[0].stats.mean + 5


def test_the_table_is_saved_with_all_that_made_it(images, tmp_path):
    found = compare(images, [ROI, BACKGROUND], Settings(reference="HR"))
    table, settings = save_table(found, tmp_path / "cnr.csv")
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["cnr"]) for row in rows] == [10, 20, 12.5]
    assert rows[1]["area_mm2"] == "1"
    described = json.loads(settings.read_text())
    assert described["settings"]["reference"] == "HR"
    assert [one["name"] for one in described["images"]] == ["LR", "DL", "HR"]
    assert described["rois"][0]["vertices_mm"][0] == [0.5, 2.5]
    with pytest.raises(OutputExistsError):
        save_table(found, table)
    save_table(found, table, overwrite=True)


def test_unknown_figures_are_empty_and_names_are_no_formulas(images):
    [row] = compare(images[:1], [box("=1+1", 0.5, 1.5, 2.5, 3.5, depth=(0, 0))]).rows
    assert row_values(row)["cnr"] is None
    header, line = rows_as_text([row], delimiter=",").splitlines()
    assert "'=1+1" in line
    assert dict(zip(header.split(","), line.split(","), strict=False))["cnr"] == ""
