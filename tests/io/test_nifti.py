"""NIfTI: real files, foreign headers, round trips, and what is wrong with broken ones."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_zarr import EVERYTHING

from napari_micromri.errors import OutputExistsError, ReadError
from napari_micromri.io import can_read, open_scan, save_scan
from napari_micromri.io.geometry import affine_of
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOXELS = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
AFFINE = np.array([[0, 0, 0.6, 1], [0, -0.1, 0, 2], [0.1, 0, 0, 3], [0, 0, 0, 1]], float)

NO_CODES = {252: bytes(4)}  # qform_code and sform_code


def write(path: Path, voxels: np.ndarray = VOXELS, affine: np.ndarray | None = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(voxels, affine, dtype=voxels.dtype), path)
    return path


def edit(path: Path, places: dict[int, bytes]) -> Path:
    """Overwrite bytes of an uncompressed file."""
    content = bytearray(path.read_bytes())
    for start, value in places.items():
        content[start : start + len(value)] = value
    path.write_bytes(content)
    return path


def open_one(path: Path) -> Scan:
    (scan,) = open_scan(path)
    return scan


class TestRealFiles:
    def test_mouse_trunk(self, data_dir: Path) -> None:
        scan = open_one(data_dir / "t2w_mouse_trunk/mouse_trunk_T2w.nii.gz")
        reference = nib.load(data_dir / "t2w_mouse_trunk/mouse_trunk_T2w.nii.gz")
        assert scan.shape == (40, 256, 256)
        assert_allclose(scan.info.voxel_size, (2, 0.2344, 0.2344), rtol=1e-5)
        assert (scan.info.region, scan.info.plane) == ("trunk", "transaxial")
        assert_array_equal(scan.read(), np.asarray(reference.dataobj).T)

    def test_rat_head_has_its_slices_along_z(self, data_dir: Path) -> None:
        scan = open_one(data_dir / "t2w_rat_head/rat_head_T2w.nii.gz")
        reference = nib.load(data_dir / "t2w_rat_head/rat_head_T2w.nii.gz")
        assert scan.shape == (24, 256, 256)
        assert_allclose(scan.info.voxel_size, (1, 0.1125, 0.1125), rtol=1e-5)
        assert scan.info.plane == "coronal"
        assert_array_equal(scan.data[3].compute(), np.asarray(reference.dataobj)[:, 3].T)
        assert_allclose(affine_of(scan.info)[:, [0, 2, 1, 3]], reference.affine, atol=1e-5)

    def test_diffusion_of_the_spinal_cord(self, data_dir: Path, tmp_path: Path) -> None:
        for source, name in (("dwi_rl.nii.gz", "dwi.nii.gz"), ("bval_rl.txt", "dwi.bval")):
            (tmp_path / name).write_bytes((data_dir / "ivim_spinal_cord" / source).read_bytes())
        scan = open_one(tmp_path / "dwi.nii.gz")
        assert (scan.info.axes, scan.shape) == ("bzyx", (11, 6, 134, 128))
        assert scan.info.b_values == (5, 10, 20, 30, 50, 75, 150, 250, 600, 700, 800)
        # The time from volume to volume that the scanner wrote is kept.
        saved = nib.load(save_scan(Scan(scan.data[:, :1], scan.info), tmp_path / "out.nii"))
        assert saved.header.get_zooms()[3] == nib.load(tmp_path / "dwi.nii.gz").header.get_zooms()[3] == 0.5


class TestForeignFiles:
    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    def test_axes_and_geometry(self, tmp_path: Path, ending: str) -> None:
        scan = open_one(write(tmp_path / f"a{ending}"))
        assert (scan.info.name, scan.info.axes, scan.dtype) == ("a", "zyx", np.int16)
        assert_array_equal(scan.read(), VOXELS.T)
        assert_allclose(affine_of(scan.info), AFFINE, atol=1e-6)
        assert scan.info.plane == "sagittal"

    @pytest.mark.parametrize("thick", [0, 1, 2])
    def test_thick_axis_becomes_z(self, tmp_path: Path, thick: int) -> None:
        sizes = np.where(np.arange(3) == thick, 1.0, 0.5)
        scan = open_one(write(tmp_path / "a.nii", affine=np.diag([*sizes, 1])))
        assert scan.info.voxel_size == (1, 0.5, 0.5)
        assert_array_equal(scan.read(), np.moveaxis(VOXELS.T, 2 - thick, 0))
        again = open_one(save_scan(scan, tmp_path / "b.nii"))
        assert_array_equal(again.read(), scan.read())
        # Saved, each voxel still stands at the place where it was.
        saved = nib.load(tmp_path / "b.nii")
        index = np.argwhere(np.asarray(saved.dataobj) == VOXELS[4, 2, 1])[0]
        assert_allclose(saved.affine @ [*index, 1], np.diag([*sizes, 1]) @ [4, 2, 1, 1], atol=1e-6)

    @pytest.mark.parametrize(("unit", "scale"), [("mm", 1), ("micron", 1e-3), ("meter", 1e3), ("unknown", 1)])
    def test_units(self, tmp_path: Path, unit: str, scale: float) -> None:
        image = nib.Nifti1Image(VOXELS, np.diag([2.0, 3, 4, 1]))
        image.header.set_xyzt_units(unit)
        nib.save(image, tmp_path / "a.nii")
        assert_allclose(open_one(tmp_path / "a.nii").info.voxel_size, (4 * scale, 3 * scale, 2 * scale), rtol=1e-6)

    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    @pytest.mark.parametrize(("slope", "intercept"), [(0.5, -3), (-2, 0), (1, 1000), (1e-6, 0.25)])
    def test_slope_and_intercept(self, tmp_path: Path, ending: str, slope: float, intercept: float) -> None:
        image = nib.Nifti1Image(VOXELS, AFFINE)
        image.header.set_slope_inter(slope, intercept)
        nib.save(image, tmp_path / f"a{ending}")
        scan = open_one(tmp_path / f"a{ending}")
        assert scan.dtype == np.float32
        stored = VOXELS if (slope, intercept) == (1, 0) else nib.load(tmp_path / f"a{ending}").dataobj.get_unscaled()
        assert_allclose(scan.read(), stored.T * slope + intercept, rtol=1e-6)

    @pytest.mark.parametrize(("slope", "scaled"), [(0, False), (np.nan, False), (1, False), (2, True)])
    def test_a_slope_of_zero_or_none_is_no_scaling(self, tmp_path: Path, slope: float, scaled: bool) -> None:
        path = edit(write(tmp_path / "a.nii"), {112: np.array([slope, 0], "<f4").tobytes()})
        scan = open_one(path)
        assert scan.dtype == (np.float32 if scaled else np.int16)
        assert_array_equal(scan.read(), VOXELS.T * (2 if scaled else 1))

    def test_scaling_without_meaning_is_refused(self, tmp_path: Path) -> None:
        path = edit(write(tmp_path / "a.nii"), {112: np.array([2, np.inf], "<f4").tobytes()})
        with pytest.raises(ReadError, match="damaged"):
            open_scan(path)

    def test_big_endian(self, tmp_path: Path) -> None:
        image = nib.Nifti1Image(VOXELS, AFFINE, header=nib.Nifti1Header(endianness=">"), dtype=np.int16)
        nib.save(image, tmp_path / "a.nii")
        assert open_one(tmp_path / "a.nii").dtype == np.dtype("=i2")
        assert_array_equal(open_one(tmp_path / "a.nii").read(), VOXELS.T)

    @pytest.mark.parametrize(
        ("shape", "axes"), [((5, 4), "yx"), ((5, 4, 1), "zyx"), ((5, 4, 3, 1), "zyx"), ((5, 4, 3, 2), "tzyx")]
    )
    def test_dimensions(self, tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
        voxels = np.random.default_rng(0).normal(size=shape).astype("f4")
        scan = open_one(write(tmp_path / "a.nii", voxels))
        assert scan.info.axes == axes
        assert_array_equal(scan.read(), voxels.reshape(voxels.shape[: len(axes)]).T)

    def test_without_orientation(self, tmp_path: Path) -> None:
        scan = open_one(edit(write(tmp_path / "a.nii"), NO_CODES))
        assert scan.info.direction is None
        assert_allclose(scan.info.voxel_size, (0.6, 0.1, 0.1), rtol=1e-6)

    @pytest.mark.parametrize(
        ("written", "name", "right"), [("a.nii.gz", "b.nii", "b.nii.gz"), ("a.nii", "b.nii.gz", "b.nii")]
    )
    def test_a_name_that_denies_the_compression(self, tmp_path: Path, written: str, name: str, right: str) -> None:
        write(tmp_path / written).rename(tmp_path / name)
        with pytest.raises(ReadError, match=rf"Rename it to {right}\."):
            open_scan(tmp_path / name)

    def test_b_values_that_an_editor_of_windows_saved(self, tmp_path: Path) -> None:
        (tmp_path / "a.bval").write_text("0 100\r\n", encoding="utf-8-sig")
        assert open_one(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 2), "f4"))).info.b_values == (0, 100)

    @pytest.mark.parametrize("text", ["0 100 200", "0 x", "0 nan", "0 -5"])
    def test_b_values_that_do_not_fit_are_left_out_and_told(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "a.bval").write_text(text)
        info = open_one(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 2), "f4"))).info
        assert (info.axes, info.b_values) == ("tzyx", None)
        assert "a.bval" in info.warnings[0]

    @pytest.mark.parametrize(
        ("unit", "value", "seconds"), [("sec", 3, 3), ("msec", 2500, 2.5), ("usec", 5e5, 0.5), ("hz", 3, None)]
    )
    @pytest.mark.parametrize("b", [True, False])
    def test_time_per_volume(self, tmp_path: Path, unit: str, value: float, seconds: float | None, b: bool) -> None:
        image = nib.Nifti1Image(np.zeros((4, 4, 4, 2), "f4"), AFFINE)
        image.header.set_xyzt_units("mm", unit)
        image.header["pixdim"][4] = value
        nib.save(image, tmp_path / "a.nii")
        if b:
            (tmp_path / "a.bval").write_text("0 100\n")
        info = open_one(tmp_path / "a.nii").info
        assert (info.time_step, info.warnings) == (seconds, ())
        saved = nib.load(save_scan(open_one(tmp_path / "a.nii"), tmp_path / "b.nii")).header
        assert saved.get_xyzt_units() == ("mm", "sec" if seconds else "unknown")
        assert not seconds or saved.get_zooms()[3] == seconds

    @pytest.mark.parametrize(("value", "seconds"), [(0, None), (1, None), (2.2, 2.2)])
    def test_time_without_a_unit(self, tmp_path: Path, value: float, seconds: float | None) -> None:
        path = edit(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 2), "f4")), {92: np.array(value, "<f4").tobytes()})
        info = open_one(path).info
        assert info.time_step == seconds
        assert ("unit" in " ".join(info.warnings)) == (seconds is not None)

    def test_a_fifth_dimension_is_b_where_b_values_say_so(self, tmp_path: Path) -> None:
        voxels = np.random.default_rng(0).normal(size=(5, 4, 3, 2, 3)).astype("f4")
        (tmp_path / "a.bval").write_text("0 100 200\n")
        scan = open_one(write(tmp_path / "a.nii", voxels))
        assert (scan.info.axes, scan.info.b_values) == ("tbzyx", (0, 100, 200))
        assert_array_equal(scan.read(), voxels.transpose(3, 4, 2, 1, 0))
        scan = open_one(write(tmp_path / "a.nii", voxels[..., :1, :]))
        assert scan.info.axes == "bzyx"
        assert_array_equal(scan.read(), voxels[..., 0, :].transpose(3, 2, 1, 0))


# FSL's directions 1 0 0, 0 1 0 and 0 0 1 in RAS+ for three sets of axes. FSL counts along the voxel axes, the first one
# reversed where they are right-handed, as in the last two.
FSL = (
    (np.diag([-2.0, 2, 2, 1]), [-1, 0, 0], [0, 1, 0], [0, 0, 1]),
    (np.diag([2.0, 2, 2, 1]), [-1, 0, 0], [0, 1, 0], [0, 0, 1]),
    # i to the head, j to the back, k to the right
    (np.array([[0, 0, 2, 0], [0, -2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]]), [0, 0, -1], [0, -1, 0], [1, 0, 0]),
)


class TestDirections:
    @pytest.mark.parametrize(("affine", "first", "second", "third"), FSL)
    @pytest.mark.parametrize("columns", [False, True])
    def test_read(
        self, tmp_path: Path, affine: np.ndarray, first: list[int], second: list[int], third: list[int], columns: bool
    ) -> None:
        table = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0, 0.8]])
        np.savetxt(tmp_path / "a.bvec", table if columns else table.T)
        (tmp_path / "a.bval").write_text("0 100 100 100 100\n")
        info = open_one(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 5), "f4"), affine)).info
        mixed = 0.6 * np.array(first) + 0.8 * np.array(third)
        assert_allclose(info.b_directions, [[0, 0, 0], first, second, third, mixed], atol=1e-7)

    @pytest.mark.parametrize("affine", [one[0] for one in FSL])
    def test_written_beside_and_read_again(self, tmp_path: Path, affine: np.ndarray) -> None:
        rng = np.random.default_rng(1)
        table = rng.normal(size=(4, 3))
        table = table / np.linalg.norm(table, axis=1)[:, None] * [[0], [1], [1], [1]]
        np.savetxt(tmp_path / "a.bvec", table.T)
        (tmp_path / "a.bval").write_text("0 1 20000.5 3\n")
        scan = open_one(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 4), "f4"), affine))
        path = save_scan(scan, tmp_path / "b.nii")
        assert open_one(path).info.b_directions == scan.info.b_directions
        # Other programs see the same, since the voxel axes are the same.
        assert_array_equal(nib.load(path).affine, affine)
        assert_allclose(np.loadtxt(tmp_path / "b.bvec"), table.T, atol=1e-7)
        assert_array_equal(np.loadtxt(tmp_path / "b.bval"), [0, 1, 20000.5, 3])

    @pytest.mark.parametrize(("text", "fact"), [("1 0\n0 1", "three"), ("x", "three"), ("9 0\n0 1\n0 0", "unit")])
    def test_directions_that_do_not_fit_are_told(self, tmp_path: Path, text: str, fact: str) -> None:
        (tmp_path / "a.bval").write_text("0 100")
        (tmp_path / "a.bvec").write_text(text)
        info = open_one(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 2), "f4"), np.diag([-1.0, 1, 1, 1]))).info
        assert info.b_values == (0, 100)
        assert info.b_directions == (((-1, 0, 0), (0, 1, 0)) if fact == "unit" else None)
        assert fact in info.warnings[0] and "a.bvec" in info.warnings[0]

    def test_directions_without_an_orientation_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.bval").write_text("0 100")
        np.savetxt(tmp_path / "a.bvec", np.eye(3)[:, :2])
        info = open_one(edit(write(tmp_path / "a.nii", np.zeros((4, 4, 4, 2), "f4")), NO_CODES)).info
        assert info.b_directions is None and "axes" in info.warnings[0]

    def test_compressed_is_read_when_looked_at_and_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.nii.gz")
        scan = open_one(path)
        assert_array_equal(scan.data[1].compute(), VOXELS.T[1])
        path.unlink()
        assert_array_equal(scan.data[2].compute(), VOXELS.T[2])

    def test_uncompressed_is_read_slice_by_slice(self, tmp_path: Path) -> None:
        scan = open_one(write(tmp_path / "a.nii"))
        (tmp_path / "a.nii").unlink()
        with pytest.raises(ReadError, match="removed"):
            scan.data[1].compute()

    def test_several_gzip_members(self, tmp_path: Path) -> None:
        content = gzip.decompress(write(tmp_path / "a.nii.gz").read_bytes())
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
        assert_array_equal(open_one(tmp_path / "a.nii.gz").read(), VOXELS.T)


class TestRoundTrip:
    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    @pytest.mark.parametrize("axes", ["yx", "zyx", "tzyx", "bzyx", "tbzyx", "tyx"])
    def test_everything_is_kept(self, tmp_path: Path, make_scan: Callable[..., Scan], ending: str, axes: str) -> None:
        shape = tuple({"t": 2, "b": 3, "z": 4, "y": 12, "x": 10}[a] for a in axes)
        spatial = [k for k, a in enumerate("zyx") if a in axes]
        described = EVERYTHING | {
            "origin": tuple(EVERYTHING["origin"][k] for k in spatial),
            "direction": tuple(EVERYTHING["direction"][k] for k in spatial),
            "b_values": (0.0, 100.0, 800.5) if "b" in axes else None,
            "b_directions": ((0.0, 0.0, 0.0), (0.6, 0.0, 0.8), (0.0, 1.0, 0.0)) if "b" in axes else None,
            "time_step": 2.5 if set(axes) & set("tb") else None,
        }
        scan = make_scan(shape, axes, **described)
        path = save_scan(scan, tmp_path / f"out{ending}")
        again = open_one(path)
        assert again.info == scan.info
        assert again.dtype == scan.dtype
        assert_array_equal(again.read(), scan.read())
        assert (tmp_path / "out.bval").exists() == (tmp_path / "out.bvec").exists() == ("b" in axes)

    def test_single_time_point(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        scan = make_scan((1, 2, 6, 6), "tzyx")
        assert open_one(save_scan(scan, tmp_path / "a.nii")).info == scan.info

    @pytest.mark.parametrize("dtype", ["bool", "u1", "i2", "i4", "i8", "f2", "f4", "f8"])
    def test_types(self, tmp_path: Path, make_scan: Callable[..., Scan], dtype: str) -> None:
        scan = Scan((make_scan().read() / 8).astype(dtype), make_scan().info)
        assert_array_equal(open_one(save_scan(scan, tmp_path / "a.nii")).read(), scan.read())

    def test_other_programs_see_the_geometry(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        scan = make_scan(direction=EVERYTHING["direction"], origin=EVERYTHING["origin"])
        image = nib.load(save_scan(scan, tmp_path / "a.nii"))
        assert_allclose(image.affine, affine_of(scan.info), atol=1e-6)
        assert image.header.get_xyzt_units()[0] == "mm"
        assert_array_equal(np.asarray(image.dataobj), scan.read().T)

    def test_a_grid_changed_by_another_program_wins(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        image = nib.load(save_scan(make_scan(subject="mouse 7"), tmp_path / "a.nii"))
        changed = nib.Nifti1Image(np.asarray(image.dataobj)[::2], image.affine @ np.diag([2, 1, 1, 1]), image.header)
        nib.save(changed, tmp_path / "b.nii")
        scan = open_one(tmp_path / "b.nii")
        assert_allclose(scan.info.voxel_size, (0.6, 0.1, 0.2), rtol=1e-5)

    @pytest.mark.parametrize("name", ["a.bval", "a.bvec"])
    def test_what_lies_beside_it_is_not_overwritten_unasked(
        self, tmp_path: Path, make_scan: Callable[..., Scan], name: str
    ) -> None:
        (tmp_path / name).write_text("keep")
        weighted = {"b_values": (0, 1), "b_directions": ((0, 0, 0), (0, 0, 1))}
        with pytest.raises(OutputExistsError, match=name):
            save_scan(make_scan((2, 3, 6, 6), "bzyx", **weighted), tmp_path / "a.nii")
        assert [p.name for p in tmp_path.iterdir()] == [name]


class TestBadInput:
    def refused(self, path: Path, match: str) -> None:
        with pytest.raises(ReadError, match=match) as raised:
            open_scan(path)
        assert path.name in str(raised.value)

    @pytest.mark.parametrize("kept", [0, 1, 100, 351, 400])
    def test_cut_off(self, tmp_path: Path, kept: int) -> None:
        path = write(tmp_path / "a.nii")
        path.write_bytes(path.read_bytes()[:kept])
        self.refused(path, "empty" if kept == 0 else "damaged|cut off")

    @pytest.mark.parametrize("missing", [1, 8, 40])
    def test_compressed_cut_off(self, tmp_path: Path, missing: int) -> None:
        voxels = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype("i2")
        path = write(tmp_path / "a.nii.gz", voxels)
        path.write_bytes(path.read_bytes()[:-missing])
        self.refused(path, "cut off|damaged")

    @pytest.mark.parametrize("at", [-6, -60])
    def test_a_checksum_that_is_wrong(self, tmp_path: Path, at: int) -> None:
        voxels = np.random.default_rng(0).integers(0, 4, (20, 20, 20)).astype("i2")
        path = write(tmp_path / "a.nii.gz", voxels)
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)
        with pytest.raises(ReadError, match="damaged"):
            open_one(path).read()

    def test_more_voxels_than_the_header_says_is_told(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.nii")
        path.write_bytes(path.read_bytes() + b"x")
        assert "more than" in open_one(path).info.warnings[0]

    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    def test_absurd_size(self, tmp_path: Path, ending: str) -> None:
        path = write(tmp_path / f"a{ending}")
        content = bytearray(path.read_bytes() if ending == ".nii" else gzip.decompress(path.read_bytes()))
        content[42:48] = np.array([16384, 16384, 16384], "<i2").tobytes()
        path.write_bytes(content if ending == ".nii" else gzip.compress(bytes(content)))
        self.refused(path, "cut off")

    @pytest.mark.parametrize("dtype", ["c8", "c16"])
    def test_complex(self, tmp_path: Path, dtype: str) -> None:
        self.refused(write(tmp_path / "a.nii", np.zeros((3, 3, 3), dtype)), "complex.*magnitude")

    def test_colours(self, tmp_path: Path) -> None:
        rgb = np.zeros((3, 3, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
        self.refused(write(tmp_path / "a.nii", rgb), "not numbers")

    @pytest.mark.parametrize("shape", [(7,), (2, 2, 2, 2, 2), (2, 2, 2, 1, 3), (2, 2, 2, 2, 2, 2)])
    def test_dimensions(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        self.refused(write(tmp_path / "a.nii", np.zeros(shape, "f4")), "dimensions")

    def test_no_voxel_size(self, tmp_path: Path) -> None:
        path = edit(write(tmp_path / "a.nii"), NO_CODES | {80: np.full(3, np.nan, "<f4").tobytes()})
        self.refused(path, "voxel size")

    def test_not_nifti_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "a.nii").write_bytes(b"hello" * 200)
        assert can_read(tmp_path / "a.nii")
        self.refused(tmp_path / "a.nii", "no NIfTI")
