"""DICOM series, written by the tests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from napari_micromri.errors import ReadError
from napari_micromri.io import can_read, open_scan
from napari_micromri.io.geometry import affine_of
from napari_micromri.study.discovery import glimpse

if TYPE_CHECKING:
    from pathlib import Path

VOXELS = np.random.default_rng(0).integers(0, 3000, (4, 6, 5)).astype(np.uint16)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SERIES = generate_uid()


def header(**values: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    described = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": SERIES,
        "SeriesNumber": 7,
        "Modality": "MR",
        "PatientID": "mouse_07",
        "StudyID": "3",
        "StudyDescription": "thorax-abdomen",
        "ProtocolName": "T2_TurboRARE",
        "ImageOrientationPatient": list(CORONAL),
        "PixelSpacing": [0.1, 0.2],
        "SliceThickness": 0.5,
        "RepetitionTime": 4000,
        "EchoTime": 37.1,
        "NumberOfAverages": 5,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "Rows": 6,
        "Columns": 5,
    }
    for name, value in (described | values).items():
        setattr(dataset, name, value)
    return dataset


def write(path: Path, pixels: np.ndarray, **values: Any) -> Path:
    dataset = header(**values)
    dataset.PixelData = pixels.tobytes()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID or "1.2.3"
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, voxels: np.ndarray = VOXELS, **values: Any) -> Path:
    """Write slices 0.6 mm apart, the file names in an order of their own."""
    folder.mkdir(exist_ok=True)
    for k, pixels in enumerate(voxels):
        where = {"ImagePositionPatient": [-10.0, 0.6 * k, 5.0], "InstanceNumber": 10 - k}
        write(folder / f"{values.get('SeriesNumber', 7)}_{(k * 3) % 7}.dcm", pixels, **(where | values))
    return folder


def test_a_few_files_tell_what_series_a_large_folder_holds(tmp_path: Path) -> None:
    many = np.zeros((20, 6, 5), np.uint16)
    for number, protocol in ((1, "localizer"), (2, "T2_RARE")):
        write_series(tmp_path, many[:4], SeriesNumber=number, ProtocolName=protocol, SeriesInstanceUID=generate_uid())
    assert list(glimpse(tmp_path)) == []  # all are read as soon
    for k in range(12):
        write(tmp_path / f"3_{k}.dcm", many[k], SeriesNumber=3, ProtocolName="DTI", SeriesInstanceUID=generate_uid())
    (tmp_path / "0_notes.txt").write_text("no scan")
    found = list(glimpse(tmp_path))
    assert [one.scan.info.protocol for one in found] == ["localizer", "T2_RARE", "DTI"]
    assert not any(one.whole for one in found)


class TestSeries:
    def test_slices_are_sorted_by_position(self, tmp_path: Path) -> None:
        (scan,) = open_scan(write_series(tmp_path / "s"))
        assert can_read(tmp_path / "s")
        assert (scan.info.axes, scan.dtype) == ("zyx", np.uint16)
        assert_array_equal(scan.read(), VOXELS)
        assert_allclose(scan.info.voxel_size, (0.6, 0.1, 0.2))
        # LPS of the first voxel -10, 0, 5; the next slice lies 0.6 mm towards the back.
        expected = np.array([[-0.2, 0, 0, 10], [0, 0, -0.6, 0], [0, -0.1, 0, 5], [0, 0, 0, 1]])
        assert_allclose(affine_of(scan.info), expected, atol=1e-9)

    def test_everything_that_the_header_says(self, tmp_path: Path) -> None:
        info = open_scan(write_series(tmp_path / "s"))[0].info
        assert info.name == "T2_TurboRARE coronal thorax-abdomen"
        assert (info.subject, info.session, info.region, info.plane) == ("mouse_07", "3", "thorax-abdomen", "coronal")
        assert (info.repetition_time, info.echo_time, info.averages) == (4000, 37.1, 5)

    def test_what_others_show_inverted_is_told_once(self, tmp_path: Path) -> None:
        (scan,) = open_scan(write_series(tmp_path / "s", PhotometricInterpretation="MONOCHROME1"))
        assert_array_equal(scan.read(), VOXELS)
        [told] = scan.info.warnings
        assert "inverted" in told
        assert f"{len(VOXELS) - 1} more files" in told

    def test_date_and_animal(self, tmp_path: Path) -> None:
        said = {"StudyDate": "20240101", "AcquisitionDate": "20240514", "AcquisitionTime": "090807.5"}
        info = open_scan(write_series(tmp_path / "s", **said, AnatomicalOrientationType="QUADRUPED"))[0].info
        assert (info.date, info.quadruped) == ("2024-05-14T09:08:07", True)
        info = open_scan(write_series(tmp_path / "t", SeriesDate="20240513"))[0].info
        assert (info.date, info.quadruped) == ("2024-05-13", False)

    def test_rescaling_may_differ_between_slices(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        folder.mkdir()
        for k in range(4):
            where = {"ImagePositionPatient": [0, 0.6 * k, 0], "RescaleSlope": 0.5 + k, "RescaleIntercept": -2.0}
            write(folder / f"{k}.dcm", VOXELS[k], **where)
        (scan,) = open_scan(folder)
        assert scan.dtype == np.float32
        assert_allclose(scan.read(), VOXELS * (0.5 + np.arange(4))[:, None, None] - 2, rtol=1e-6)

    def test_several_series_are_several_scans(self, tmp_path: Path) -> None:
        write_series(tmp_path / "s")
        write_series(tmp_path / "s", VOXELS[:2], SeriesNumber=3, SeriesInstanceUID=generate_uid(), ProtocolName="FLASH")
        write_series(tmp_path / "s", VOXELS[:3], SeriesNumber=9, SeriesInstanceUID=generate_uid())
        (tmp_path / "s/readme.txt").write_text("not DICOM")
        names = [(s.info.name.split()[0], s.shape[0], s.info.name.split()[-1]) for s in open_scan(tmp_path / "s")]
        assert names == [
            ("FLASH", 2, "thorax-abdomen"),
            ("T2_TurboRARE", 4, "(7)"),
            ("T2_TurboRARE", 3, "(9)"),
        ]

    def test_folders_in_a_folder(self, tmp_path: Path) -> None:
        write_series(tmp_path / "a")
        assert can_read(tmp_path)
        assert len(open_scan(tmp_path)) == 1

    def test_orthogonal_planes_of_one_series(self, tmp_path: Path) -> None:
        write_series(tmp_path / "s", VOXELS[:2])
        for k in range(2):
            where = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, k]}
            write(tmp_path / "s" / f"t{k}.dcm", VOXELS[k], **where)
        assert sorted(str(s.info.plane) for s in open_scan(tmp_path / "s")) == ["coronal", "transaxial"]

    def test_diffusion(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        folder.mkdir()
        for k in range(2):
            for j, b in enumerate((800.0, 0.0, 100.0)):
                write(
                    folder / f"{k}{j}.dcm",
                    np.full((6, 5), b + k, np.uint16),
                    DiffusionBValue=b,
                    ImagePositionPatient=[0, k, 0],
                )
        (scan,) = open_scan(folder)
        assert (scan.info.axes, scan.info.b_values) == ("bzyx", (0, 100, 800))
        assert_array_equal(scan.read()[:, :, 0, 0], [[0, 1], [100, 101], [800, 801]])

    def test_echoes_are_time(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        folder.mkdir()
        for k in range(2):
            for echo in (30.0, 10.0):
                name = f"{echo}{k}.dcm"
                write(folder / name, np.full((6, 5), echo, np.uint16), EchoTime=echo, ImagePositionPatient=[0, k, 0])
        (scan,) = open_scan(folder)
        assert scan.info.axes == "tzyx"
        assert_array_equal(scan.read()[:, 0, 0, 0], [10, 30])

    def test_a_missing_slice_is_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_series(tmp_path / "s")
        (tmp_path / "s/7_3.dcm").unlink()
        with caplog.at_level(logging.WARNING, "napari_micromri"):
            assert open_scan(tmp_path / "s")[0].shape == (3, 6, 5)
        assert "missing" in caplog.text

    def test_single_file_of_a_series(self, tmp_path: Path) -> None:
        write_series(tmp_path / "s")
        (scan,) = open_scan(tmp_path / "s/7_0.dcm")
        assert scan.shape == (1, 6, 5)
        assert scan.info.voxel_size[0] == 0.5

    def test_pixels_are_read_when_looked_at(self, tmp_path: Path) -> None:
        (scan,) = open_scan(write_series(tmp_path / "s"))
        (tmp_path / "s/7_0.dcm").unlink()  # of the first slice
        assert_array_equal(scan.data[2].compute(), VOXELS[2])
        with pytest.raises(ReadError, match="read"):
            scan.data[0].compute()

    def test_files_saved_again_are_read_where_their_pixels_lie_now(self, tmp_path: Path) -> None:
        """Headers are kept as long as a file stays the same, and a scan outlives a longer header."""
        before = open_scan(write_series(tmp_path / "s"))[0]
        write_series(tmp_path / "s", VOXELS + 1, PatientID="a longer name", PatientComments="x" * 500)
        assert_array_equal(np.asarray(before.data), VOXELS + 1)
        after = open_scan(tmp_path / "s")[0]
        assert after.info.subject == "a longer name"
        assert_array_equal(np.asarray(after.data), VOXELS + 1)


def item(**values: Any) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def write_frames(path: Path, frames: list[Dataset]) -> None:
    """Write two slices at two times in one file: (t, z) is (0, 0), (0, 1), (1, 0), (1, 1)."""
    for k, frame in enumerate(frames):
        frame.PlanePositionSequence = [item(ImagePositionPatient=[0.0, 0.6 * (k % 2), 0.0])]
        frame.PlaneOrientationSequence = [item(ImageOrientationPatient=list(CORONAL))]
        frame.PixelMeasuresSequence = [item(PixelSpacing=[0.1, 0.1], SliceThickness=0.6)]
    said = {"NumberOfFrames": len(frames), "PerFrameFunctionalGroupsSequence": frames}
    write(path, VOXELS, SOPClassUID=EnhancedMRImageStorage, **said)


def test_frames_stand_in_the_order_of_their_dimensions(tmp_path: Path) -> None:
    places = ([1, 2], [2, 2], [1, 1], [2, 1])
    write_frames(tmp_path / "a.dcm", [item(FrameContentSequence=[item(DimensionIndexValues=p)]) for p in places])
    assert_array_equal(open_scan(tmp_path / "a.dcm")[0].read(), VOXELS[[[2, 3], [0, 1]]])


@pytest.mark.parametrize(
    ("group", "name", "values", "told", "order"),
    [
        ("MRModifierSequence", "InversionTimes", (300.0, 100.0), "inversion times (100, 300 ms)", [[2, 3], [0, 1]]),
        ("MRTimingAndRelatedParametersSequence", "RepetitionTime", (80.0, 40.0), "repetition times (80, 40 ms)", None),
        ("MRTimingAndRelatedParametersSequence", "FlipAngle", (5.0, 20.0), "flip angles (5, 20 degrees)", None),
    ],
)
def test_what_differs_between_frames_is_told(
    tmp_path: Path, group: str, name: str, values: tuple[float, float], told: str, order: Any
) -> None:
    write_frames(tmp_path / "a.dcm", [item(**{group: [item(**{name: values[k // 2]})]}) for k in range(4)])
    (scan,) = open_scan(tmp_path / "a.dcm")
    assert f"2 {told}" in " ".join(scan.info.warnings)
    assert scan.info.repetition_time == (None if name == "RepetitionTime" else header().RepetitionTime)
    assert_array_equal(scan.read(), VOXELS[order or [[0, 1], [2, 3]]])


def test_frames_without_a_direction_have_b_0(tmp_path: Path) -> None:
    weightings = [item(DiffusionDirectionality="NONE")] * 2 + [item(DiffusionBValue=500.0)] * 2
    write_frames(tmp_path / "a.dcm", [item(MRDiffusionSequence=[weighting]) for weighting in weightings])
    assert open_scan(tmp_path / "a.dcm")[0].info.b_values == (0, 500)


def test_b_values_of_some_images_alone_are_told(tmp_path: Path) -> None:
    weightings = [item()] * 2 + [item(DiffusionBValue=500.0)] * 2
    write_frames(tmp_path / "a.dcm", [item(MRDiffusionSequence=[weighting]) for weighting in weightings])
    (scan,) = open_scan(tmp_path / "a.dcm")
    assert scan.info.axes == "tzyx"
    assert "2 of 4 images state none" in " ".join(scan.info.warnings)


def test_enhanced_multi_frame(tmp_path: Path) -> None:
    per_frame = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0.0, 0.6 * z, 0.0])],
            MRDiffusionSequence=[item(DiffusionBValue=b)],
            PixelValueTransformationSequence=[item(RescaleSlope=2.0, RescaleIntercept=0.0)],
        )
        for b in (0.0, 500.0)
        for z in (1, 0)
    ]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(CORONAL))],
        PixelMeasuresSequence=[item(PixelSpacing=[0.1, 0.1], SliceThickness=0.6)],
    )
    write(
        tmp_path / "a.dcm",
        VOXELS,
        SOPClassUID=EnhancedMRImageStorage,
        NumberOfFrames=4,
        PerFrameFunctionalGroupsSequence=per_frame,
        SharedFunctionalGroupsSequence=[shared],
    )
    (scan,) = open_scan(tmp_path / "a.dcm")
    assert (scan.info.axes, scan.info.b_values) == ("bzyx", (0, 500))
    assert_allclose(scan.info.voxel_size, (0.6, 0.1, 0.1))
    assert_array_equal(scan.read(), 2 * VOXELS[[[1, 0], [3, 2]]].astype("f4"))


class TestBadInput:
    def refused(self, path: Path, match: str) -> None:
        with pytest.raises(ReadError, match=match) as raised:
            open_scan(path)
        assert path.name in str(raised.value)

    @pytest.mark.parametrize("kept", [0, 50, 140, 300, 700])
    def test_cut_off(self, tmp_path: Path, kept: int) -> None:
        path = write(tmp_path / "a.dcm", VOXELS[0])
        path.write_bytes(path.read_bytes()[:kept])
        self.refused(path, "empty|damaged|cut off|without an image")

    def test_pixels_cut_off(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.dcm", np.zeros((500, 500), np.uint16), Rows=500, Columns=500)
        path.write_bytes(path.read_bytes()[:2000])
        self.refused(path, "cut off")

    def test_absurd_size(self, tmp_path: Path) -> None:
        self.refused(write(tmp_path / "a.dcm", VOXELS[0], Rows=65535, Columns=65535, NumberOfFrames=2**20), "cut off")

    def test_colour_picture(self, tmp_path: Path) -> None:
        pixels = np.zeros((6, 5, 3), np.uint8)
        kind = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
        self.refused(write(tmp_path / "a.dcm", pixels, BitsAllocated=8, BitsStored=8, HighBit=7, **kind), "colour")

    def test_without_image(self, tmp_path: Path) -> None:
        dataset = header()
        del dataset.Rows
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        self.refused(tmp_path / "a.dcm", "without an image")

    def test_incomplete_repetition(self, tmp_path: Path) -> None:
        write_series(tmp_path / "s")
        write(tmp_path / "s/more.dcm", VOXELS[0], ImagePositionPatient=[-10, 0, 5])
        with pytest.raises(ReadError, match="incomplete"):
            open_scan(tmp_path / "s")

    def test_one_bad_file_is_left_out_with_a_warning(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_series(tmp_path / "s")
        content = (tmp_path / "s/7_0.dcm").read_bytes()
        (tmp_path / "s/7_0.dcm").write_bytes(content[:-1])
        with caplog.at_level(logging.WARNING, "napari_micromri"):
            (scan,) = open_scan(tmp_path / "s")
        assert_array_equal(scan.read(), VOXELS[1:])
        assert "7_0.dcm is cut off" in caplog.text
        self.refused(tmp_path / "s/7_0.dcm", "cut off")

    def test_not_dicom_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "a.dcm").write_bytes(b"hello" * 100)
        self.refused(tmp_path / "a.dcm", "no DICOM")


def test_pydicom_agrees(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", VOXELS[1], ImagePositionPatient=[0, 0, 0])
    assert_array_equal(open_scan(path)[0].read()[0], pydicom.dcmread(path).pixel_array)
