from __future__ import annotations

import json

import numpy as np
import pytest

from napari_micromri.errors import InputError, OutputExistsError, ReadError, WriteError
from napari_micromri.measure.coverage import full_mask
from napari_micromri.measure.roi import Grid, Roi
from napari_micromri.measure.roi_file import load_rois, save_rois
from napari_micromri.scan import Scan, ScanInfo

CORNERS = ((1.0, 2.0), (1.0, 3.5), (2.5, 3.5), (2.5, 2.0))
TURNED = ((1.0, 2.0), (2.0, 3.0), (3.0, 2.0), (2.0, 1.0))
ROIS = (
    Roi("Tumour, rim", CORNERS, depth=(0.6, 0.6)),
    Roi("bg muscle", CORNERS, kind="background", shape="ellipse", depth=(0.0, 1.2)),
    Roi("Ödem", ((1.0, 1.0), (2.0, 1.5), (1.5, 3.0)), shape="polygon", depth=(1.2, 1.2)),
)


def scan(size=(0.6, 0.1, 0.1), shape=(3, 50, 60), **more):
    info = {"name": "s", "subject": "mouse-1", "origin": (0.0, size[1] / 2, size[2] / 2)} | more
    return Scan(np.zeros(shape, np.float32), ScanInfo(axes="zyx", voxel_size=size, **info))


def test_what_is_saved_is_loaded(tmp_path):
    path = save_rois(ROIS, tmp_path / "rois.json", scan=scan())
    loaded = load_rois(path)
    assert loaded.rois == ROIS
    assert loaded.drawn_on.mismatch(scan()) is None
    assert loaded.drawn_on.mismatch(scan((0.6, 0.2, 0.2), (3, 25, 30))) is None
    with pytest.raises(OutputExistsError):
        save_rois(ROIS, path)


def test_another_scan_is_noticed(tmp_path):
    drawn_on = load_rois(save_rois(ROIS, tmp_path / "rois.json", scan=scan())).drawn_on
    assert "field of view" in drawn_on.mismatch(scan(shape=(3, 40, 60)))
    assert "another animal" in drawn_on.mismatch(scan(subject="mouse-2"))
    assert drawn_on.mismatch(scan(subject=None)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "isn't JSON"),
        ("[1, 2]", "file of ROIs that micromri wrote"),
        ('{"type": "FeatureCollection"}', "file of ROIs that micromri wrote"),
        ('{"micromri-rois": 2, "rois": []}', "later version"),
        ('{"micromri-rois": 1}', "damaged"),
        ('{"micromri-rois": 1, "rois": 5}', "damaged"),
        ('{"micromri-rois": 1, "rois": [{"name": "a"}]}', "damaged"),
        ('{"micromri-rois": 1, "rois": [], "drawn_on": {"name": "x", "extent": 3}}', "damaged"),
        ("[" * 100_000, "isn't JSON"),
    ],
)
def test_a_file_that_is_no_such_file(tmp_path, text, words):
    path = tmp_path / "rois.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=words):
        load_rois(path)


@pytest.mark.parametrize("change", [{"vertices_mm": [[0, 0], [1, 1]]}, {"kind": "x"}, {"vertices_mm": [[0, 0, 0]] * 4}])
def test_a_damaged_entry(tmp_path, change):
    path = save_rois(ROIS[:1], tmp_path / "rois.json")
    content = json.loads(path.read_text())
    content["rois"][0] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(ReadError, match="damaged"):
        load_rois(path)


def test_what_cannot_be_saved(tmp_path):
    with pytest.raises(InputError, match="no ROI"):
        save_rois([], tmp_path / "a.json")
    with pytest.raises(WriteError, match="file extension"):
        save_rois(ROIS, tmp_path / "a.txt")
    with pytest.raises(InputError, match="scan"):
        save_rois(ROIS, tmp_path / "a.zip")
    with pytest.raises(InputError, match="not 5"):
        save_rois(ROIS, tmp_path / "a.roi", scan=scan())
    with pytest.raises(ReadError, match="exist"):
        load_rois(tmp_path / "nothing.json")
    assert not list(tmp_path.iterdir())


def test_imagej_and_back(tmp_path):
    path = save_rois(ROIS, tmp_path / "rois.zip", scan=scan())
    loaded = load_rois(path, scan=scan()).rois
    assert [(roi.name, roi.kind, roi.shape, roi.depth[0]) for roi in loaded] == [
        ("Tumour, rim", "roi", "rectangle", 0.6),
        ("bg muscle", "background", "ellipse", 0.0),
        ("bg muscle", "background", "ellipse", 0.6),
        ("bg muscle", "background", "ellipse", 1.2),
        ("Ödem", "roi", "polygon", 1.2),
    ]
    for before, after in zip((ROIS[0], ROIS[1], ROIS[2]), (loaded[0], loaded[1], loaded[4]), strict=True):
        np.testing.assert_allclose(after.vertices, before.vertices, atol=1e-5)


def test_imagej_sees_the_pixels_that_we_see(tmp_path):
    """ImageJ's rectangle of left 20 and width 15 is the pixels 20 to 34."""
    from roifile import ROI_TYPE, roiread

    path = save_rois([ROIS[0]], tmp_path / "one.roi", scan=scan())
    entry = roiread(path)
    assert entry.roitype == ROI_TYPE.RECT
    assert (entry.top, entry.bottom, entry.left, entry.right, entry.position) == (10, 25, 20, 35, 2)
    mask = full_mask(ROIS[0], Grid.of(scan(), "yx"))
    assert mask[10:25, 20:35].all()
    assert mask.sum() == 15 * 15


def test_an_integer_rectangle_and_a_turned_one(tmp_path):
    from roifile import ROI_TYPE, ImagejRoi, roiwrite

    entry = ImagejRoi()
    entry.roitype, entry.name = ROI_TYPE.RECT, "Background 1"
    entry.left, entry.top, entry.right, entry.bottom = 3, 4, 8, 10
    line = ImagejRoi()
    line.roitype, line.name, line.x2 = ROI_TYPE.LINE, "a line", 5.0
    roiwrite(tmp_path / "a.zip", [entry, line])
    [roi] = load_rois(tmp_path / "a.zip", scan=scan()).rois
    assert (roi.kind, roi.depth) == ("background", None)
    np.testing.assert_allclose(roi.box, ((0.4, 1.0), (0.3, 0.8)))
    turned = Roi("t", TURNED, depth=(0, 0))
    [back] = load_rois(save_rois([turned], tmp_path / "t.roi", scan=scan()), scan=scan()).rois
    assert back.shape == "polygon"
    np.testing.assert_allclose(back.vertices, TURNED, atol=1e-5)


SQUARE = [0, 10, 12, 1, 16, 12, 1, 16, 19, 1, 10, 19, 4]
"""A path as Java gives it: 0 begins it, 1 draws a line, 3 a curve, 4 closes it."""


@pytest.mark.parametrize(
    "more", [[0, 25, 3, 1, 30, 3, 1, 30, 7, 4], [0, 12, 14, 1, 12, 16, 1, 14, 16, 4], [0, 1, 1, 3, 2, 2, 3, 3, 4, 4, 4]]
)
def test_imagej_shapes_that_are_combined(tmp_path, more):
    from roifile import ROI_TYPE, ImagejRoi, roiwrite

    def write(name, path):
        entry = ImagejRoi()
        entry.name, entry.roitype = "ring", ROI_TYPE.RECT
        entry.multi_coordinates, entry.shape_roi_size = np.array(path, "f4"), len(path)
        roiwrite(tmp_path / name, [entry])
        return tmp_path / name

    (roi,) = load_rois(write("one.zip", SQUARE), scan=scan()).rois
    assert full_mask(roi, Grid.of(scan(), "yx")).sum() == 6 * 7
    # Two islands, a hole, a curve: the largest part alone would be another region than the one that was drawn.
    with pytest.raises(ReadError, match=r"'ring' .* several shapes"):
        load_rois(write("more.zip", SQUARE + more), scan=scan())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"Iout" + b"\xff" * 200, b"hello"])
@pytest.mark.parametrize("ending", [".roi", ".zip"])
def test_damaged_imagej_files(tmp_path, content, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    with pytest.raises(ReadError):
        load_rois(path, scan=scan())
