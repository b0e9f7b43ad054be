"""Geometry survives every round trip, whatever it is; damaged headers give one clear error, whatever the damage."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

import tiny_scans
from napari_micromri.errors import ReadError
from napari_micromri.io import can_read, open_scan, save_scan
from napari_micromri.io.geometry import affine_of, geometry_from_steps, plane_of, slices_first
from napari_micromri.scan import Scan, ScanInfo

sizes = st.floats(0.01, 20)
places = st.floats(-500, 500)
turns = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def infos(draw: st.DrawFn) -> ScanInfo:
    rows = Rotation.from_euler("xyz", draw(turns)).as_matrix()
    if draw(st.booleans()):
        rows[draw(st.integers(0, 2))] *= -1
    return ScanInfo(
        name=draw(st.text(min_size=1, max_size=20)),
        axes="zyx",
        voxel_size=draw(st.tuples(sizes, sizes, sizes)),
        origin=draw(st.tuples(places, places, places)),
        direction=tuple(tuple(float(v) for v in row) for row in rows) if draw(st.booleans()) else None,
        repetition_time=draw(st.none() | st.floats(0, 1e5)),
        provenance=tuple(draw(st.lists(st.dictionaries(st.text(), st.integers() | st.text()), max_size=2))),
    )


class TestRoundTrips:
    @few
    @given(info=infos(), ending=st.sampled_from([".nii", ".nii.gz", ".ome.zarr"]))
    def test_description_and_voxels(self, info: ScanInfo, ending: str) -> None:
        values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
        with tempfile.TemporaryDirectory() as folder:
            (again,) = open_scan(save_scan(Scan(values, info), Path(folder) / f"a{ending}"))
            assert again.info == info
            assert_array_equal(again.read(), values)

    @few
    @given(info=infos())
    def test_foreign_programs_find_every_voxel_where_it_was(self, info: ScanInfo) -> None:
        values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
        with tempfile.TemporaryDirectory() as folder:
            path = save_scan(Scan(values, info), Path(folder) / "a.nii")
            image = nib.load(path)
            foreign = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
            nib.save(foreign, Path(folder) / "b.nii")
            (again,) = open_scan(Path(folder) / "b.nii")
            z, y, x = np.argwhere(again.read() == values[1, 2, 3])[0]
        scale = 1e-5 * (1 + np.abs(affine_of(info)).max())
        assert_allclose(affine_of(again.info) @ [x, y, z, 1], affine_of(info) @ [3, 2, 1, 1], atol=scale)

    @few
    @given(info=infos())
    def test_affine_and_geometry_are_inverse(self, info: ScanInfo) -> None:
        affine = affine_of(info)
        found = geometry_from_steps(affine[:3, 2::-1].T, affine[:3, 3])
        assert_allclose(found.voxel_size, info.voxel_size, rtol=1e-9)
        assert_allclose(found.origin, info.origin, atol=1e-9 * 1000)
        if info.direction is not None:
            assert_allclose(found.direction, info.direction, atol=1e-9)


class TestGeometry:
    @pytest.mark.parametrize(
        ("size", "order"),
        [
            ((1, 0.1, 0.1), (0, 1, 2)),
            ((0.1, 1, 0.1), (1, 0, 2)),
            ((0.1, 0.1, 1), (2, 0, 1)),
            ((0.1, 0.14, 0.1), (0, 1, 2)),
            ((0.1, 1, 1), (0, 1, 2)),
        ],
    )
    def test_slices_come_first(self, size: tuple[float, ...], order: tuple[int, ...]) -> None:
        assert slices_first(size) == order

    def test_sheared_grids_get_right_angles(self) -> None:
        found = geometry_from_steps([[0.05, 0, 1], [0, 1, 0], [1, 0, 0]], [0, 0, 0])
        rows = np.array(found.direction)
        assert_allclose(rows @ rows.T, np.eye(3), atol=1e-12)

    @pytest.mark.parametrize("steps", [np.zeros((3, 3)), np.ones((3, 3)), np.full((3, 3), np.nan)])
    def test_nonsense(self, steps: np.ndarray) -> None:
        with pytest.raises(ValueError, match=r"voxel size|parallel"):
            geometry_from_steps(steps, [0, 0, 0])

    def test_planes(self) -> None:
        x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
        assert plane_of((z, y, x)) == "transaxial"
        assert plane_of((y, z, x)) == plane_of((z, x)) == "coronal"
        assert plane_of((x, z, y)) == "sagittal"
        s = 0.5**0.5
        assert plane_of(((s, s, 0.0), z, (s, -s, 0.0))) is None

    @pytest.mark.parametrize(("degrees", "plane"), [(39.9, "transaxial"), (-39.9, "transaxial"), (40.1, None)])
    def test_a_plane_keeps_its_name_up_to_40_degrees(self, degrees: float, plane: str | None) -> None:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        for sign in (1, -1):
            assert plane_of(((0.0, -sign * s, sign * c), (0.0, c, s), (1.0, 0.0, 0.0))) == plane
        assert plane_of(((0.0, c, s), (1.0, 0.0, 0.0))) == plane

    @pytest.mark.parametrize("turned", [False, True])
    @pytest.mark.parametrize("axes", ["yx", "zx", "zy"])
    def test_the_missing_axis_of_a_slice_makes_a_right_handed_system(self, axes: str, turned: bool) -> None:
        about = Rotation.from_euler("xyz", [20, -35, 50] if turned else [0, 0, 0], degrees=True).as_matrix()
        columns = {axis: about[:, "xyz".index(axis)] for axis in axes}
        direction = tuple(tuple(map(float, columns[axis])) for axis in axes)
        affine = affine_of(ScanInfo(name="s", axes=axes, voxel_size=(0.2, 0.1), direction=direction))
        size = dict.fromkeys("xyz", 1.0) | dict(zip(axes, (0.2, 0.1), strict=True))
        assert_allclose(affine[:3, :3], about * [size[axis] for axis in "xyz"], atol=1e-12)


class TestFuzz:
    """Headers damaged at random: a scan opens, or ReadError says in one sentence why not; little is allocated.

    This is a small sample of what ``benchmarks/fuzz_formats.py`` does.
    """

    @pytest.mark.parametrize("kind", tiny_scans.KINDS)
    def test_damage(self, kind: str, tmp_path: Path) -> None:
        opened = 0
        for number in range(15):
            tiny = tiny_scans.damage(kind, np.random.default_rng([1, number, *kind.encode()]))
            path = tiny_scans.write(tiny, tmp_path / str(number))
            tracemalloc.start()
            try:
                # Threads that still read when tracing stops would crash the interpreter (Python's issue 128679).
                can_read(path)
                for scan in open_scan(path):
                    if np.prod(scan.shape) < 10_000:
                        scan.data.compute(scheduler="synchronous")
                opened += 1
            except ReadError as error:
                assert "\n" not in str(error) and path.stem in str(error)
            finally:
                _, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
            assert peak < 500e6
        assert opened < 15 or kind == "method"

    @pytest.mark.parametrize("kind", tiny_scans.KINDS)
    def test_without_damage(self, kind: str, tmp_path: Path) -> None:
        (scan,) = open_scan(tiny_scans.write(tiny_scans.healthy(kind), tmp_path))
        assert scan.read().shape == scan.shape
