"""Slices as training reads them: the same extent, aligned, lazily, and never zeros in place of lost pixels."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_micromri.errors import StudyError
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.model import Assign, Crop, Exclude, SetCrop
from napari_micromri.study.reading import forget_open_images, moved, stored_digest
from napari_micromri.study.store import Study
from study_samples import make_pair, make_scans

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

KEY, OTHER = "mouse 01/head-thorax/coronal", "mouse 02/head-thorax/coronal"


def add(study: Study, lr: Scan, hr: Scan, *, shift: tuple[float, float] = (0.0, 0.0)) -> str:
    return study.add_pair(make_pair("a/b/c", lr, hr, shift=shift), lr, hr).key


def gradient(shape: tuple[int, int, int], size: float) -> Scan:
    """A scan whose pixels say where their centres are, in mm from the corner: y + x / 1000."""
    info = ScanInfo(name="gradient", axes="zyx", voxel_size=(1.0, size, size))
    y, x = ((np.arange(n) + 0.5) * size for n in shape[1:])
    return Scan(np.broadcast_to(y[:, None] + x / 1000, shape).astype(np.float64), info)


@pytest.mark.parametrize("dtype", ["uint8", "int16", ">i2", "uint16", "float32", "float64"])
def test_values_are_float32_in_stored_units(study: Study, dtype: DTypeLike) -> None:
    lr, hr = (Scan(np.round(scan.data / 5).astype(dtype), scan.info) for scan in make_scans())
    key = add(study, lr, hr)
    found = study.read_slice(key, 2)
    assert found.lr.dtype == found.hr.dtype == np.float32
    np.testing.assert_array_equal(found.lr, lr.read()[2].astype(np.float32))
    np.testing.assert_array_equal(found.hr, hr.read()[2].astype(np.float32))
    assert study.scans(key)[1].dtype == np.dtype(dtype).newbyteorder("=")
    assert stored_digest(study.path, study.pairs_by_key[key]) == study.pairs_by_key[key].digest


def test_a_slice_says_whose_it_is(study: Study) -> None:
    found = study.read_slice(OTHER, 3)
    assert (found.key, found.subject, found.region, found.plane, found.index) == (
        OTHER,
        "mouse 02",
        "head-thorax",
        "coronal",
        3,
    )
    assert found.where == study.pairs_by_key[OTHER].hr.info.slice_words(3) and found.where.endswith(" mm")
    assert found.hr_voxel_size == (0.1, 0.1) and found.lr_voxel_size == (0.2, 0.2)


@settings(deadline=None, max_examples=25)
@given(st.data(), st.sampled_from([(2, 2), (3, 3), (1, 1), (2, 3)]))
def test_a_crop_covers_the_same_extent_of_both(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ratio: tuple[int, int]
) -> None:
    coarse, fine = (12 * ratio[0] // ratio[1], 12) if ratio[0] < ratio[1] else (12 // ratio[0], 12)
    lr, hr = gradient((1, coarse, coarse), 12 / coarse), gradient((1, fine, fine), 1.0)
    study = Study.create(tmp_path_factory.mktemp("s") / "s.mri.zarr")
    key = add(study, lr, hr)
    cells = study.pairs_by_key[key].cells[0]
    edges = st.lists(st.integers(0, cells), min_size=2, max_size=2, unique=True).map(sorted)
    (top, bottom), (left, right) = ([fine // cells * edge for edge in data.draw(edges)] for _ in range(2))
    study.apply([SetCrop(key, Crop(top, bottom, left, right))])
    found = study.read_slice(key, 0)
    assert found.hr.shape == (bottom - top, right - left)
    for image, size in ((found.hr, found.hr_voxel_size), (found.lr, found.lr_voxel_size)):
        assert image.shape[0] * size[0] == pytest.approx(bottom - top)
        assert image.shape[1] * size[1] == pytest.approx(right - left)
        x = 1000 * (image[0] - image[0, 0]) + size[1] / 2
        assert image[0, 0] == pytest.approx(top + size[0] / 2 + (left + size[1] / 2) / 1000, abs=1e-5)
        assert x[-1] == pytest.approx(right - left - size[1] / 2, abs=1e-2)
    assert study.read_slice(key, 0, crop=False).hr.shape == (12, 12)


class TestAlignment:
    @staticmethod
    def blobs(y: float, x: float) -> NDArray[np.float32]:
        rows, columns = np.mgrid[:20, :24]
        return (100 * np.exp(-((rows - 9 - y) ** 2 + (columns - 11 - x) ** 2) / 8)).astype(np.float32)[None]

    def test_the_lr_content_is_moved_back(self, study: Study) -> None:
        lr, hr = make_scans(slices=1, shape=(20, 24))
        # 0.1 mm down and 0.06 mm to the left of where it belongs, with pixels of 0.2 mm
        key = add(study, Scan(self.blobs(0.5, -0.3), lr.info), hr, shift=(0.1, -0.06))
        np.testing.assert_allclose(study.read_slice(key, 0).lr, self.blobs(0, 0)[0], atol=0.01)
        np.testing.assert_array_equal(study.read_slice(key, 0, align=False).lr, self.blobs(0.5, -0.3)[0])
        np.testing.assert_array_equal(study.read_slice(key, 0).hr, hr.read()[0])

    def test_it_moves_before_it_crops(self, study: Study) -> None:
        lr, hr = make_scans(slices=1, shape=(20, 24))
        key = add(study, Scan(self.blobs(0.5, -0.3), lr.info), hr, shift=(0.1, -0.06))
        study.apply([SetCrop(key, Crop(16, 24, 20, 30))])
        np.testing.assert_allclose(study.read_slice(key, 0).lr, self.blobs(0, 0)[0, 8:12, 10:15], atol=0.01)

    @pytest.mark.parametrize("shape", [(8, 8), (7, 8), (8, 7), (7, 9)])
    def test_whole_pixels_are_exact(self, shape: tuple[int, int]) -> None:
        image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(moved(image, (2, -3)), np.roll(image, (2, -3), (0, 1)), atol=1e-5)
        assert moved(image, (0.4, 0.3)).dtype == np.float32


class TestSequence:
    def test_it_holds_the_kept_slices_of_a_set_in_order(self, study: Study) -> None:
        study.apply([Exclude(KEY, 0, "noise"), Exclude(OTHER, 3, "noise"), Assign("mouse 03", "test")])
        slices = study.slices("train")
        assert len(slices) == 6 and len(study.slices("test")) == 4 and len(study.slices("validation")) == 0
        assert [(s.key, s.index) for s in slices] == [(KEY, 1), (KEY, 2), (KEY, 3), (OTHER, 0), (OTHER, 1), (OTHER, 2)]
        assert len(study.slices(include_excluded=True)) == 12
        pair, index = slices.locate(-1)
        assert (pair.key, index) == (OTHER, 2)
        np.testing.assert_array_equal(slices[-1].hr, study.read_slice(OTHER, 2).hr)
        assert [s.index for s in slices[1:3]] == [2, 3]
        for number in (6, -7):
            with pytest.raises(IndexError):
                slices[number]

    def test_a_pair_without_kept_slices_is_passed_over(self, study: Study) -> None:
        study.apply([Exclude(OTHER, k, "motion") for k in range(4)])
        assert {s.key for s in study.slices()} == {KEY, "mouse 03/head-thorax/coronal"}

    def test_it_travels_to_other_processes_and_keeps_its_marks(self, study: Study) -> None:
        slices = study.slices()
        slices[0]
        copy = pickle.loads(pickle.dumps(slices))  # noqa: S301 (what we just made)
        study.apply([Exclude(KEY, 0, "noise")])
        assert len(copy) == len(slices) == 12 and len(study.slices()) == 11
        np.testing.assert_array_equal(copy[5].lr, slices[5].lr)

    def test_counting_reads_no_pixels(self, study: Study) -> None:
        slices = study.slices()
        shutil.rmtree(study.path / KEY / "hr")
        assert len(slices) == 12


class TestLostPixels:
    def shard(self, study: Study, which: str = "hr") -> Path:
        return study.path / KEY / which / "0" / "c" / "0" / "0" / "0"

    def test_lost_files_are_told_and_not_read_as_zeros(self, study: Study) -> None:
        assert study.missing_chunks(KEY) == []
        self.shard(study).unlink()
        with pytest.raises(StudyError, match=r"Slice 2.* HR .*mouse 01.*missing"):
            study.read_slice(KEY, 2)
        with pytest.raises(StudyError, match="missing"):
            study.scans(KEY)[1].read()
        assert study.missing_chunks(KEY) == [("hr", k) for k in range(4)]
        assert study.read_slice(OTHER, 2).index == 2

    @pytest.mark.parametrize("keep", [0, 30, -1])
    def test_cut_files_are_told(self, study: Study, keep: int) -> None:
        content = self.shard(study, "lr").read_bytes()
        self.shard(study, "lr").write_bytes(content[:keep])
        with pytest.raises(StudyError, match="damaged"):
            study.read_slice(KEY, 1)

    @pytest.mark.parametrize("what", ["zarr.json", "0/zarr.json", "0"])
    def test_a_lost_array_is_told(self, study: Study, what: str) -> None:
        path = study.path / KEY / "lr" / what
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        if what == "zarr.json":
            assert study.read_slice(KEY, 0).index == 0  # the pair itself says all that is needed
            return
        with pytest.raises(StudyError, match="missing"):
            study.read_slice(KEY, 0)
        assert study.missing_chunks(KEY) == [("lr", k) for k in range(4)]

    @pytest.mark.parametrize(("old", "new"), [('"float32"', '"int64"'), ("4,", "5,"), ("{", "["), ("zstd", "pickle")])
    def test_an_array_that_was_changed_is_told(self, study: Study, old: str, new: str) -> None:
        file = study.path / KEY / "lr" / "0" / "zarr.json"
        file.write_text(file.read_text().replace(old, new))
        forget_open_images()
        with pytest.raises(StudyError, match=r"damaged|isn't"):
            study.read_slice(KEY, 0)

    def test_slices_of_zeros_are_stored(self, study: Study) -> None:
        lr, hr = (Scan(np.zeros_like(scan.data), scan.info) for scan in make_scans())
        key = add(study, lr, hr)
        assert study.missing_chunks(key) == []
        assert not study.read_slice(key, 3).hr.any()
        index = np.frombuffer((study.path / key / "hr/0/c/0/0/0").read_bytes()[-68:-4], "<u8")
        assert (index < 10_000).all()  # an absent slice would have 2^64 - 1

    def test_changed_pixels_have_another_digest(self, study: Study) -> None:
        pair = study.pairs_by_key[KEY]
        shutil.copytree(study.path / OTHER / "hr", study.path / KEY / "hr", dirs_exist_ok=True)
        assert stored_digest(study.path, pair) != pair.digest

    def test_a_slice_that_is_none(self, study: Study) -> None:
        for index in (-1, 4):
            with pytest.raises(StudyError, match="slices 0 to 3"):
                study.read_slice(KEY, index)


def test_scans_carry_their_geometry_and_read_lazily(study: Study) -> None:
    lr, hr = study.scans(KEY)
    np.testing.assert_allclose(lr.extent, hr.extent)
    assert hr.info == study.pairs_by_key[KEY].hr.info
    assert hr.data.chunks[0] == (1, 1, 1, 1)
    np.testing.assert_array_equal(hr.read()[1], study.read_slice(KEY, 1, crop=False, align=False).hr)


def test_long_scans_are_kept_in_several_files(study: Study) -> None:
    lr, hr = make_scans(slices=70, shape=(3, 4))
    key = add(study, lr, hr)
    assert len(list((study.path / key / "hr" / "0" / "c").iterdir())) == 2
    (study.path / key / "hr" / "0" / "c" / "1" / "0" / "0").unlink()
    assert study.missing_chunks(key) == [("hr", k) for k in range(64, 70)]
    np.testing.assert_array_equal(study.read_slice(key, 63).lr, lr.read()[63])


def test_the_description_holds_no_pixels(study: Study) -> None:
    document = json.loads((study.path / KEY / "zarr.json").read_text())
    assert len(json.dumps(document)) < 4000
    assert replace(study.pairs_by_key[KEY]).digest in json.dumps(document)
