"""TIFF stacks of several writers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import ReadError
from napari_micromri.io import can_read, open_scan

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.scan import Scan

VOXELS = np.random.default_rng(0).integers(0, 60000, (5, 8, 7)).astype(np.uint16)


def open_one(path: Path) -> Scan:
    assert can_read(path)
    (scan,) = open_scan(path)
    return scan


def test_real_phantom_with_voxel_size_given(data_dir: Path) -> None:
    path = data_dir / "phantom_geometric/phantom_12.tif"
    (scan,) = open_scan(path, voxel_size=(1.0, 0.075, 0.075))
    assert (scan.shape, scan.info.voxel_size) == ((17, 260, 258), (1.0, 0.075, 0.075))
    assert_array_equal(scan.read(), tifffile.imread(path))
    assert_allclose(open_scan(path)[0].info.voxel_size[1:], 0.075, rtol=1e-3)


def test_what_others_show_inverted_is_told(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", VOXELS, photometric="miniswhite")
    scan = open_one(tmp_path / "a.tif")
    assert_array_equal(scan.read(), VOXELS)
    assert any("inverted" in text for text in scan.info.warnings)


class TestMetadata:
    def test_imagej(self, tmp_path: Path) -> None:
        metadata = {"axes": "ZYX", "spacing": 600.0, "unit": "um"}
        tifffile.imwrite(tmp_path / "a.tif", VOXELS, imagej=True, metadata=metadata, resolution=(0.01, 0.005))
        scan = open_one(tmp_path / "a.tif")
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1), rtol=1e-6)
        assert_array_equal(scan.read(), VOXELS)

    def test_imagej_with_time(self, tmp_path: Path) -> None:
        values = np.stack([VOXELS, VOXELS + 1])
        tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZYX"})
        scan = open_one(tmp_path / "a.tif")
        assert scan.info.axes == "tzyx"
        assert_array_equal(scan.data[1, 3].compute(), values[1, 3])

    def test_ome(self, tmp_path: Path) -> None:
        metadata = {
            "axes": "ZYX",
            "PhysicalSizeX": 100.0,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.2,
            "PhysicalSizeYUnit": "mm",
            "PhysicalSizeZ": 600.0,
        }
        tifffile.imwrite(tmp_path / "a.ome.tif", VOXELS, metadata=metadata)
        scan = open_one(tmp_path / "a.ome.tif")
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1), rtol=1e-6)

    def test_resolution_in_cm(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", VOXELS, resolution=(100, 50), resolutionunit="CENTIMETER")
        info = open_one(tmp_path / "a.tif").info
        assert info.voxel_size == (1, 0.2, 0.1)
        assert "1 x 0.2 x 0.1 mm" in info.warnings[0]

    def test_dots_per_inch_of_a_printer_say_nothing(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", VOXELS[0], resolution=(72, 72), resolutionunit="INCH")
        assert open_one(tmp_path / "a.tif").info.voxel_size == (1, 1)

    def test_each_image_of_ome_has_a_voxel_size_of_its_own(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
            for k in (1, 2):
                sizes = {f"PhysicalSize{axis}": 100.0 * k for axis in "XYZ"}
                writer.write(np.zeros((3, 4 * k, 5), "u2"), metadata={"axes": "ZYX"} | sizes)
        assert [scan.info.voxel_size for scan in open_scan(tmp_path / "a.ome.tif")] == [(0.1,) * 3, (0.2,) * 3]

    def test_each_page_has_a_resolution_of_its_own(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for k in (1, 2):
                pixels = np.zeros((4 * k, 5), "u2")
                writer.write(pixels, resolution=(100 * k, 50 * k), resolutionunit="CENTIMETER")
        assert [scan.info.voxel_size for scan in open_scan(tmp_path / "a.tif")] == [(0.2, 0.1), (0.1, 0.05)]

    def test_time_of_imagej_and_ome(self, tmp_path: Path) -> None:
        values, metadata = np.zeros((2, 3, 4, 5), "u2"), {"axes": "TZYX"}
        tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata=metadata | {"finterval": 2.5})
        times = {"TimeIncrement": 2500.0, "TimeIncrementUnit": "ms"}
        tifffile.imwrite(tmp_path / "b.ome.tif", values, metadata=metadata | times)
        assert [open_one(tmp_path / name).info.time_step for name in ("a.tif", "b.ome.tif")] == [2.5, 2.5]


class TestValues:
    """ImageJ keeps signed and calibrated pixels as unsigned ones with a straight line beside them."""

    @pytest.mark.parametrize(("slope", "offset"), [(1.0, -32768.0), (0.001, 0.0), (2.0, -5.0)])
    def test_a_calibration_of_imagej(self, tmp_path: Path, slope: float, offset: float) -> None:
        metadata = {"axes": "ZYX", "cf": 0, "c0": offset, "c1": slope, "vunit": "ms"}
        tifffile.imwrite(tmp_path / "a.tif", VOXELS, imagej=True, metadata=metadata)
        assert_allclose(open_one(tmp_path / "a.tif").read(), VOXELS * slope + offset, rtol=1e-6, atol=1e-3)

    @pytest.mark.parametrize("said", [{"cf": 3, "c0": 1.0}, {"cf": 0, "c1": 0.0}])
    def test_values_that_cannot_be_known(self, tmp_path: Path, said: dict[str, float]) -> None:
        tifffile.imwrite(tmp_path / "a.tif", VOXELS, imagej=True, metadata={"axes": "ZYX"} | said)
        with pytest.raises(ReadError, match=r"curve|can't be known"):
            open_scan(tmp_path / "a.tif")

    @pytest.mark.parametrize("what", ["table of colours", "orientation 4", "channels"])
    def test_what_is_not_shown_is_told(self, tmp_path: Path, what: str) -> None:
        more: dict[str, Any] = {
            "table of colours": {"photometric": "palette", "colormap": np.zeros((3, 256), "u2")},
            "orientation 4": {"extratags": [(274, "H", 1, 4, True)]},
            "channels": {"imagej": True, "metadata": {"axes": "CYX"}},
        }[what]
        pixels = (VOXELS % 200).astype("u1")[:2]
        tifffile.imwrite(tmp_path / "a.tif", pixels, **more)
        assert what in " ".join(open_one(tmp_path / "a.tif").info.warnings)


class TestVoxels:
    @pytest.mark.parametrize("byteorder", ["<", ">"])
    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_stack(self, tmp_path: Path, byteorder: str, compression: str | None) -> None:
        kind = {"byteorder": byteorder, "compression": compression, "photometric": "minisblack"}
        tifffile.imwrite(tmp_path / "a.tif", VOXELS, **kind)
        scan = open_one(tmp_path / "a.tif")
        assert (scan.info.axes, scan.dtype) == ("zyx", np.uint16)
        assert_array_equal(scan.read(), VOXELS)

    def test_pages_written_one_by_one(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for page in VOXELS:
                writer.write(page, contiguous=False)
        assert_array_equal(open_one(tmp_path / "a.tif").read(), VOXELS)

    def test_only_the_page_looked_at_is_read(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", VOXELS, photometric="minisblack")
        scan = open_one(tmp_path / "a.tif")
        content = (tmp_path / "a.tif").read_bytes()
        (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
        assert_array_equal(scan.data[0].compute(), VOXELS[0])
        with pytest.raises(ReadError, match="no longer"):
            scan.data[4].compute()


class TestBadInput:
    def refused(self, path: Path, match: str) -> None:
        with pytest.raises(ReadError, match=match) as raised:
            open_scan(path)
        assert path.name in str(raised.value)

    @pytest.mark.parametrize("kind", ["plain", "imagej", "compressed", "pages"])
    @pytest.mark.parametrize("part", [0.5, 0.9])
    def test_cut_off(self, tmp_path: Path, kind: str, part: float) -> None:
        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path, imagej=kind == "imagej") as writer:
            if kind == "pages":
                for page in VOXELS:
                    writer.write(page, contiguous=False)
            else:
                writer.write(VOXELS, photometric="minisblack", compression="zlib" if kind == "compressed" else None)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * part)])
        self.refused(path, "cut off|damaged")

    def test_cut_off_anywhere(self, tmp_path: Path) -> None:
        """What opens of a file that was cut holds all of its slices; where a page's entry was cut, nothing opens."""
        path, values = tmp_path / "a.tif", np.random.default_rng(0).integers(0, 4000, (5, 6, 7)).astype(np.uint16)
        tifffile.imwrite(path, values, photometric="minisblack", compression="zlib")
        content = path.read_bytes()
        for length in (*range(16, len(content), 7), len(content)):
            path.write_bytes(content[:length])
            try:
                found = open_scan(path)[0].read()
            except ReadError:
                assert length < len(content)
                continue
            np.testing.assert_array_equal(found, values)

    def test_colours(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 7, 3), np.uint8), photometric="rgb")
        self.refused(tmp_path / "a.tif", "colour")

    def test_complex(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", VOXELS.astype(np.complex64), photometric="minisblack")
        self.refused(tmp_path / "a.tif", "complex")

    def test_not_tiff_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "a.tif").write_bytes(b"hello" * 100)
        self.refused(tmp_path / "a.tif", "no TIFF")
