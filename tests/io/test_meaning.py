"""What is read is what the file means: one class per kind of thing that was once read wrongly, and silently."""

from __future__ import annotations

import base64
import json
import shutil
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from test_dicom import VOXELS, header, write, write_series

from bruker_files import Reconstruction
from napari_micromri.errors import ReadError
from napari_micromri.io import open_scan
from napari_micromri.io.geometry import affine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.scan import Scan


def item(**values: Any) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def told(path: Path) -> str:
    return " ".join(text for scan in open_scan(path) for text in scan.info.warnings)


class TestDeclaredType:
    """The type and the slope come from the element that holds the pixels."""

    MAP = np.linspace(0, 0.005, 30).reshape(6, 5)

    @pytest.mark.parametrize(
        ("keyword", "dtype", "bits"), [("FloatPixelData", "f4", 32), ("DoubleFloatPixelData", "f8", 64)]
    )
    def test_floating_point_pixels(self, tmp_path: Path, keyword: str, dtype: str, bits: int) -> None:
        values = self.MAP.astype(dtype)
        dataset = header(BitsAllocated=bits, RescaleSlope=3, RescaleIntercept=1)
        setattr(dataset, keyword, values.tobytes())
        for name in ("BitsStored", "HighBit", "PixelRepresentation"):
            delattr(dataset, name)
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        (scan,) = open_scan(tmp_path / "a.dcm")
        assert scan.dtype == np.dtype(dtype)
        assert_array_equal(scan.read()[0], values)
        assert_array_equal(scan.read()[0], pydicom.dcmread(tmp_path / "a.dcm").pixel_array)
        assert "slope" in told(tmp_path / "a.dcm")

    @pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4"])
    def test_integers_of_every_width(self, tmp_path: Path, dtype: str) -> None:
        info = np.iinfo(dtype)
        pixels = np.linspace(info.min, info.max, 30).reshape(6, 5).astype(dtype)
        bits = info.bits
        kind = {
            "BitsAllocated": bits,
            "BitsStored": bits,
            "HighBit": bits - 1,
            "PixelRepresentation": int(info.min < 0),
        }
        (scan,) = open_scan(write(tmp_path / "a.dcm", pixels, **kind))
        assert scan.dtype == np.dtype(dtype)
        assert_array_equal(scan.read()[0], pixels)

    def test_slices_of_several_types(self, tmp_path: Path) -> None:
        write(tmp_path / "a.dcm", np.full((6, 5), 60000, "u2"), ImagePositionPatient=[0, 0, 0])
        signed = np.full((6, 5), -5, "i2")
        write(tmp_path / "b.dcm", signed, ImagePositionPatient=[0, 1, 0], PixelRepresentation=1)
        assert_array_equal(open_scan(tmp_path)[0].read()[:, 0, 0], [60000, -5])

    def test_real_world_values_where_nothing_else_scales(self, tmp_path: Path) -> None:
        mapping = [item(RealWorldValueSlope=1e-6, RealWorldValueIntercept=0.5)]
        (scan,) = open_scan(write(tmp_path / "a.dcm", VOXELS[0], RealWorldValueMappingSequence=mapping))
        assert_allclose(scan.read()[0], VOXELS[0] * 1e-6 + 0.5, rtol=1e-6)

    def test_real_world_values_in_a_table_are_refused(self, tmp_path: Path) -> None:
        mapping = [item(RealWorldValueLUTData=[1.0, 2.0])]
        with pytest.raises(ReadError, match="table"):
            open_scan(write(tmp_path / "a.dcm", VOXELS[0], RealWorldValueMappingSequence=mapping))

    @pytest.mark.parametrize("real", [1e-6, 2.0])
    def test_two_scales_are_told_where_they_differ(self, tmp_path: Path, real: float) -> None:
        mapping = [item(RealWorldValueSlope=real, RealWorldValueIntercept=0.0)]
        said = {"RescaleSlope": 2, "RescaleIntercept": 0, "RealWorldValueMappingSequence": mapping}
        (scan,) = open_scan(write(tmp_path / "a.dcm", VOXELS[0], **said))
        assert_array_equal(scan.read()[0], VOXELS[0] * 2)
        assert ("two ways" in told(tmp_path / "a.dcm")) == (real != 2)

    @pytest.mark.parametrize(("sign", "smallest", "largest", "doubted"), [(0, -5, 9, True), (1, -5, 9, False)])
    def test_extremes_that_the_type_cannot_hold_are_told(
        self, tmp_path: Path, sign: int, smallest: int, largest: int, doubted: bool
    ) -> None:
        dataset = header(PixelRepresentation=sign)
        dataset.add_new("SmallestImagePixelValue", "SS", smallest)
        dataset.add_new("LargestImagePixelValue", "SS", largest)
        dataset.PixelData = VOXELS[0].tobytes()
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        assert ("-5 to 9" in told(tmp_path / "a.dcm")) == doubted

    @pytest.mark.parametrize(
        ("said", "word"), [({"PixelPaddingValue": 63536}, "63536"), ({"LossyImageCompression": "01"}, "loss")]
    )
    def test_pixels_that_are_no_measurement_are_told(self, tmp_path: Path, said: dict[str, Any], word: str) -> None:
        assert word in told(write(tmp_path / "a.dcm", VOXELS[0], **said))

    def test_a_slope_per_frame(self, tmp_path: Path) -> None:
        frames = [
            item(
                PlanePositionSequence=[item(ImagePositionPatient=[0.0, 0.6 * k, 0.0])],
                PixelValueTransformationSequence=[item(RescaleSlope=k + 0.5, RescaleIntercept=-k)],
            )
            for k in range(4)
        ]
        more = {"NumberOfFrames": 4, "PerFrameFunctionalGroupsSequence": frames}
        (scan,) = open_scan(write(tmp_path / "a.dcm", VOXELS, **more))
        assert_allclose(scan.read(), VOXELS * np.arange(0.5, 4)[:, None, None] - np.arange(4)[:, None, None], rtol=1e-6)

    def test_numbers_of_a_palette_are_no_values(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="colour"):
            open_scan(write(tmp_path / "a.dcm", VOXELS[0], PhotometricInterpretation="PALETTE COLOR"))

    def test_values_in_a_table_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="table"):
            open_scan(write(tmp_path / "a.dcm", VOXELS[0], ModalityLUTSequence=[item(LUTExplanation="x")]))

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_packed_numbers_of_xarray(self, tmp_path: Path, zarr_format: Any) -> None:
        stored = np.array([[[0, 10], [-1, 20]]], "i2")
        attributes = {"scale_factor": 0.5, "add_offset": 100.0, "_FillValue": -1}
        zarr.create_array(tmp_path / "a.zarr", data=stored, zarr_format=zarr_format).attrs.update(attributes)
        (scan,) = open_scan(tmp_path / "a.zarr")
        assert_array_equal(scan.read(), np.array([[[100, 105], [np.nan, 110]]], "f4"))

    @pytest.mark.parametrize(("zarr_format", "kind"), [(2, "fill value"), (3, "number"), (3, "base64")])
    def test_marks_of_xarray_for_no_value(self, tmp_path: Path, zarr_format: Any, kind: str) -> None:
        stored = np.array([[[0, 10], [-1, 20]]], "f4" if kind == "base64" else "i2")
        written = base64.b64encode(struct.pack("<d", -1.0)).decode() if kind == "base64" else -1
        more = {"fill_value": -1} if kind == "fill value" else {"dimension_names": ["z", "y", "x"]}
        array = zarr.create_array(tmp_path / "a.zarr", data=stored, zarr_format=zarr_format, **more)
        array.attrs.update({"_ARRAY_DIMENSIONS": ["z", "y", "x"]} if zarr_format == 2 else {"_FillValue": written})
        assert_array_equal(open_scan(tmp_path / "a.zarr")[0].read(), np.array([[[0, 10], [np.nan, 20]]], "f4"))

    def test_a_fill_value_of_zero_is_no_mark(self, tmp_path: Path) -> None:
        array = zarr.create_array(tmp_path / "a.zarr", data=VOXELS, zarr_format=2, fill_value=0)
        array.attrs["_ARRAY_DIMENSIONS"] = ["z", "y", "x"]
        assert_array_equal(open_scan(tmp_path / "a.zarr")[0].read(), VOXELS)

    def test_signed_numbers_that_are_meant_unsigned(self, tmp_path: Path) -> None:
        array = zarr.create_array(tmp_path / "a.zarr", data=np.array([[[-1, 1, -2]]], "i1"))
        array.attrs.update({"_Unsigned": "true", "_FillValue": -2})
        assert_array_equal(open_scan(tmp_path / "a.zarr")[0].read(), [[[255, 1, np.nan]]])


class TestMissingIsNotZero:
    VALUES = np.arange(1, 61, dtype="u2").reshape(3, 4, 5)

    def store(self, path: Path, zarr_format: Any, written: str, **more: Any) -> Path:
        encoding = {"name": "v2" if zarr_format == 2 else "default", "separator": written}
        zarr.create_array(
            path, data=self.VALUES, chunks=(1, 4, 5), zarr_format=zarr_format, chunk_key_encoding=encoding, **more
        )
        return path

    @pytest.mark.parametrize("written", ["/", "."])
    @pytest.mark.parametrize("declared", ["/", ".", None])
    def test_a_separator_that_is_not_the_declared_one(self, tmp_path: Path, written: str, declared: str | None) -> None:
        path = self.store(tmp_path / "a.zarr", 2, written)
        document = json.loads((path / ".zarray").read_text()) | {"dimension_separator": declared}
        if declared is None:
            del document["dimension_separator"]
        (path / ".zarray").write_text(json.dumps(document))
        assert_array_equal(open_scan(path)[0].read(), self.VALUES)

    @pytest.mark.parametrize("written", ["/", "."])
    def test_a_separator_of_zarr_3(self, tmp_path: Path, written: str) -> None:
        path = self.store(tmp_path / "a.zarr", 3, written)
        text = (path / "zarr.json").read_text()
        document = json.loads(text)
        document["chunk_key_encoding"]["configuration"]["separator"] = "./".replace(written, "")
        (path / "zarr.json").write_text(json.dumps(document))
        assert_array_equal(open_scan(path)[0].read(), self.VALUES)

    @pytest.mark.parametrize(("zarr_format", "piece"), [(2, "1.0.0"), (3, "c.1.0.0")])
    def test_a_missing_chunk_is_told(self, tmp_path: Path, zarr_format: int, piece: str) -> None:
        path = self.store(tmp_path / "a.zarr", zarr_format, ".")
        assert "pieces" not in told(path)
        (path / piece).unlink()
        assert "1 of 3 pieces" in told(path) and "1/0/0" in told(path)

    def test_a_missing_shard_is_told(self, tmp_path: Path) -> None:
        path = self.store(tmp_path / "a.zarr", 3, "/", shards=(2, 4, 5))
        shutil.rmtree(path / "c/1")
        assert "1 of 2 pieces" in told(path)

    def test_a_lost_slice_of_our_own_is_no_zeros(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        from dataclasses import replace

        from napari_micromri.io import save_scan

        scan = make_scan((3, 6, 6))
        scan = replace(scan, data=scan.data * np.array([1, 0, 1], "f4")[:, None, None])
        path = save_scan(scan, tmp_path / "a.ome.zarr")
        assert not told(path)
        assert_array_equal(open_scan(path)[0].read(), scan.data)
        shutil.rmtree(path / "0/c/2")
        (again,) = open_scan(path)
        assert "1 of 3" in told(path)
        assert_array_equal(again.data[1].compute(), 0)
        with pytest.raises(ReadError, match="2/0/0"):
            again.data[2].compute()


class TestMissingIdentifiersAreNotEqual:
    def test_series_without_an_identifier(self, tmp_path: Path) -> None:
        for number in (6, 9):
            write_series(tmp_path / "s", VOXELS + number, SeriesInstanceUID="", SeriesNumber=number)
        first, second = open_scan(tmp_path / "s")
        assert_array_equal(first.read(), VOXELS + 6)
        assert_array_equal(second.read(), VOXELS + 9)
        assert first.info.name != second.info.name

    def test_one_identifier_for_everything(self, tmp_path: Path) -> None:
        for number in (6, 9):
            write_series(tmp_path / "s", VOXELS + number, SeriesNumber=number, SOPInstanceUID="1.2.3")
        assert [scan.shape for scan in open_scan(tmp_path / "s")] == [VOXELS.shape] * 2

    def test_animals_without_identifiers_in_folders_of_their_own(self, tmp_path: Path) -> None:
        nothing = {"SeriesInstanceUID": "", "SeriesNumber": None, "PatientID": "", "SOPInstanceUID": ""}
        for name in ("mouse1", "mouse2"):
            write_series(tmp_path / name, VOXELS, **nothing)
        assert [scan.shape for scan in open_scan(tmp_path)] == [VOXELS.shape] * 2

    def test_magnitude_phase_real_and_imaginary_of_one_series(self, tmp_path: Path) -> None:
        kinds = ("SW_M_FFE", "SW_P_FFE", "R_FFE", "I_FFE")
        for k, kind in enumerate(kinds):
            for z in range(2):
                where = {"ImagePositionPatient": [0, z, 0], "ImageType": ["ORIGINAL", "PRIMARY", kind, "FFE"]}
                write(tmp_path / f"{k}{z}.dcm", VOXELS[z] + 1000 * k, **where)
        scans = {scan.info.name.split()[-1]: scan for scan in open_scan(tmp_path)}
        assert set(scans) == set(kinds)
        for k, kind in enumerate(kinds):
            assert_array_equal(scans[kind].read(), VOXELS[:2] + 1000 * k)

    def test_components_of_an_enhanced_file(self, tmp_path: Path) -> None:
        frames = [
            item(
                PlanePositionSequence=[item(ImagePositionPatient=[0.0, float(z), 0.0])],
                MRImageFrameTypeSequence=[item(FrameType=["ORIGINAL", "PRIMARY"], ComplexImageComponent=component)],
            )
            for z in (1, 0)
            for component in ("PHASE", "MAGNITUDE")
        ]
        more = {"NumberOfFrames": 4, "PerFrameFunctionalGroupsSequence": frames}
        scans = {s.info.name.split()[-1]: s.read() for s in open_scan(write(tmp_path / "a.dcm", VOXELS, **more))}
        assert_array_equal(scans["PHASE"], VOXELS[[2, 0]])
        assert_array_equal(scans["MAGNITUDE"], VOXELS[[3, 1]])

    @pytest.mark.parametrize("lacking", ["ImagePositionPatient", "ImageOrientationPatient"])
    @pytest.mark.parametrize("numbered", [True, False])
    def test_slices_without_a_place(self, tmp_path: Path, lacking: str, numbered: bool) -> None:
        for k, pixels in enumerate(VOXELS):
            where = {"ImagePositionPatient": [0, 0.6 * k, 0], lacking: None}
            write(tmp_path / f"{k + 8}.dcm", pixels, **where, InstanceNumber=20 - k if numbered else None)
        (scan,) = open_scan(tmp_path)
        assert scan.info.direction is None
        assert_array_equal(scan.read(), VOXELS[::-1] if numbered else VOXELS)
        assert ("InstanceNumber" if numbered else "names") in told(tmp_path)

    def test_a_voxel_size_that_is_not_stated_is_told(self, tmp_path: Path) -> None:
        write(tmp_path / "a.dcm", VOXELS[0], PixelSpacing=None, SliceThickness=None)
        assert open_scan(tmp_path / "a.dcm")[0].info.voxel_size == (1, 1, 1)
        assert "pixels" in told(tmp_path / "a.dcm") and "thick" in told(tmp_path / "a.dcm")
        zarr.create_array(tmp_path / "a.zarr", data=VOXELS)
        assert "1 mm" in told(tmp_path / "a.zarr")


class TestWeightingsOfTheMakers:
    """Classic images have no element for b-values, so that each maker has its own."""

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    @pytest.mark.parametrize("maker", ["Siemens", "Philips", "GE"])
    def test_b_values_and_directions(self, tmp_path: Path, maker: str, syntax: str) -> None:
        b_values, gradient = (0, 50, 800), (0.6, 0.0, -0.8)
        for t, b in enumerate(b_values):
            for z in range(2):
                dataset = header(ImagePositionPatient=[0, z, 0], InstanceNumber=t)
                if maker == "Siemens":
                    block = dataset.private_block(0x19, "SIEMENS MR HEADER", create=True)
                    block.add_new(0x0C, "IS", b)
                    block.add_new(0x0E, "FD", list(gradient))
                elif maker == "Philips":
                    dataset.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", b)
                    block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
                    for k, part in enumerate(gradient):
                        block.add_new(0xB0 + k, "FL", part)
                else:
                    dataset.private_block(0x43, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [10**9 + b, 8, 0, 0])
                dataset.file_meta.TransferSyntaxUID = syntax
                dataset.PixelData = (VOXELS[z] + t).tobytes()
                dataset.save_as(tmp_path / f"{t}{z}.dcm", enforce_file_format=True)
        (scan,) = open_scan(tmp_path)
        assert (scan.info.axes, scan.info.b_values) == ("bzyx", b_values)
        assert_array_equal(scan.read(), np.stack([VOXELS[:2] + t for t in range(3)]))
        if maker != "GE":
            assert scan.info.b_directions is not None
            assert_allclose(scan.info.b_directions[2], np.array(gradient) * [-1, -1, 1], rtol=1e-6)

    @pytest.mark.parametrize(("name", "word"), [("EchoTime", "echo"), ("InversionTime", "inversion")])
    def test_an_axis_that_is_no_mere_time_is_told(self, tmp_path: Path, name: str, word: str) -> None:
        for t, value in enumerate((300, 20)):
            for z in range(2):
                said = {"ImagePositionPatient": [0, z, 0], "InstanceNumber": t, name: value}
                write(tmp_path / f"{t}{z}.dcm", VOXELS[z] + t, **said)
        assert_array_equal(open_scan(tmp_path)[0].read()[:, 0], [VOXELS[0] + 1, VOXELS[0]])
        assert f"2 {word} times (20, 300 ms)" in told(tmp_path)


class TestTheSameImageTwice:
    @pytest.mark.parametrize("identifier", ["kept", "none"])
    @pytest.mark.parametrize("copied", [1, 4])
    def test_copied_files_count_once(self, tmp_path: Path, identifier: str, copied: int) -> None:
        write_series(tmp_path / "s", **({} if identifier == "kept" else {"SOPInstanceUID": ""}))
        for file in sorted((tmp_path / "s").glob("*.dcm"))[:copied]:
            shutil.copy(file, file.with_name(f"{file.stem}(1).dcm"))
        (scan,) = open_scan(tmp_path / "s")
        assert_array_equal(scan.read(), VOXELS)
        assert "copies" in told(tmp_path / "s")

    def test_one_identifier_with_two_images_is_told(self, tmp_path: Path) -> None:
        write_series(tmp_path / "s")
        dataset = pydicom.dcmread(tmp_path / "s/7_0.dcm")
        dataset.PixelData = (VOXELS[0] + 1).tobytes()
        dataset.save_as(tmp_path / "s/7_0x.dcm")
        assert_array_equal(open_scan(tmp_path / "s")[0].read(), VOXELS)
        assert "another image" in told(tmp_path / "s")

    def test_repetitions_are_no_copies(self, tmp_path: Path) -> None:
        for number in (1, 2):
            for k in range(2):
                where = {"ImagePositionPatient": [0, k, 0], "AcquisitionNumber": number, "InstanceNumber": k + 1}
                write(tmp_path / f"{number}{k}.dcm", VOXELS[0], **where)
        assert open_scan(tmp_path)[0].shape == (2, 2, 6, 5)


class TestToleranceNotRounding:
    @given(
        distance=st.floats(0.05, 5),
        jitter=st.floats(0, 0.01),
        drift=st.floats(0, 0.004),
        start=st.floats(-200, 200),
        seed=st.integers(0, 99),
    )
    def test_a_jittering_series_keeps_its_slices(
        self, distance: float, jitter: float, drift: float, start: float, seed: int
    ) -> None:
        from napari_micromri.io.dicom_series import stacks_of

        rng = np.random.default_rng(seed)
        places = start + distance * np.arange(4) + distance * drift * np.arange(5)[:, None]
        places = places + distance * jitter * rng.uniform(-1, 1, (5, 4))
        images = [self.image(places[t, z], t, distance) for t in range(5) for z in range(4)]
        stacks, _ = stacks_of([images[k] for k in rng.permutation(20)])
        assert [len(stack) for stack in stacks] == [5] * 4
        for z, stack in enumerate(stacks):
            assert [i.order[0] for i in stack] == list(range(5))
            assert_allclose([i.position[2] for i in stack if i.position is not None], places[:, z])

    def image(self, place: float, time: int, distance: float) -> Any:
        from napari_micromri.io.dicom_headers import DicomImage

        fields: dict[str, Any] = dict.fromkeys(DicomImage.__dataclass_fields__)
        fields |= {"file": Path("a.dcm"), "number": 1, "order": (time,), "frame": 0, "thickness": distance}
        fields |= {"position": np.array([0, 0, place]), "axes": np.eye(3)[:2], "spacing": (0.1, 0.1)}
        return DicomImage(**fields)

    @pytest.mark.parametrize("jitter", [0.0, 1e-4, -1e-4])
    def test_a_direction_at_the_edge_of_rounding(self, tmp_path: Path, jitter: float) -> None:
        for k, pixels in enumerate(VOXELS):
            angle = 0.0005 + (jitter if k % 2 else 0)
            turned = [np.cos(angle), np.sin(angle), 0, 0, 0, -1]
            where = {"ImageOrientationPatient": turned, "ImagePositionPatient": [0, 0.6 * k, 0]}
            write(tmp_path / f"{k}.dcm", pixels, **where, PixelSpacing=[0.100005 + jitter / 100, 0.2])
        (scan,) = open_scan(tmp_path)
        assert_array_equal(scan.read(), VOXELS)

    def test_one_slice_over_time(self, tmp_path: Path) -> None:
        for k, pixels in enumerate(VOXELS):
            write(tmp_path / f"{k}.dcm", pixels, ImagePositionPatient=[0, 3 + 1e-4 * (k % 2), 0], InstanceNumber=k)
        (scan,) = open_scan(tmp_path)
        assert (scan.info.axes, scan.shape) == ("tzyx", (4, 1, 6, 5))
        assert_array_equal(scan.read()[:, 0], VOXELS)

    def test_a_hole_between_slices_is_no_repetition(self, tmp_path: Path) -> None:
        for k, place in enumerate((0.0, 0.5, 20.0, 20.5)):
            write(tmp_path / f"{k}.dcm", VOXELS[k], ImagePositionPatient=[0, place, 0])
        assert open_scan(tmp_path)[0].shape == (4, 6, 5)
        assert "missing" in told(tmp_path)

    def test_slices_that_wander_are_refused(self, tmp_path: Path) -> None:
        for t in range(16):
            for z in range(2):
                write(tmp_path / f"{t}{z}.dcm", VOXELS[0], ImagePositionPatient=[0, z + 0.04 * t, 0], InstanceNumber=t)
        with pytest.raises(ReadError, match="move"):
            open_scan(tmp_path)

    def test_packages_of_paravision_keep_a_jittering_orientation(self, tmp_path: Path) -> None:
        turned = [(1, 0, 0, 0, 1, 0, 0, 0, 1), (1, 2e-4, 0, -2e-4, 1, 0, 0, 0, 1)]
        Reconstruction(VOXELS[:2].astype("i2"), orientations=turned).write(tmp_path)
        assert open_scan(tmp_path)[0].shape == (2, 6, 5)


class TestHeaderNumbersThatAreNoNumbers:
    @pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999"])
    @pytest.mark.parametrize("name", ["VisuCoreDataSlope", "VisuCoreDataOffs"])
    @pytest.mark.parametrize("layout", ["( 1 )\n{0}", "( 4 )\n1 1 {0} 1", "( 4 )\n@4*({0})"])
    def test_paravision(self, tmp_path: Path, value: str, name: str, layout: str) -> None:
        Reconstruction(VOXELS.astype("i2"), more={name: layout.format(value)}).write(tmp_path)
        with pytest.raises(ReadError, match=f"{name} .* finite number"):
            open_scan(tmp_path)

    def test_a_slope_of_zero_is_told(self, tmp_path: Path) -> None:
        Reconstruction(VOXELS.astype("i2"), slope=[1, 0, 1, 1]).write(tmp_path)
        assert "slope of 0 for 1 frames" in told(tmp_path)

    @pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept"])
    @pytest.mark.parametrize("value", [b"inf", b"-inf", b"nan"])
    def test_dicom(self, tmp_path: Path, name: str, value: bytes) -> None:
        said = {"RescaleSlope": 1, "RescaleIntercept": 0, name: 7777}
        path = write(tmp_path / "a.dcm", VOXELS[0] % 100, **said)
        path.write_bytes(path.read_bytes().replace(b"7777.0", value.ljust(6)))
        with pytest.raises(ReadError, match="can't be known"):
            open_scan(path)

    def test_a_slope_of_zero_in_dicom(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="can't be known"):
            open_scan(write(tmp_path / "a.dcm", VOXELS[0], RescaleSlope=0, RescaleIntercept=5))

    @pytest.mark.parametrize(("scale", "offset"), [(float("inf"), 0), (float("nan"), 0), (1, float("inf")), (0, 1)])
    def test_zarr(self, tmp_path: Path, scale: float, offset: float) -> None:
        array = zarr.create_array(tmp_path / "a.zarr", data=VOXELS)
        array.attrs.update({"scale_factor": scale, "add_offset": offset})
        with pytest.raises(ReadError, match="can't be known"):
            open_scan(tmp_path / "a.zarr")


class TestTransferSyntaxes:
    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
    def test_native_and_deflated(self, tmp_path: Path, syntax: str) -> None:
        dataset = header(ImagePositionPatient=[0, 0, 0])
        dataset.file_meta.TransferSyntaxUID = syntax
        big = syntax == ExplicitVRBigEndian
        dataset.PixelData = VOXELS[0].astype(">u2" if big else "<u2").tobytes()
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        assert_array_equal(open_scan(tmp_path / "a.dcm")[0].read()[0], VOXELS[0])

    def test_run_lengths(self, tmp_path: Path) -> None:
        dataset = header(ImagePositionPatient=[0, 0, 0])
        dataset.PixelData = VOXELS[0].tobytes()
        dataset.compress(RLELossless)
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        assert_array_equal(open_scan(tmp_path / "a.dcm")[0].read()[0], VOXELS[0])

    def test_a_deflated_file_that_lacks_pixels(self, tmp_path: Path) -> None:
        dataset = header(Rows=60)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.PixelData = VOXELS[0].tobytes()
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        with pytest.raises(ReadError, match="lacks"):
            open_scan(tmp_path / "a.dcm")

    def test_pixels_beyond_the_header_are_told(self, tmp_path: Path) -> None:
        write(tmp_path / "a.dcm", VOXELS[:2])
        assert "more pixels" in told(tmp_path / "a.dcm")


class TestMosaics:
    def csa(self, slices: int) -> bytes:
        """Siemens' header in its second layout, with the two elements that a mosaic needs."""

        def element(name: str, vr: str, *values: str) -> bytes:
            head = struct.pack("<64si4siii", name.encode(), 0, vr.encode(), 0, 6, 77)
            items = [v.encode() + b"\0" * (-len(v) % 4) for v in [*values, *[""] * (6 - len(values))]]
            sizes = [len(v) for v in [*values, *[""] * (6 - len(values))]]
            return head + b"".join(struct.pack("<4i", n, n, 77, n) + v for n, v in zip(sizes, items, strict=True))

        normal = element("SliceNormalVector", "FD", "0.0", "1.0", "0.0")
        matrix = element("AcquisitionMatrixText", "SH", "6p*5")
        count = element("NumberOfImagesInMosaic", "US", str(slices))
        return b"SV10\4\3\2\1" + struct.pack("<2I", 3, 77) + matrix + count + normal

    def write(self, path: Path, *, with_csa: bool = True) -> np.ndarray:
        slices = np.arange(3 * 6 * 5, dtype="u2").reshape(3, 6, 5)
        tiled = np.zeros((12, 10), "u2")
        for k, pixels in enumerate(slices):
            tiled[k // 2 * 6 : k // 2 * 6 + 6, k % 2 * 5 : k % 2 * 5 + 5] = pixels
        dataset = header(
            Rows=12, Columns=10, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"], SpacingBetweenSlices=0.6
        )
        dataset.ImagePositionPatient = [-10, 3, 5]
        if with_csa:
            block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
            block.add_new(0x10, "OB", self.csa(3))
        dataset.PixelData = tiled.tobytes()
        dataset.save_as(path, enforce_file_format=True)
        return slices

    def test_unpacked_as_nibabel_does(self, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="experimental"):
            from nibabel.nicom.dicomwrappers import wrapper_from_file

        slices = self.write(tmp_path / "a.dcm")
        (scan,) = open_scan(tmp_path / "a.dcm")
        assert_array_equal(scan.read(), slices)
        assert_allclose(scan.info.voxel_size, (0.6, 0.1, 0.2))
        reference = wrapper_from_file(tmp_path / "a.dcm")
        at = reference.affine @ [4, 2, 1, 1]  # row, column, slice, in LPS
        value = reference.get_data()[4, 2, 1]
        z, y, x = np.argwhere(scan.read() == value)[0]
        assert_allclose(affine_of(scan.info) @ [x, y, z, 1], at * [-1, -1, 1, 1], atol=1e-6)

    def test_refused_without_siemens_own_header(self, tmp_path: Path) -> None:
        self.write(tmp_path / "a.dcm", with_csa=False)
        with pytest.raises(ReadError, match="mosaic"):
            open_scan(tmp_path / "a.dcm")


class TestNamedMaps:
    """Results of a fit in one reconstruction are maps with names, no diffusion weightings and no time."""

    def maps(self, group: str, **names: str) -> dict[str, str]:
        depending = " ".join(f"(<{name}>, 0)" for name in names)
        texts = {name: f"( 3, 65 )\n<{value.replace(',', '> <')}>" for name, value in names.items()}
        return {
            "VisuFGOrderDescDim": "2",
            "VisuFGOrderDesc": f"( 2 )\n(2, <FG_SLICE>, <>, 0, 0) (3, <{group}>, <>, 0, {len(names)})",
            "VisuGroupDepVals": f"( {len(names)} )\n{depending}",
            **texts,
        }

    @pytest.mark.parametrize("group", ["FG_DTI", "FG_ISA"])
    @pytest.mark.parametrize("named", [True, False])
    def test_each_map_is_a_scan(self, tmp_path: Path, group: str, named: bool) -> None:
        stored = np.arange(6 * 30, dtype="i2").reshape(6, 6, 5)
        more = self.maps(group, **({"VisuFGElemComment": "ADC,FA,trace"} if named else {}))
        Reconstruction(stored, groups=((2, "FG_SLICE"), (3, group)), more=more).write(tmp_path)
        scans = open_scan(tmp_path)
        expected = ["ADC", "FA", "trace"] if named else ["map 1", "map 2", "map 3"]
        for k, (scan, name) in enumerate(zip(scans, expected, strict=True)):
            assert (scan.info.axes, scan.info.b_values) == ("zyx", None)
            assert scan.info.name.endswith(name)
            assert_array_equal(scan.read(), stored[2 * k : 2 * k + 2])  # the slices vary fastest


class TestLengthsInOtherUnits:
    @pytest.mark.parametrize(("unit", "millimetres"), [("cm", 10), ("um", 1e-3), ("m", 1e3), ("mm", 1)])
    def test_paravision(self, tmp_path: Path, unit: str, millimetres: float) -> None:
        more = {"VisuCoreUnits": f"( 2, 65 )\n<{unit}> <{unit}>"}
        Reconstruction(VOXELS.astype("i2"), extent=(30.0, 24.0), more=more).write(tmp_path)
        (scan,) = open_scan(tmp_path)
        assert_allclose(scan.info.voxel_size[1:], np.array([24 / 6, 30 / 5]) * millimetres)

    def test_what_is_no_length_is_refused(self, tmp_path: Path) -> None:
        Reconstruction(VOXELS.astype("i2"), more={"VisuCoreUnits": "( 2, 65 )\n<ppm> <ppm>"}).write(tmp_path)
        with pytest.raises(ReadError, match="ppm"):
            open_scan(tmp_path)


class TestNotDownloaded:
    POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"

    @pytest.mark.parametrize("name", ["a.nii.gz", "a.dcm", "a.tif", "a.nrrd", "a.mnc"])
    def test_a_pointer_of_git_lfs(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(self.POINTER)
        with pytest.raises(ReadError, match="git lfs pull"):
            open_scan(tmp_path / name)

    def test_a_series_of_pointers(self, tmp_path: Path) -> None:
        write_series(tmp_path / "s")
        (tmp_path / "s/7_1.dcm").write_bytes(self.POINTER)
        with pytest.raises(ReadError, match="git lfs pull"):
            open_scan(tmp_path / "s/7_1.dcm")

    def test_a_link_of_git_annex_to_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.nii").symlink_to(tmp_path / ".git/annex/objects/x")
        with pytest.raises(ReadError, match="git annex get"):
            open_scan(tmp_path / "a.nii")


class TestCoordinatesOfXarray:
    def store(self, path: Path, zarr_format: Any, places: dict[str, Any], unit: str = "um") -> Path:
        group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
        names = list(places)
        for name, values in places.items():
            self.array(group, name, np.asarray(values, float), [name], units=unit)
        shape = [len(values) for values in places.values()]
        self.array(group, "image", np.arange(np.prod(shape)).reshape(shape), names)
        self.array(group, "labels", np.array("mouse 7"), [])  # a member that is no image
        return path

    def array(self, group: Any, name: str, values: np.ndarray, names: list[str], **attributes: str) -> None:
        if group.metadata.zarr_format == 3:
            array = group.create_array(name, data=values, dimension_names=names)
        else:
            array = group.create_array(name, data=values)
            attributes["_ARRAY_DIMENSIONS"] = names
        array.attrs.update(attributes)

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    def test_voxel_size_and_place(self, tmp_path: Path, zarr_format: Any) -> None:
        places = {"z": [600, 1200, 1800], "y": [50, 250], "x": [400, 300, 200, 100]}
        (scan,) = open_scan(self.store(tmp_path / "a.zarr", zarr_format, places))
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1))
        # x runs backwards: it is turned, so that its first voxel is the one at 0.1 mm.
        assert_allclose(scan.info.origin, (0.6, 0.05, 0.1))
        assert_array_equal(scan.read(), np.arange(24).reshape(3, 2, 4)[:, :, ::-1])
        assert "labels" in told(tmp_path / "a.zarr")

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    def test_b_values_and_times(self, tmp_path: Path, zarr_format: Any) -> None:
        places = {"time": [0, 1500, 3000], "b_value": [0, 10, 800], "y": [0, 1], "x": [0, 1]}
        path = self.store(tmp_path / "a.zarr", zarr_format, places)
        group = zarr.open_group(path, mode="a")
        for name, unit in (("time", "ms"), ("b_value", "s/mm^2")):
            group[name].attrs["units"] = unit
        info = open_scan(path)[0].info
        assert (info.axes, info.time_step, info.b_values) == ("tbyx", 1.5, (0, 10, 800))

    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    @pytest.mark.parametrize(("places", "unit"), [([0, 1, 5], "mm"), ([0, 0, 0], "mm"), ([0, 1, 2], "furlong")])
    def test_places_that_say_nothing_are_told(self, tmp_path: Path, places: list[float], unit: str) -> None:
        path = self.store(tmp_path / "a.zarr", 3, {"z": [0, 1], "y": [0, 1], "x": places}, unit)
        assert "1 mm" in told(path)

    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize(("places", "start"), [([3.0], 3.0), ([0.0, 1.0, 5.0], 0.0)])
    def test_one_axis_without_a_size(self, tmp_path: Path, zarr_format: Any, places: list[float], start: float) -> None:
        known = {"y": [0.5, 0.7], "x": [0, 0.1, 0.2]}
        path = self.store(tmp_path / "a.zarr", zarr_format, {"z": places, **known}, "mm")
        (scan,) = open_scan(path)
        assert_allclose(scan.info.voxel_size, (1, 0.2, 0.1))
        assert_allclose(scan.info.origin, (start, 0.5, 0))
        assert "along z; 1 mm" in told(path) and not scan.info.unsized

    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    def test_one_dimension_of_another_name(self, tmp_path: Path) -> None:
        places = {"y": [0, 0.2], "x": [0, 0.1, 0.2], "z": [0, 0.6], "flip": [5, 20]}
        (scan,) = open_scan(self.store(tmp_path / "a.zarr", 3, places, "mm"))
        assert scan.info.axes == "tzyx" and "flip" in told(tmp_path / "a.zarr")
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1))
        assert_array_equal(scan.read(), np.arange(24).reshape(2, 3, 2, 2).transpose(3, 2, 0, 1))

    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    def test_places_without_a_unit(self, tmp_path: Path) -> None:
        path = self.store(tmp_path / "a.zarr", 3, {"z": [0, 0.6], "y": [0, 0.2], "x": [0, 0.1]}, "")
        assert_allclose(open_scan(path)[0].info.voxel_size, (0.6, 0.2, 0.1))
        assert "mm is taken" in told(path)
        counted = self.store(tmp_path / "b.zarr", 3, {"z": [0, 1], "y": [0, 1], "x": [0, 1]}, "")
        assert open_scan(counted)[0].info.unsized

    @pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
    def test_b_values_in_an_unknown_unit_are_told(self, tmp_path: Path) -> None:
        path = self.store(tmp_path / "a.zarr", 3, {"b_value": [0, 800], "y": [0, 1], "x": [0, 1]}, "furlong")
        assert open_scan(path)[0].info.b_values is None
        assert "b_value was left out" in told(path)


class TestDiffusionDirections:
    @given(seed=st.integers(0, 10_000), mirrored=st.booleans())
    def test_fsl_and_back(self, seed: int, mirrored: bool) -> None:
        from scipy.spatial.transform import Rotation

        from napari_micromri.io.nifti_sidecars import sidecar_texts
        from napari_micromri.scan import ScanInfo

        rng = np.random.default_rng(seed)
        axes = Rotation.from_quat(rng.normal(size=4)).as_matrix() * [1, 1, -1 if mirrored else 1]
        directions = rng.normal(size=(4, 3))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        info = ScanInfo(name="a", axes="bzyx", voxel_size=(1, 1, 1), b_directions=tuple(map(tuple, directions)))
        affine = np.eye(4)
        affine[:3, :3] = axes * [0.1, 0.2, 0.6]
        text = sidecar_texts(info, affine)[1]
        assert text is not None
        written = np.array([[float(word) for word in line.split()] for line in text.splitlines()])
        # By FSL's description: voxel axes, and the first is reversed unless the image is stored "radiologically",
        # with a negative determinant.
        along = np.array([axes[:, k] @ directions.T for k in range(3)])
        assert_allclose(written, along * [[1 if mirrored else -1], [1], [1]], atol=1e-6)

    def test_dicom_counts_to_left_and_posterior(self, tmp_path: Path) -> None:
        gradients = [[0.0, 0, 0], [1.0, 0, 0], [0, 0.6, 0.8]]
        for k, gradient in enumerate(gradients):
            diffusion = {"DiffusionBValue": 0.0 if k == 0 else 800.0, "DiffusionGradientOrientation": gradient}
            where = {"ImagePositionPatient": [0, 0, 0], "InstanceNumber": k + 1, "AcquisitionNumber": k + 1}
            write(tmp_path / f"{k}.dcm", VOXELS[k], **diffusion, **where)
        (scan,) = open_scan(tmp_path)
        assert (scan.info.axes, scan.info.b_values) == ("bzyx", (0, 800, 800))
        assert_allclose(scan.info.b_directions, [[0, 0, 0], [-1, 0, 0], [0, -0.6, 0.8]])
        assert_array_equal(scan.read()[:, 0], VOXELS[:3])


class TestTimeStep:
    @pytest.mark.parametrize("ending", [".ome.zarr", ".nii.gz"])
    @pytest.mark.parametrize("step", [2.5, None])
    def test_kept(self, tmp_path: Path, make_scan: Callable[..., Scan], ending: str, step: float | None) -> None:
        from napari_micromri.io import save_scan

        path = save_scan(make_scan((2, 3, 6, 6), "tzyx", time_step=step), tmp_path / f"a{ending}")
        assert open_scan(path)[0].info.time_step == step

    @pytest.mark.parametrize(("unit", "seconds"), [("second", 2.5), ("millisecond", 0.0025)])
    def test_units_of_ome_zarr(self, tmp_path: Path, unit: str, seconds: float) -> None:
        group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=3)
        group.create_array("0", data=np.zeros((2, 3, 4, 5), "u2"))
        axes: list[dict[str, str]] = [{"name": "t", "type": "time", "unit": unit}]
        axes += [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
        scale = {"type": "scale", "scale": [2.5, 0.6, 0.1, 0.1]}
        image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
        assert open_scan(tmp_path / "a.ome.zarr")[0].info.time_step == pytest.approx(seconds)


class TestWhatIsLostOrDoubled:
    """Whatever is missing or copied: what is left is right, and the rest is told."""

    @given(lost=st.sets(st.integers(0, 5), max_size=5))
    def test_missing_pieces(self, lost: set[int]) -> None:
        values = np.arange(1, 25, dtype="u2").reshape(6, 2, 2)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.zarr"
            zarr.create_array(path, data=values, chunks=(1, 2, 2))
            for k in lost:
                shutil.rmtree(path / f"c/{k}")
            (scan,) = open_scan(path)
            left = [k for k in range(6) if k not in lost]
            assert_array_equal(scan.read()[left], values[left])
            text = " ".join(scan.info.warnings)
            assert (f"{len(lost)} of 6" in text) == bool(lost)


class TestWhatVoxelsAre:
    """The header, else the name, says what a scan shows, so that a phase is never taken for a magnitude."""

    @pytest.mark.parametrize(
        ("words", "quantity"),
        [
            (["ORIGINAL", "PRIMARY", "M", "ND", "NORM"], "magnitude"),
            (["ORIGINAL", "PRIMARY", "P", "ND"], "phase"),
            (["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "phase"),
            (["ORIGINAL", "PRIMARY", "R_IR", "R", "IR"], "real part"),
            (["ORIGINAL", "PRIMARY", "I", "ND"], "imaginary part"),
            (["ORIGINAL", "PRIMARY", "T1 MAP", "T1", "UNSPECIFIED"], "map"),
            (["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"], "map"),
            (["DERIVED", "PRIMARY", "B0 MAP", "B0"], "field map"),
            (["ORIGINAL", "PRIMARY", "OTHER"], None),
            (["P", "M"], None),
        ],
    )
    def test_image_types_of_dicom(self, tmp_path: Path, words: list[str], quantity: str | None) -> None:
        (scan,) = open_scan(write(tmp_path / "a.dcm", VOXELS[0], ImageType=words))
        assert scan.info.quantity == quantity

    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
    def test_components_that_ge_names_in_an_element_of_its_own(self, tmp_path: Path, syntax: str) -> None:
        for number, offset in ((0, 0), (2, 100)):
            dataset = header(ImageType=["ORIGINAL", "PRIMARY", "OTHER"], ImagePositionPatient=[0, 0, 0])
            dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", number)
            dataset.file_meta.TransferSyntaxUID = syntax
            order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
            dataset.PixelData = (VOXELS[0] + offset).astype(order).tobytes()
            dataset.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        scans = {scan.info.quantity: scan for scan in open_scan(tmp_path)}
        assert_array_equal(scans["magnitude"].read()[0], VOXELS[0])
        assert_array_equal(scans["real part"].read()[0], VOXELS[0] + 100)

    @pytest.mark.parametrize(
        ("kind", "quantity"),
        [("MAGNITUDE", "magnitude"), ("PHASE", "phase"), ("REAL", "real part"), ("IMAGINARY", "imaginary part")],
    )
    def test_frame_types_of_paravision(self, tmp_path: Path, kind: str, quantity: str) -> None:
        Reconstruction(VOXELS.astype("i2"), more={"VisuCoreFrameType": f"{kind}_IMAGE"}).write(tmp_path)
        assert open_scan(tmp_path)[0].info.quantity == quantity

    @pytest.mark.parametrize(
        ("name", "said", "quantity"),
        [
            ("sub-1_part-phase_T2w", {}, "phase"),
            ("sub-1_phasediff", {}, "phase"),
            ("scan_3_ph", {}, "phase"),
            ("sub-1_fieldmap", {}, "field map"),
            ("sub-1_T1map", {}, "map"),
            ("sub-1_magnitude1", {}, "magnitude"),
            ("sub-1_T2w", {}, None),
            ("mouse_real_phantom", {}, None),
            ("sub-1_T2w", {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND", "PHASE"]}, "phase"),
            ("sub-1_T2w", {"Units": "Hz"}, "field map"),
            ("sub-1_part-phase_T2w", {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]}, "magnitude"),
            ("sub-1_T2w", {"ImageType": "P", "Units": None}, None),
        ],
    )
    def test_names_and_sidecars_of_bids(
        self, tmp_path: Path, name: str, said: dict[str, Any], quantity: str | None
    ) -> None:
        nib.save(nib.Nifti1Image(VOXELS, np.eye(4)), tmp_path / f"{name}.nii")
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
        assert open_scan(tmp_path / f"{name}.nii")[0].info.quantity == quantity

    @pytest.mark.parametrize(("code", "quantity"), [("label", "labels"), ("t test", "map"), ("none", None)])
    def test_intents_of_nifti(self, tmp_path: Path, code: str, quantity: str | None) -> None:
        image = nib.Nifti1Image(VOXELS, np.eye(4))
        image.header.set_intent(code, (3.0,) if code == "t test" else ())
        nib.save(image, tmp_path / "a.nii")
        assert open_scan(tmp_path / "a.nii")[0].info.quantity == quantity

    def test_it_is_kept(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        from napari_micromri.io import save_scan

        for ending in (".nii.gz", ".ome.zarr"):
            path = save_scan(make_scan((3, 6, 6), quantity="phase"), tmp_path / f"a{ending}")
            assert open_scan(path)[0].info.quantity == "phase"

    def test_times_and_protocol_of_a_sidecar(self, tmp_path: Path) -> None:
        nib.save(nib.Nifti1Image(VOXELS, np.eye(4)), tmp_path / "a.nii")
        said = {"RepetitionTime": 4, "EchoTime": 0.0371, "ProtocolName": "RARE coronal", "NumberOfAverages": 5}
        (tmp_path / "a.json").write_text(json.dumps(said))
        info = open_scan(tmp_path / "a.nii")[0].info
        assert (info.repetition_time, info.echo_time) == pytest.approx((4000, 37.1))
        assert (info.protocol, info.averages, info.plane) == ("RARE coronal", 5, "coronal")


class TestContradictions:
    """Where a file says two things, one is taken, and it is told."""

    @pytest.mark.parametrize(("moved", "doubted"), [(0.0, False), (0.01, False), (5.0, True)])
    def test_two_places_of_nifti(self, tmp_path: Path, moved: float, doubted: bool) -> None:
        image = nib.Nifti1Image(VOXELS, np.diag([0.1, 0.2, 0.6, 1]))
        other = image.affine.copy()
        other[1, 3] += moved
        image.set_qform(other, 1)
        image.set_sform(image.affine, 2)
        nib.save(image, tmp_path / "a.nii")
        (scan,) = open_scan(tmp_path / "a.nii")
        assert ("sform and qform" in " ".join(scan.info.warnings)) == doubted
        assert_allclose(np.abs(affine_of(scan.info)[:3, 3]), np.abs(nib.load(tmp_path / "a.nii").affine[:3, 3]))

    @pytest.mark.parametrize(("pixdim", "doubted"), [((0.1, 0.2, 0.6), False), ((1.0, 2.0, 6.0), True)])
    def test_an_sform_alone_beside_another_voxel_size(
        self, tmp_path: Path, pixdim: tuple[float, ...], doubted: bool
    ) -> None:
        image = nib.Nifti1Image(VOXELS.T, np.diag([0.1, 0.2, 0.6, 1]))
        image.set_qform(None, 0)
        image.set_sform(image.affine, 2)
        nib.save(image, tmp_path / "a.nii")
        content = bytearray((tmp_path / "a.nii").read_bytes())
        content[80:92] = struct.pack("<3f", *pixdim)
        (tmp_path / "a.nii").write_bytes(content)
        assert_allclose(open_scan(tmp_path / "a.nii")[0].info.voxel_size, (0.6, 0.2, 0.1), rtol=1e-6)
        assert ("two voxel sizes" in told(tmp_path / "a.nii")) == doubted

    @pytest.mark.parametrize(("repetition", "doubted"), [(3.0, False), (3.001, False), (2.0, True), (3000, True)])
    def test_the_time_per_volume_of_a_sidecar(self, tmp_path: Path, repetition: float, doubted: bool) -> None:
        image = nib.Nifti1Image(np.zeros((5, 4, 3, 2), "i2"), np.eye(4))
        image.header.set_xyzt_units("mm", "sec")
        image.header["pixdim"][4] = 3
        nib.save(image, tmp_path / "a.nii")
        (tmp_path / "a.json").write_text(json.dumps({"RepetitionTime": repetition}))
        (scan,) = open_scan(tmp_path / "a.nii")
        assert scan.info.time_step == 3
        assert ("RepetitionTime" in told(tmp_path / "a.nii")) == doubted
        assert scan.info.repetition_time == (None if repetition == 3000 else 1000 * repetition)

    def test_axes_that_are_no_right_angles_are_told(self, tmp_path: Path) -> None:
        for name, lean in (("straight", 1e-4), ("leaning", 0.1)):
            affine = np.diag([0.1, 0.2, 0.6, 1.0])
            affine[0, 1] = 0.2 * lean
            nib.save(nib.Nifti1Image(VOXELS, affine), tmp_path / f"{name}.nii")
        assert not told(tmp_path / "straight.nii")
        assert "5.7 degrees" in told(tmp_path / "leaning.nii")

    def test_values_in_the_upper_bits_of_dicom_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="upper bits"):
            open_scan(write(tmp_path / "a.dcm", (VOXELS[0] % 4096) << 4, BitsStored=12, HighBit=15))

    def test_a_second_image_of_ome_zarr_is_told(self, tmp_path: Path) -> None:
        group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=3)
        group.create_array("0", data=VOXELS)
        axes = [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
        level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}] * 2}
        assert "left out" in told(tmp_path / "a.ome.zarr")

    def test_lengths_in_british_spelling(self, tmp_path: Path) -> None:
        group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=3)
        group.create_array("0", data=VOXELS)
        axes = [{"name": name, "type": "space", "unit": "micrometre"} for name in "zyx"]
        scale = {"type": "scale", "scale": [600, 200, 100]}
        image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
        (scan,) = open_scan(tmp_path / "a.ome.zarr")
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1))
        assert not scan.info.warnings


class TestEveryKindByChance:
    """What other examples of a kind may look like: values are drawn, and what is right is worked out another way."""

    @given(
        dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]),
        slope=st.floats(1e-4, 100).filter(lambda v: float(f"{v:.6g}") > 0),
        offset=st.integers(-1000, 1000),
        seed=st.integers(0, 99),
    )
    @settings(max_examples=20)
    def test_declared_type_and_scale_of_dicom(self, dtype: str, slope: float, offset: int, seed: int) -> None:
        info, slope = np.iinfo(dtype), float(f"{slope:.6g}")
        pixels = np.random.default_rng(seed).integers(info.min, info.max, (6, 5), dtype, endpoint=True)
        bits = {"BitsAllocated": info.bits, "BitsStored": info.bits, "HighBit": info.bits - 1}
        said = bits | {"PixelRepresentation": int(info.min < 0), "RescaleSlope": slope, "RescaleIntercept": offset}
        with tempfile.TemporaryDirectory() as folder:
            (scan,) = open_scan(write(Path(folder) / "a.dcm", pixels, **said))
            assert_allclose(
                scan.read()[0], pixels * np.float64(slope) + offset, rtol=1e-5, atol=1e-5 * abs(offset) + 1e-4
            )

    @given(
        slope=st.sampled_from([1.0, 0.5, 0.0, float("nan"), float("inf"), -2.0]), offset=st.floats(-1e4, 1e4, width=32)
    )
    @settings(max_examples=20)
    def test_numbers_of_nifti_mean_what_nibabel_says(self, slope: float, offset: float) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.nii"
            nib.save(nib.Nifti1Image(VOXELS.astype("i2"), np.eye(4)), path)
            content = bytearray(path.read_bytes())
            content[112:120] = struct.pack("<2f", slope, offset)
            path.write_bytes(content)
            try:
                (scan,) = open_scan(path)
            except ReadError:
                assert np.isinf(slope)
                return
            assert_allclose(scan.read().T, nib.load(path).get_fdata(), rtol=1e-5, atol=1e-3)

    @given(copies=st.lists(st.integers(0, 3), max_size=4), kept=st.booleans())
    @settings(max_examples=15)
    def test_images_that_are_there_twice(self, copies: list[int], kept: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = sorted(write_series(Path(folder) / "s", **({} if kept else {"SOPInstanceUID": ""})).iterdir())
            for number, k in enumerate(copies):
                shutil.copy(files[k], files[k].with_name(f"{files[k].stem} ({number}).dcm"))
            (scan,) = open_scan(Path(folder) / "s")
            assert_array_equal(scan.read(), VOXELS)
            assert ("copies" in " ".join(scan.info.warnings)) == bool(copies)

    @given(numbers=st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True), named=st.booleans())
    @settings(max_examples=15)
    def test_series_that_lack_an_identifier(self, numbers: list[int], named: bool) -> None:
        uid = {"SeriesInstanceUID": "1.2.3" if named else ""}
        with tempfile.TemporaryDirectory() as folder:
            for number in numbers:
                write_series(Path(folder) / "s", VOXELS[:2] + number, SeriesNumber=number, **uid)
            scans = open_scan(Path(folder) / "s")
            for scan, number in zip(scans, sorted(numbers), strict=True):
                assert_array_equal(scan.read(), VOXELS[:2] + number)
