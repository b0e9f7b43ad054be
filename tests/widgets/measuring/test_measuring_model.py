from __future__ import annotations

import math

import numpy as np
import pytest

from napari_micromri.measure.comparison import ComparedImage, Settings, compare
from napari_micromri.measure.image_comparison import SliceQuality
from napari_micromri.measure.metrics import ImageQuality
from napari_micromri.measure.roi import Roi
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.widgets.measuring.files import understand_slices
from napari_micromri.widgets.measuring.model import (
    COLUMNS,
    MeasureState,
    bars,
    explain,
    labels,
    most_telling,
    number,
    percent,
    quality_cells,
    quality_summary,
    rows_here,
    slice_text,
)
from napari_micromri.widgets.measuring.place import Place


def box(name, left, right, z, **more):
    return Roi(name, ((0.5, left), (0.5, right), (1.5, right), (1.5, left)), depth=(z, z), **more)


@pytest.fixture
def rows():
    images = []
    for name, contrast, sd in (("fast", 100, 10), ("fast [unet]", 80, 4), ("good", 100, 8)):
        data = np.where(np.indices((3, 40, 40)).sum(axis=0) % 2, 50.0 + sd, 50.0 - sd)
        data[..., 20:] += contrast
        info = ScanInfo(name=name, axes="zyx", voxel_size=(0.6, 0.1, 0.1), origin=(0, 0.05, 0.05))
        images.append(ComparedImage(name, Scan(data, info)))
    rois = [box("a", 2.5, 3.5, 0.0), box("a", 2.5, 3.5, 0.6), box("air", 0.5, 1.5, 0.6, kind="background")]
    return compare(images, rois, Settings(reference="good")).rows


ROLES = {"fast": "LR", "fast [unet]": "DL", "good": "HR"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (MeasureState(0, has_images=False), "Open a scan"),
        (MeasureState(0), "Tick at least one layer"),
        (MeasureState(2, volume=True), "2-D view"),
        (MeasureState(2, problem="Something is wrong."), "Something is wrong."),
        (MeasureState(2, drawing="roi"), "drag: a rectangle"),
        (MeasureState(2, 1, drawing="background"), "Now Draw background"),
        (MeasureState(2, busy=True), "Measuring"),
        (MeasureState(2), "Click Draw ROI"),
        (MeasureState(2, regions=1), "Now Draw background"),
        (MeasureState(2, regions=1, backgrounds=1), "No ROI on this slice"),
        (MeasureState(2, regions=1, backgrounds=1, here=1), "Export CSV"),
    ],
)
def test_the_hint_says_what_to_do_next(state, words):
    assert words in state.hint


def test_what_can_be_clicked():
    assert not MeasureState(0).can_draw
    assert not MeasureState(1, volume=True).can_draw
    assert MeasureState(1).can_draw
    assert not MeasureState(1, backgrounds=3).can_export
    assert MeasureState(1, regions=1).can_export


def test_layers_go_by_their_roles():
    assert labels(["fast", "fast [unet]", "good", "x"], ROLES) == ROLES | {"x": "x"}
    two = labels(["a", "b"], {"a": "DL", "b": "DL"})
    assert two == {"a": "DL a", "b": "DL b"}


def test_the_rows_of_the_slice_that_is_shown(rows):
    assert [row.slice_index for row in rows_here(rows, Place("z", 0.61, 0.6))] == [1, 1, 1]
    assert rows_here(rows, Place("y", 0.6, 0.6)) == []
    assert rows_here(rows, Place("z", 5.0, 0.6)) == []


def test_the_reason_of_a_larger_ratio_is_told(rows):
    chosen = most_telling(rows_here(rows, Place("z", 0.6, 0.6)), ROLES)
    assert chosen.image == "fast [unet]"
    text = explain(rows, chosen, ROLES, "good").replace("\u00a0", " ")
    assert "the CNR of DL is 1.60 × that of HR: contrast 80 %, background SD 50 % of HR's" in text
    assert "smoother background" in text
    lr = next(row for row in rows if row.image == "fast" and row.slice_index == 1)
    assert "smoother" not in explain(rows, lr, ROLES, "good")
    assert "No background is drawn" in explain(rows, rows[0], ROLES, "good")
    assert explain(rows, lr, ROLES, None) == ""
    assert most_telling([], ROLES) is None


def test_cells(rows):
    def cells(row):
        return {column.title: column.text(row) for column in COLUMNS}

    shown = cells(rows[4])
    assert shown["CNR"] == "20 ★"
    assert shown["Norm.\nSD"] == "0.08 ★"
    assert (shown["Contrast\nof HR"], shown["SD bg\nof HR"], shown["n"], shown["Slice"][:3]) == (
        "80 %",
        "50 %",
        "100",
        "1 ·",
    )
    doubtful = cells(rows[0])
    assert (doubtful["CNR"], doubtful["Norm.\nSD"], doubtful["Background"]) == ("– ⚠", "–", "–")
    assert (number(math.inf), percent(math.nan)) == ("–", "–")


def test_bars_are_means_over_slices(rows):
    assert bars(rows, "CNR", ROLES) == {"a": {"LR": 10, "DL": 20, "HR": 12.5}}
    assert bars(rows, "mean", ROLES)["a"]["DL"] == pytest.approx(130)
    assert bars(rows, "background SD", {})["a"]["fast"] == pytest.approx(10)


def test_image_quality_in_words():
    quality = ImageQuality(mse=9.0, psnr=math.inf, ssim=1.0, bias=-0.021, power_ratio=0.5, ring_correlation=math.nan)
    assert quality_cells(quality) == ("9", "∞", "–", "1.000", "−2.10", "0.50", "–", "–")
    found = [SliceQuality(image="DL", slice_index=k, quality=quality) for k in (2, 3)]
    found.append(SliceQuality(image="DL", slice_index=4, quality=None, problem="no slice there"))
    text = quality_summary(found, "HR", "sinc", "whole slice", lambda k: f"{k} · z {k / 2} mm")
    assert "mean of 3 slices, 2 · z 1.0 mm to 4 · z 2.0 mm" in text
    assert "Left out: DL, slice 4 · z 2.0 mm: no slice there." in text


@pytest.mark.parametrize(
    ("text", "slices"),
    [("3-5, 1", [1, 3, 4, 5]), ("7", [7]), ("2;4", [2, 4]), ("5-3", []), ("a", []), ("10", []), ("", []), ("-2", [])],
)
def test_slices_as_people_write_them(text, slices):
    assert understand_slices(text, 10) == slices


def test_a_gain_of_a_hundredth_is_none():
    from napari_micromri.widgets.measuring.model import _warning

    assert _warning(0.99, 1.01) == []
    assert len(_warning(0.5, 2.0)) == 1


def test_slice_and_place_are_both_said(make_scan):
    roi = Roi("a", ((0, 0), (0, 1), (1, 1), (1, 0)), depth=(1.2, 1.2))
    assert slice_text(roi, make_scan((4, 8, 8))) == "2 · z 1.2 mm"
    assert slice_text(roi, None) == "z 1.2 mm"
