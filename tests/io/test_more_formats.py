"""ANALYZE, NIfTI pairs, MGH, MINC, AFNI, PAR/REC, NRRD, MetaImage: values and places, against an independent reading.

Files are written by the libraries themselves, or by hand where they can't write; some come with nibabel. Every format
answers one question: where in the scanner is a voxel, and what is its value?
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import nibabel as nib
import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import ReadError
from napari_micromri.io import can_read, open_scan
from napari_micromri.io.geometry import affine_of
from tiny_scans import AFFINE as OBLIQUE
from tiny_scans import MINC_AXES, afni, metaimage, minc_1, minc_2, parrec

if TYPE_CHECKING:
    from napari_micromri.scan import Scan

SAMPLES = Path(nib.__file__).parent / "tests/data"
VOXELS = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
SERIES = np.arange(5 * 4 * 3 * 2, dtype=np.int16).reshape(5, 4, 3, 2)
STRAIGHT = np.array([[0, 0, 0.6, 1], [0, -0.1, 0, 2], [0.1, 0, 0, 3], [0, 0, 0, 1]], float)


def open_one(path: Path) -> Scan:
    (scan,) = open_scan(path)
    return scan


def check(scan: Scan, values: np.ndarray, affine: np.ndarray, *, rtol: float = 1e-6) -> None:
    """Every voxel i, j, k of ``values`` is found in the scan, at its place in RAS+."""
    found = scan.read().reshape(-1, *scan.shape[-3:])
    values = values.reshape(*values.shape[:3], -1)
    to_scan = np.linalg.inv(affine_of(scan.info)) @ affine
    for i, j, k in np.ndindex(values.shape[:3]):
        x, y, z, _ = np.round(to_scan @ [i, j, k, 1], 4).astype(int)
        assert_allclose(found[:, z, y, x], values[i, j, k], rtol=rtol)
    assert found[0].size == values[..., 0].size


@pytest.mark.parametrize("affine", [STRAIGHT, OBLIQUE])
class TestNibabelWrites:
    @pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
    def test_nifti_pair(self, tmp_path: Path, affine: np.ndarray, kind: Any) -> None:
        image = kind(SERIES, affine)
        image.header.set_slope_inter(0.5, -3)
        image.header.set_xyzt_units("mm", "sec")
        image.header["pixdim"][4] = 2.5
        nib.save(image, tmp_path / "a.hdr")
        (tmp_path / "a.bval").write_text("0 100")
        stored = np.asarray(nib.load(tmp_path / "a.img").dataobj)
        for name in ("a.hdr", "a.img"):
            scan = open_one(tmp_path / name)
            assert (scan.info.axes, scan.info.b_values, scan.info.time_step) == ("bzyx", (0, 100), 2.5)
            check(scan, stored, affine)

    def test_analyze_of_spm_with_its_matrix(self, tmp_path: Path, affine: np.ndarray) -> None:
        image = nib.Spm99AnalyzeImage(VOXELS, affine)
        image.header.set_slope_inter(0.25)
        nib.save(image, tmp_path / "a.img")
        assert (tmp_path / "a.mat").exists()
        check(open_one(tmp_path / "a.hdr"), np.asarray(nib.load(tmp_path / "a.img").dataobj), affine)

    @pytest.mark.parametrize("ending", [".mgh", ".mgz"])
    def test_mgh(self, tmp_path: Path, affine: np.ndarray, ending: str) -> None:
        image = nib.MGHImage(SERIES, affine)
        image.header["tr"], image.header["te"] = 2500, 11
        nib.save(image, tmp_path / f"a{ending}")
        scan = open_one(tmp_path / f"a{ending}")
        assert (scan.dtype, scan.info.axes) == (np.int16, "tzyx")
        assert (scan.info.repetition_time, scan.info.echo_time, scan.info.time_step) == (2500, 11, 2.5)
        check(scan, SERIES, affine)


class TestAnalyze:
    def test_without_a_matrix_nobody_knows_which_side_is_left(self, tmp_path: Path) -> None:
        image = nib.AnalyzeImage(VOXELS, np.diag([0.1, 0.2, 0.6, 1]))
        nib.save(image, tmp_path / "a.img")
        scan = open_one(tmp_path / "a.img")
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1), rtol=1e-6)
        assert scan.info.direction is None and "left" in scan.info.warnings[0]
        assert_array_equal(scan.read(), VOXELS.T)

    def test_both_byte_orders_and_the_unit(self, tmp_path: Path) -> None:
        for order in "<>":
            header = nib.AnalyzeHeader(endianness=order)
            header.set_data_shape(VOXELS.shape)
            header.set_data_dtype(np.int16)
            header.set_zooms((100, 200, 600))
            header["vox_units"] = b"um"
            (tmp_path / "a.hdr").write_bytes(header.binaryblock)
            (tmp_path / "a.img").write_bytes(VOXELS.astype(f"{order}i2").tobytes(order="F"))
            scan = open_one(tmp_path / "a.hdr")
            assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1), rtol=1e-6)
            assert_array_equal(scan.read(), VOXELS.T)

    def test_a_scale_from_the_calibration_is_told(self, tmp_path: Path) -> None:
        nib.save(nib.AnalyzeImage(VOXELS, np.eye(4)), tmp_path / "a.img")
        content = bytearray((tmp_path / "a.hdr").read_bytes())
        content[124:132] = np.array([6, 0], "<f4").tobytes()  # cal_max, cal_min
        content[140:148] = np.array([59, 0], "<i4").tobytes()  # glmax, glmin
        (tmp_path / "a.hdr").write_bytes(content)
        scan = open_one(tmp_path / "a.hdr")
        assert_allclose(scan.read(), VOXELS.T * 6 / 59, rtol=1e-6)
        assert "cal_min" in " ".join(scan.info.warnings)

    @pytest.mark.parametrize("lost", ["a.img", "a.hdr"])
    def test_half_of_a_pair(self, tmp_path: Path, lost: str) -> None:
        nib.save(nib.AnalyzeImage(VOXELS, np.eye(4)), tmp_path / "a.img")
        (tmp_path / lost).unlink()
        (left,) = tmp_path.glob("a.[ih]*")
        with pytest.raises(ReadError, match=lost):
            open_scan(left)

    def test_cut_off(self, tmp_path: Path) -> None:
        nib.save(nib.AnalyzeImage(VOXELS, np.eye(4)), tmp_path / "a.img")
        (tmp_path / "a.img").write_bytes((tmp_path / "a.img").read_bytes()[:-1])
        with pytest.raises(ReadError, match=r"a\.img is cut off"):
            open_scan(tmp_path / "a.hdr")

    def test_voxels_that_begin_before_their_file(self, tmp_path: Path) -> None:
        nib.save(nib.AnalyzeImage(VOXELS, np.eye(4)), tmp_path / "a.img")
        content = bytearray((tmp_path / "a.hdr").read_bytes())
        content[108:112] = np.array([-8], "<f4").tobytes()  # vox_offset
        (tmp_path / "a.hdr").write_bytes(content)
        with pytest.raises(ReadError, match="before"):
            open_scan(tmp_path / "a.hdr")

    def test_other_files_of_such_names_are_not_claimed(self, tmp_path: Path) -> None:
        (tmp_path / "envi.hdr").write_text("ENVI\nsamples = 5\n")
        (tmp_path / "disk.img").write_bytes(bytes(1000))
        assert not can_read(tmp_path / "envi.hdr") and not can_read(tmp_path / "disk.img")


class TestMgh:
    def test_a_file_that_does_not_know_how_it_lies(self, tmp_path: Path) -> None:
        nib.save(nib.MGHImage(VOXELS, OBLIQUE), tmp_path / "a.mgh")
        content = bytearray((tmp_path / "a.mgh").read_bytes())
        content[28:30] = bytes(2)
        (tmp_path / "a.mgh").write_bytes(content)
        info = open_one(tmp_path / "a.mgh").info
        assert (info.voxel_size, info.direction) == ((1, 1, 1), None)
        assert "1 mm" in info.warnings[0]

    def test_cut_off(self, tmp_path: Path) -> None:
        nib.save(nib.MGHImage(VOXELS, OBLIQUE), tmp_path / "a.mgh")
        (tmp_path / "a.mgh").write_bytes((tmp_path / "a.mgh").read_bytes()[: 284 + VOXELS.nbytes - 1])
        with pytest.raises(ReadError, match="cut off"):
            open_scan(tmp_path / "a.mgh")


def place_of(x: int, y: int, z: int) -> np.ndarray:
    """World coordinates by MINC's definition: each axis starts somewhere along its own direction."""
    return sum(
        (axis.start + number * axis.step) * np.array(axis.direction)
        for axis, number in zip((MINC_AXES[f"{letter}space"] for letter in "xyz"), (x, y, z), strict=True)
    )


class TestMinc:
    @pytest.mark.parametrize(
        "order",
        [("zspace", "yspace", "xspace"), ("time", "zspace", "yspace", "xspace"), ("yspace", "zspace", "xspace")],
    )
    def test_version_1(self, tmp_path: Path, order: tuple[str, ...]) -> None:
        sizes = {"time": 2, "zspace": 3, "yspace": 4, "xspace": 5}
        shape = tuple(sizes[name] for name in order)
        values = minc_1(tmp_path / "a.mnc", np.arange(np.prod(shape), dtype=">i2").reshape(shape), order)
        scan = open_one(tmp_path / "a.mnc")
        assert_allclose(scan.info.voxel_size, (0.6, 0.2, 0.1))
        assert scan.info.time_step == (2.5 if "time" in order else None)
        number = dict(zip(order, [1] * 4, strict=False)) | {"xspace": 4, "yspace": 2, "zspace": 1}
        found = scan.read()[(1, 1, 2, 4)[-scan.data.ndim :]]
        assert_allclose(found, values[tuple(number[name] for name in order)], rtol=1e-6)
        assert_allclose(affine_of(scan.info) @ [4, 2, 1, 1], [*place_of(4, 2, 1), 1], atol=1e-9)

    def test_version_2(self, tmp_path: Path) -> None:
        values = minc_2(tmp_path / "a.mnc", np.arange(60, dtype="u2").reshape(3, 4, 5))
        scan = open_one(tmp_path / "a.mnc")
        assert_allclose(scan.read(), values, rtol=1e-6)
        assert_allclose(affine_of(scan.info) @ [4, 2, 1, 1], [*place_of(4, 2, 1), 1], atol=1e-9)

    @settings(max_examples=15)
    @given(written=st.sets(st.integers(0, 3)), chunks=st.sampled_from([(1, 4, 5), (1, 2, 5), (1, 4, 3)]))
    def test_pieces_that_were_never_written_are_told(self, written: set[int], chunks: tuple[int, int, int]) -> None:
        values = np.arange(1, 81, dtype="u2").reshape(4, 4, 5)
        pieces = 4 if chunks == (1, 4, 5) else 8
        with tempfile.TemporaryDirectory() as folder:
            expected = minc_2(Path(folder) / "a.mnc", values, chunks=chunks, written=written)
            scan = open_one(Path(folder) / "a.mnc")
            assert_allclose(scan.read()[sorted(written)], expected[sorted(written)], rtol=1e-6)
        lost = pieces * (4 - len(written)) // 4
        assert (f"{lost} of {pieces} pieces" in " ".join(scan.info.warnings)) == (lost > 0)

    def test_limits_that_were_never_written_are_refused(self, tmp_path: Path) -> None:
        minc_2(tmp_path / "a.mnc", np.ones((3, 4, 5), "u2"))
        with h5py.File(tmp_path / "a.mnc", "a") as file:
            group = file["minc-2.0/image/0"]
            del group["image-max"]
            group.create_dataset("image-max", (3,), "f8").attrs["dimorder"] = np.bytes_("zspace")
        with pytest.raises(ReadError, match="image-max"):
            open_scan(tmp_path / "a.mnc")

    def test_voxels_in_other_files_are_refused(self, tmp_path: Path) -> None:
        minc_2(tmp_path / "a.mnc", np.ones((3, 4, 5), "u2"))
        with h5py.File(tmp_path / "a.mnc", "a") as file:
            group = file["minc-2.0/image/0"]
            said = dict(group["image"].attrs)
            del group["image"]
            source = h5py.VirtualSource(str(tmp_path / "gone.h5"), "image", (3, 4, 5))
            layout = h5py.VirtualLayout((3, 4, 5), "u2")
            layout[:] = source
            group.create_virtual_dataset("image", layout).attrs.update(said)
        with pytest.raises(ReadError, match="other files"):
            open_scan(tmp_path / "a.mnc")

    @pytest.mark.parametrize("name", ["tiny", "minc1_4d", "minc2_4d", "minc2-4d-d", "small"])
    def test_files_of_other_programs(self, name: str) -> None:
        image = nib.load(SAMPLES / f"{name}.mnc")
        scan = open_one(SAMPLES / f"{name}.mnc")
        assert_allclose(scan.read(), np.asarray(image.dataobj), rtol=1e-6)
        # The axes of these files are z, y, x.
        assert_allclose(affine_of(scan.info)[:, [2, 1, 0, 3]], image.affine, atol=1e-9)

    def test_version_2_needs_h5py(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "h5py", None)
        with pytest.raises(ReadError, match=r"h5py.*\[formats\]"):
            open_scan(SAMPLES / "minc2_4d.mnc")


class TestAfni:
    @pytest.mark.parametrize(("unit", "step"), [(77002, 2.5), (77001, 0.0025), (77003, None)])
    def test_a_time_series_with_a_factor_for_each_volume(self, tmp_path: Path, unit: int, step: float | None) -> None:
        times = {"TAXIS_NUMS": [2, 0, unit], "TAXIS_FLOATS": [0.0, 2.5, 0.0, 0.0, 0.0]}
        path = afni(tmp_path / "a+orig.HEAD", SERIES, OBLIQUE, BRICK_FLOAT_FACS=[0.5, 0.0], **times)
        for name in (path, path.with_suffix(".BRIK")):
            scan = open_one(name)
            assert (scan.info.axes, scan.info.time_step) == ("tzyx", step)
            check(scan, SERIES * [0.5, 1], OBLIQUE)  # a factor of 0 says that there is none

    def test_the_volumes_of_a_bucket_are_no_time(self, tmp_path: Path) -> None:
        scans = open_scan(afni(tmp_path / "a+orig.HEAD", SERIES, OBLIQUE, BRICK_LABS="ADC~FA"))
        assert [(scan.info.name, scan.info.axes) for scan in scans] == [("a+orig ADC", "zyx"), ("a+orig FA", "zyx")]
        for k, scan in enumerate(scans):
            check(scan, SERIES[..., k], OBLIQUE)

    @pytest.mark.parametrize("name", ["example4d+orig.HEAD", "scaled+tlrc.HEAD"])
    def test_files_of_other_programs(self, name: str) -> None:
        scan, image = open_one(SAMPLES / name), nib.load(SAMPLES / name)
        assert_allclose(scan.read(), np.squeeze(np.asarray(image.dataobj)).T, rtol=1e-6)
        assert_allclose(affine_of(scan.info), image.affine, atol=1e-4)

    def test_without_voxels(self, tmp_path: Path) -> None:
        path = afni(tmp_path / "a+orig.HEAD", SERIES, OBLIQUE)
        path.with_suffix(".BRIK").unlink()
        with pytest.raises(ReadError, match="BRIK"):
            open_scan(path)

    def test_two_voxel_sizes(self, tmp_path: Path) -> None:
        path = afni(tmp_path / "a+orig.HEAD", SERIES, OBLIQUE, DELTA=[0.1, 0.1, 0.6])
        with pytest.raises(ReadError, match="DELTA"):
            open_scan(path)


class TestParRec:
    """The headers come with nibabel; voxels are made here where the wheel lacks them."""

    def parse(self, path: Path) -> tuple[list[list[str]], Any]:
        """Lines of images: slice, echo, dynamic, phase, kind, sequence, place in REC, ..., at 11 and 12 the scale."""
        lines = [line.split() for line in path.read_text("latin-1").splitlines()]
        with open(path, encoding="latin-1") as stream:
            header = nib.parrec.PARRECHeader.from_fileobj(stream, strict_sort=True)
        return [line for line in lines if line and line[0].isdigit()], header

    @pytest.mark.parametrize("name", ["phantom_EPI_asc_CLEAR_2_1", "phantom_varscale"])
    def test_values_and_places_of_real_files(self, name: str) -> None:
        lines, header = self.parse(SAMPLES / f"{name}.PAR")
        images = np.fromfile(SAMPLES / f"{name}.REC", "<u2").reshape(-1, 64, 64)
        scan = open_one(SAMPLES / f"{name}.REC")
        for line in lines:
            expected = images[int(line[6])] * float(line[12]) + float(line[11])
            assert_allclose(scan.data[int(line[2]) - 1, int(line[0]) - 1].compute(), expected, rtol=1e-5, atol=1e-3)
        assert_allclose(affine_of(scan.info), header.get_affine(), atol=1e-4)
        assert (scan.info.axes, scan.info.time_step, scan.info.repetition_time) == ("tzyx", 2, 2000)
        assert scan.info.date == "2014-02-14T09:00:57"

    def test_magnitude_and_phase_and_echoes_are_scans_of_their_own(self, tmp_path: Path) -> None:
        path, images = parrec(tmp_path, "T1_3echo_mag_real_imag_phase")
        scans = {scan.info.name: scan for scan in open_scan(path)}
        assert len(scans) == 12
        one = scans["a phase echo 2"]
        assert one.info.axes == "zyx"
        [line] = [x for x in self.parse(path)[0] if (x[0], x[1], x[4]) == ("3", "2", "3")]
        expected = images[..., int(line[6])] * float(line[12]) + float(line[11])
        assert_allclose(one.read()[2], expected.T, rtol=1e-5, atol=1e-3)
        assert one.info.echo_time == float(line[30])

    def test_diffusion(self, tmp_path: Path) -> None:
        path, _ = parrec(tmp_path, "DTI", **{"-1.979  0.546  0.019": "0 0 0"})
        scan = open_one(path)
        assert scan.info.axes == "bzyx"
        header = self.parse(path)[1]
        b_values, along_voxels = header.get_bvals_bvecs()
        assert_array_equal(scan.info.b_values, b_values)
        affine = header.get_affine()[:3, :3]
        expected = along_voxels @ (affine / np.linalg.norm(affine, axis=0)).T
        assert_allclose(scan.info.b_directions, expected, atol=1e-3)

    def test_directions_of_tilted_slices_are_left_out(self, tmp_path: Path) -> None:
        scan = open_one(parrec(tmp_path, "DTI")[0])
        assert len(scan.info.b_values or ()) == 8 and scan.info.b_directions is None
        assert "tilted" in scan.info.warnings[0]

    def test_an_unfinished_scan(self, tmp_path: Path) -> None:
        scan = open_one(SAMPLES / "phantom_truncated.PAR")
        assert scan.shape[0] == 3 and "dynamic" in scan.info.warnings[0]

    def test_a_slope_that_is_none(self, tmp_path: Path) -> None:
        path, _ = parrec(tmp_path, "T2", **{"  11.66129": "   0.00000"})
        with pytest.raises(ReadError, match="slope"):
            open_scan(path)


DIRECTIONS = OBLIQUE[:3, :3].T
PLACED = {"space directions": DIRECTIONS, "space origin": OBLIQUE[:3, 3]}


class TestNrrd:
    @pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "text"])
    @pytest.mark.parametrize("detached", [False, True])
    def test_encodings(self, tmp_path: Path, encoding: str, detached: bool) -> None:
        path = tmp_path / ("a.nhdr" if detached else "a.nrrd")
        nrrd.write(str(path), VOXELS, {**PLACED, "space": "RAS", "encoding": encoding})
        check(open_one(path), VOXELS, OBLIQUE)

    @pytest.mark.parametrize(
        ("space", "signs"),
        [("left-posterior-superior", (-1, -1, 1)), ("LAS", (-1, 1, 1)), ("right-anterior-superior", (1, 1, 1))],
    )
    def test_spaces(self, tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
        nrrd.write(str(tmp_path / "a.nrrd"), VOXELS, {**PLACED, "space": space})
        check(open_one(tmp_path / "a.nrrd"), VOXELS, np.diag([*signs, 1]) @ OBLIQUE)

    def test_as_simpleitk_reads_it(self, tmp_path: Path) -> None:
        import SimpleITK as sitk

        nrrd.write(str(tmp_path / "a.nrrd"), VOXELS, {**PLACED, "space": "RAS"})
        image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
        scan = open_one(tmp_path / "a.nrrd")
        z, y, x = np.argwhere(scan.read() == VOXELS[4, 2, 1])[0]
        left = image.TransformIndexToPhysicalPoint((4, 2, 1))
        assert_allclose((affine_of(scan.info) @ [x, y, z, 1])[:3], np.array(left) * [-1, -1, 1], atol=1e-6)

    @pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed", None])
    def test_spaces_that_do_not_name_a_side_are_told(self, tmp_path: Path, space: str | None) -> None:
        named = {"space dimension": 3} if space is None else {"space": space}
        nrrd.write(str(tmp_path / "a.nrrd"), VOXELS, {**PLACED, **named})
        scan = open_one(tmp_path / "a.nrrd")
        assert scan.info.direction is None and "which side is left" in scan.info.warnings[0]
        assert_allclose(sorted(scan.info.voxel_size), sorted(np.linalg.norm(OBLIQUE[:3, :3], axis=0)))

    def test_quantized_values_are_told(self, tmp_path: Path) -> None:
        nrrd.write(str(tmp_path / "a.nrrd"), VOXELS, {**PLACED, "space": "RAS", "old min": 0.0, "old max": 0.005})
        assert "quantized" in " ".join(open_one(tmp_path / "a.nrrd").info.warnings)

    @pytest.mark.parametrize("first", [True, False])
    def test_a_diffusion_series(self, tmp_path: Path, first: bool) -> None:
        nothing = [[np.nan] * 3]
        header: dict[str, Any] = {
            "space": "LPS",
            "space origin": OBLIQUE[:3, 3],
            "space directions": np.array([*nothing, *DIRECTIONS] if first else [*DIRECTIONS, *nothing]),
            "kinds": ["list", *["domain"] * 3] if first else [*["domain"] * 3, "list"],
            "measurement frame": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]),
            "DWMRI_b-value": "800",
            "DWMRI_gradient_0000": "0 0 0",
            "DWMRI_gradient_0001": "0.5 0 0",
        }
        values = np.moveaxis(SERIES, 3, 0) if first else SERIES
        nrrd.write(str(tmp_path / "a.nrrd"), values, header | {"DWMRI_gradient_0002": "0 0.6 0.8"})
        # Only the two volumes that are there count.
        scan = open_one(tmp_path / "a.nrrd")
        check(scan, SERIES, np.diag([-1, -1, 1, 1]) @ OBLIQUE)
        # The gradient's first component lies along the frame's first vector, (0, 1, 0) in LPS.
        assert (scan.info.b_values, scan.info.b_directions) == ((0, 800), ((0, 0, 0), (0, -1, 0)))

    def test_a_shorter_gradient_is_a_smaller_b_value(self, tmp_path: Path) -> None:
        gradients = {"DWMRI_gradient_0000": "0.5 0 0", "DWMRI_gradient_0001": "0 0 1"}
        directions = np.array([*DIRECTIONS, [np.nan] * 3])
        header = {"space": "RAS", "space directions": directions, "DWMRI_b-value": "800", **gradients}
        nrrd.write(str(tmp_path / "a.nrrd"), SERIES, header | {"kinds": [*["domain"] * 3, "list"]})
        assert open_one(tmp_path / "a.nrrd").info.b_values == (200, 800)

    def test_time_and_units(self, tmp_path: Path) -> None:
        header = {"kinds": ["domain", "domain", "domain", "time"], "spacings": [100, 200, 600, 1500]}
        nrrd.write(str(tmp_path / "a.nrrd"), SERIES, header | {"units": ["um", "um", "um", "ms"]})
        info = open_one(tmp_path / "a.nrrd").info
        assert (info.axes, info.time_step, info.direction) == ("tzyx", 1.5, None)
        assert_allclose(info.voxel_size, (0.6, 0.2, 0.1))

    def test_a_voxel_size_that_is_not_stated_is_told(self, tmp_path: Path) -> None:
        nrrd.write(str(tmp_path / "a.nrrd"), VOXELS)
        info = open_one(tmp_path / "a.nrrd").info
        assert info.voxel_size == (1, 1, 1) and "1 mm" in info.warnings[0]

    @pytest.mark.parametrize("kind", ["vector", "RGB-color", "3D-symmetric-matrix"])
    def test_several_values_per_voxel_are_refused(self, tmp_path: Path, kind: str) -> None:
        nrrd.write(str(tmp_path / "a.nrrd"), SERIES, {"kinds": ["domain", "domain", "domain", kind]})
        with pytest.raises(ReadError, match=kind.lower()):
            open_scan(tmp_path / "a.nrrd")

    @pytest.mark.parametrize("encoding", ["raw", "gzip"])
    def test_cut_off(self, tmp_path: Path, encoding: str) -> None:
        values = np.random.default_rng(0).integers(0, 9999, (8, 8, 8))
        nrrd.write(str(tmp_path / "a.nrrd"), values, {"encoding": encoding})
        (tmp_path / "a.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes()[:-100])
        with pytest.raises(ReadError, match=r"cut off|damaged"):
            open_one(tmp_path / "a.nrrd").read()

    def test_data_elsewhere(self, tmp_path: Path) -> None:
        nrrd.write(str(tmp_path / "a.nhdr"), VOXELS, {"encoding": "raw"})
        (tmp_path / "a.raw").unlink()
        with pytest.raises(ReadError, match=r"a\.raw"):
            open_scan(tmp_path / "a.nhdr")
        (tmp_path / "a.nhdr").write_text((tmp_path / "a.nhdr").read_text().replace("a.raw", "/dev/zero"))
        with pytest.raises(ReadError, match="/dev/zero"):
            open_scan(tmp_path / "a.nhdr")


class TestMetaImage:
    @pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize("values", [VOXELS, SERIES.astype("f8")])
    def test_values_and_places(self, tmp_path: Path, name: str, compressed: bool, values: np.ndarray) -> None:
        scan = open_one(metaimage(tmp_path / name, values, OBLIQUE, compressed=compressed))
        assert (scan.dtype, scan.info.axes, scan.info.warnings) == (values.dtype, "tzyx"[-values.ndim :], ())
        check(scan, values, OBLIQUE)

    def test_slope_and_offset(self, tmp_path: Path) -> None:
        path = metaimage(tmp_path / "a.mhd", VOXELS, OBLIQUE)
        scale = "ElementToIntensityFunctionSlope = 0.5\nElementToIntensityFunctionOffset = -3\nElementDataFile"
        path.write_text(path.read_text().replace("ElementDataFile", scale))
        check(open_one(path), VOXELS * 0.5 - 3, OBLIQUE)

    @pytest.mark.parametrize("mirrored", ["spacing", "matrix"])
    def test_a_mirrored_grid_as_simpleitk_reads_it(self, tmp_path: Path, mirrored: str) -> None:
        import SimpleITK as sitk

        path = metaimage(tmp_path / "a.mhd", VOXELS, np.diag([-0.1, -0.2, 0.6, 1]))
        there = ("ElementSpacing = ", "-") if mirrored == "spacing" else ("TransformMatrix = ", "-")
        path.write_text(path.read_text().replace(there[0], "".join(there)))
        image, scan = sitk.ReadImage(str(path)), open_one(path)
        for index in np.ndindex(VOXELS.shape):
            z, y, x = np.argwhere(scan.read() == VOXELS[index])[0]
            found = affine_of(scan.info) @ [x, y, z, 1] * [-1, -1, 1, 1]
            assert_allclose(found[:3], image.TransformIndexToPhysicalPoint(index), atol=1e-6)
        assert np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) < 0
        assert ("negative" in " ".join(scan.info.warnings)) == (mirrored == "spacing")

    def test_what_is_not_stated_is_told(self, tmp_path: Path) -> None:
        path = metaimage(tmp_path / "a.mhd", VOXELS, OBLIQUE)
        kept = [line for line in path.read_text().splitlines() if not line.startswith(("ElementSp", "TransformM"))]
        path.write_text("\n".join(kept) + "\n")
        info = open_one(path).info
        assert (info.voxel_size, info.direction) == ((1, 1, 1), None) and "1 mm" in info.warnings[0]

    @pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
    def test_compressed_voxels_that_are_damaged(self, tmp_path: Path, name: str) -> None:
        metaimage(tmp_path / name, np.arange(4000.0).reshape(20, 10, 20), OBLIQUE, compressed=True)
        file = tmp_path / {"a.mha": "a.mha", "a.mhd": "a.zraw"}[name]
        content = bytearray(file.read_bytes())
        content[-500] ^= 1
        file.write_bytes(content)
        with pytest.raises(ReadError, match="damaged"):
            open_one(tmp_path / name).read()

    @pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
    def test_cut_off(self, tmp_path: Path, name: str) -> None:
        metaimage(tmp_path / name, VOXELS, OBLIQUE)
        voxels = tmp_path / ("a.mha" if name == "a.mha" else "a.raw")
        voxels.write_bytes(voxels.read_bytes()[:-1])
        with pytest.raises(ReadError, match="cut off"):
            open_scan(tmp_path / name)

    def test_several_values_per_voxel_are_refused(self, tmp_path: Path) -> None:
        import SimpleITK as sitk

        sitk.WriteImage(sitk.GetImageFromArray(SERIES, isVector=True), str(tmp_path / "a.mha"))
        with pytest.raises(ReadError, match="2 values"):
            open_scan(tmp_path / "a.mha")

    def test_needs_simpleitk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = metaimage(tmp_path / "a.mha", VOXELS, OBLIQUE)
        monkeypatch.setitem(sys.modules, "SimpleITK", None)
        with pytest.raises(ReadError, match=r"SimpleITK.*\[formats\]"):
            open_scan(path)
