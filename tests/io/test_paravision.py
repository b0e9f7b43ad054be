"""ParaVision studies: real ones of version 5.1, synthetic ones of 6 and 360, and what is wrong with broken ones."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bruker_files import CORONAL, SAGITTAL, TRANSAXIAL, Reconstruction, write_beside
from napari_micromri.errors import ReadError
from napari_micromri.io import can_read, open_scan
from napari_micromri.io.geometry import affine_of
from napari_micromri.io.paravision.jcampdx import parse_parameters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.scan import Scan

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def frames(*shape: int, dtype: str = "i2") -> NDArray[np.generic]:
    return np.random.default_rng(1).integers(0, 200, shape).astype(dtype)


def open_one(path: Path) -> Scan:
    (scan,) = open_scan(path)
    return scan


REFERENCE = """
import sys, warnings
import numpy as np
from brukerapi.dataset import Dataset
warnings.simplefilter("ignore")
d = Dataset(sys.argv[1])
affines = [d.affine_of_package(k) for k in range(len(d.slice_packages_index()))]
np.savez(sys.argv[2], data=d.data.T, affines=np.array(affines))
"""


@dataclass
class Reference:
    data: NDArray[np.float64]
    affines: NDArray[np.float64]


def brukerapi_reads(folder: Path, out: Path) -> Reference:
    """Read with brukerapi in a process of its own: beside PySide6 it aborts the interpreter.

    ``data`` has the axes from slow to fast, the affines go from x, y, z to LPS.
    """
    subprocess.run([sys.executable, "-c", REFERENCE, str(folder / "2dseq"), str(out / "reference.npz")], check=True)
    with np.load(out / "reference.npz") as found:
        return Reference(found["data"], found["affines"])


class TestRealStudies:
    def test_study_of_three_planes(self, data_dir: Path) -> None:
        scans = open_scan(data_dir / "bruker/pv51_banana/bru_banana")
        assert [s.info.name for s in scans] == [f"EPI-SE-FOVsat {p}" for p in ("transaxial", "sagittal", "coronal")]
        info = scans[0].info
        assert (info.subject, info.session) == ("APMFruits_20111130", "Banana")
        assert (info.repetition_time, info.echo_time, info.averages) == (2000, 16.5, 1)
        assert scans[0].shape == (5, 64, 80)
        assert_allclose(info.voxel_size, (2.0, 44 / 64, 44 / 80))

    def test_localizer_gives_a_scan_per_plane(self, data_dir: Path) -> None:
        scans = open_scan(data_dir / "bruker/pv51_flash/100")
        assert [s.info.plane for s in scans] == ["transaxial", "sagittal", "coronal"]
        assert all(s.shape == (1, 128, 128) for s in scans)

    @pytest.mark.parametrize("scan", ["pv51_banana/bru_banana/1", "pv51_flash/100"])
    def test_voxels_and_affine_agree_with_brukerapi(self, data_dir: Path, tmp_path: Path, scan: str) -> None:
        folder = data_dir / "bruker" / scan / "pdata/1"
        reference = brukerapi_reads(folder, tmp_path)
        ours = open_scan(folder)
        stacked = np.concatenate([s.read() for s in ours])
        assert_allclose(stacked, reference.data, rtol=1e-6)
        for k, s in enumerate(ours):
            assert_allclose(affine_of(s.info), LPS @ reference.affines[k], atol=1e-9)

    @pytest.mark.parametrize(("name", "reason"), [("bad_1", "2dseq"), ("bad_2", "visu_pars"), ("bad_3", "2dseq")])
    def test_malformed_studies_say_what_is_missing(self, data_dir: Path, name: str, reason: str) -> None:
        with pytest.raises(ReadError, match=reason):
            open_scan(data_dir / f"bruker/pv51_banana/bru_banana_{name}")

    def test_bad_scans_are_left_out_with_one_warning(
        self, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        study = data_dir / "bruker/pv51_banana"
        shutil.copytree(study / "bru_banana/1", tmp_path / "1")
        shutil.copytree(study / "bru_banana_bad_1/18", tmp_path / "18")
        shutil.copytree(study / "bru_banana_bad_2/18", tmp_path / "19")
        with caplog.at_level(logging.WARNING, "napari_micromri"):
            assert len(open_scan(tmp_path)) == 1
        (record,) = caplog.records
        assert "2 of 3" in record.getMessage() and "scan 18" in record.getMessage()


class TestVoxels:
    @pytest.mark.parametrize("version", ["6.0.1", "360.3.5"])
    def test_slope_and_offset_per_frame(self, tmp_path: Path, version: str) -> None:
        stored = frames(4, 6, 5)
        slope, offset = (0.5, 0.5, 2.0, 2.0), (0.0, 10.0, 10.0, 10.0)
        folder = Reconstruction(stored, slope=slope, offset=offset, version=version).write(tmp_path)
        scan = open_one(folder)
        assert scan.dtype == np.float32
        assert_allclose(scan.read(), stored * np.reshape(slope, (4, 1, 1)) + np.reshape(offset, (4, 1, 1)))

    def test_compact_arrays_are_unpacked(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(20, 4, 4), slope=(0.96,), version="360.3.5").write(tmp_path)
        assert "@20*(0.96)" in (folder / "visu_pars").read_text()
        assert_allclose(open_one(folder).read(), frames(20, 4, 4) * 0.96, rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4"])
    @pytest.mark.parametrize("big_endian", [False, True])
    def test_word_types_and_byte_orders(self, tmp_path: Path, dtype: str, big_endian: bool) -> None:
        stored = frames(2, 3, 5, dtype=dtype)
        scan = open_one(Reconstruction(stored, big_endian=big_endian).write(tmp_path))
        assert scan.dtype == np.dtype(dtype)
        assert_array_equal(scan.read(), stored)

    def test_large_integers_keep_their_precision(self, tmp_path: Path) -> None:
        stored = np.full((1, 2, 2), 2**30 + 1, "i4")
        scan = open_one(Reconstruction(stored, slope=(2.0**-30,), offset=(-1.0,)).write(tmp_path))
        assert_allclose(scan.read(), 2.0**-30, rtol=1e-6)

    @pytest.mark.parametrize("number", [1, 2])
    def test_transposed_frames(self, tmp_path: Path, number: int) -> None:
        image = frames(2, 6, 5)
        stored = np.stack([f.T.reshape(6, 5) for f in image])
        more = {"VisuCoreTransposition": f"( 2 )\n{number} {number}"}
        folder = Reconstruction(stored, more=more).write(tmp_path)
        assert_array_equal(open_one(folder).read(), image)
        assert_array_equal(brukerapi_reads(folder, tmp_path).data, image)

    def test_only_the_slice_looked_at_is_read(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(3, 4, 4)).write(tmp_path)
        scan = open_one(folder)
        (folder / "2dseq").write_bytes(frames(1, 4, 4).tobytes())  # the rest is gone
        assert_array_equal(scan.data[0].compute(), frames(1, 4, 4)[0])
        with pytest.raises(ReadError, match="removed"):
            scan.data[2].compute()


class TestFrameGroups:
    def check(self, tmp_path: Path, groups: list[tuple[int, str]], axes: str, expected: NDArray[np.generic]) -> Scan:
        stored = np.arange(np.prod([n for n, _ in groups]) * 12, dtype="i2").reshape(-1, 3, 4)
        folder = Reconstruction(stored, groups=groups).write(tmp_path)
        scan = open_one(folder)
        assert scan.info.axes == axes
        assert_array_equal(scan.read()[..., 0, 0] // 12, expected)
        return scan

    def test_echoes_before_slices(self, tmp_path: Path) -> None:
        # The first group varies fastest: slice 0 has the frames 0 to 2.
        self.check(tmp_path, [(3, "FG_ECHO"), (2, "FG_SLICE")], "tzyx", np.array([[0, 3], [1, 4], [2, 5]]))

    def test_slices_before_repetitions(self, tmp_path: Path) -> None:
        self.check(tmp_path, [(2, "FG_SLICE"), (3, "FG_CYCLE")], "tzyx", np.array([[0, 1], [2, 3], [4, 5]]))

    def test_inversions_and_cycles_follow_each_other_in_time(self, tmp_path: Path) -> None:
        groups = [(2, "FG_IRMODE"), (2, "FG_SLICE"), (2, "FG_CYCLE")]
        self.check(tmp_path, groups, "tzyx", np.array([[0, 2], [1, 3], [4, 6], [5, 7]]))

    def test_diffusion(self, tmp_path: Path) -> None:
        groups = [(2, "FG_SLICE"), (3, "FG_DIFFUSION"), (2, "FG_CYCLE")]
        expected = np.array([[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]])
        scan = self.check(tmp_path, groups, "tbzyx", expected)
        assert scan.info.b_values is None

    def test_b_values_of_the_method(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(6, 3, 4), groups=[(2, "FG_SLICE"), (3, "FG_DIFFUSION")]).write(tmp_path)
        write_beside(folder, "method", {"PVM_DwEffBval": "( 3 )\n0.8 101.5 805.25"})
        assert open_one(folder).info.b_values == (0.8, 101.5, 805.25)

    def test_b_values_of_the_matrices(self, tmp_path: Path) -> None:
        matrices = "( 2, 9 )\n0 0 0 0 0 0 0 0 0 100 1 2 1 200 3 2 3 300"
        more = {"VisuAcqDiffusionBMatrix": matrices}
        groups = [(1, "FG_SLICE"), (2, "FG_DIFFUSION")]
        assert open_one(Reconstruction(frames(2, 3, 4), groups=groups, more=more).write(tmp_path)).info.b_values == (
            0,
            600,
        )

    def test_echo_time_is_unknown_when_there_are_several(self, tmp_path: Path) -> None:
        more = {"VisuAcqEchoTime": "( 2 )\n10 20"}
        groups = [(2, "FG_ECHO"), (1, "FG_SLICE")]
        assert (
            open_one(Reconstruction(frames(2, 3, 4), groups=groups, more=more).write(tmp_path)).info.echo_time is None
        )


class TestGeometry:
    @pytest.mark.parametrize(
        ("orientation", "plane"), [(TRANSAXIAL, "transaxial"), (CORONAL, "coronal"), (SAGITTAL, "sagittal")]
    )
    def test_plane_and_affine(self, tmp_path: Path, orientation: tuple[int, ...], plane: str) -> None:
        normal = np.array(orientation[6:], float)
        positions = [tuple(np.array([-15, -12, 3.0]) + 0.6 * k * normal) for k in range(3)]
        folder = Reconstruction(frames(3, 6, 5), positions=positions, orientations=(orientation,) * 3).write(tmp_path)
        info = open_one(folder).info
        assert info.plane == plane
        assert info.name == f"T2_TurboRARE {plane} head-thorax"
        assert_allclose(info.voxel_size, (0.6, 4.0, 6.0))
        assert_allclose(affine_of(info), LPS @ brukerapi_reads(folder, tmp_path).affines[0], atol=1e-9)

    def test_slices_out_of_order_are_sorted(self, tmp_path: Path) -> None:
        stored = frames(3, 6, 5)
        positions = [(-15, -12, z) for z in (0.0, 1.2, 0.6)]
        scan = open_one(Reconstruction(stored, positions=positions).write(tmp_path))
        assert_array_equal(scan.read(), stored[[0, 2, 1]])
        assert scan.info.voxel_size[0] == pytest.approx(0.6)

    def test_slices_from_head_to_foot_keep_their_order(self, tmp_path: Path) -> None:
        stored = frames(2, 6, 5)
        scan = open_one(Reconstruction(stored, positions=[(-15, -12, 0.6), (-15, -12, 0.0)]).write(tmp_path))
        assert_array_equal(scan.read(), stored)
        assert scan.info.direction is not None and scan.info.direction[0] == pytest.approx((0, 0, -1))
        assert scan.info.origin[0] == pytest.approx(-0.6)

    def test_oblique_slices(self, tmp_path: Path) -> None:
        c, s = np.cos(0.3), np.sin(0.3)
        rows = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
        positions = [tuple(np.array([-15, -12, 1]) + 0.8 * k * rows[2]) for k in range(4)]
        folder = Reconstruction(frames(4, 6, 5), positions=positions, orientations=(tuple(rows.ravel()),)).write(
            tmp_path
        )
        info = open_one(folder).info
        assert info.plane == "transaxial"
        assert info.voxel_size[0] == pytest.approx(0.8)
        assert_allclose(affine_of(info), LPS @ brukerapi_reads(folder, tmp_path).affines[0], atol=1e-9)

    def test_orthogonal_localizer(self, tmp_path: Path) -> None:
        orientations = (TRANSAXIAL,) * 2 + (CORONAL,) + (SAGITTAL,) * 3
        steps = [(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 0), (-1, 0, 0), (-2, 0, 0)]
        stored = frames(6, 5, 5)
        folder = Reconstruction(
            stored, orientations=orientations, positions=steps, extent=(20, 20), protocol="1_Localizer", study="x"
        ).write(tmp_path)
        scans = open_scan(folder)
        assert [(s.info.name, s.shape[0]) for s in scans] == [
            ("1_Localizer transaxial", 2),
            ("1_Localizer coronal", 1),
            ("1_Localizer sagittal", 3),
        ]
        assert_array_equal(np.concatenate([s.read() for s in scans]), stored)

    def test_parallel_packages_are_told_apart(self, tmp_path: Path) -> None:
        more = {"VisuCoreSlicePacksSlices": "( 2 )\n(0, 2) (2, 2)"}
        positions = [(-15, -12, z) for z in (0, 1, 10, 11)]
        scans = open_scan(Reconstruction(frames(4, 4, 4), positions=positions, more=more).write(tmp_path))
        assert [s.info.origin[0] for s in scans] == [0, 10]
        assert scans[1].info.name == "T2_TurboRARE transaxial head-thorax (1, package 2)"

    def test_three_dimensional_scan(self, tmp_path: Path) -> None:
        stored = frames(2, 4, 6, 5)
        folder = Reconstruction(
            stored, groups=[(2, "FG_CYCLE")], extent=(30, 24, 8), positions=[(-15, -12, -4)], slope=(2.0,)
        ).write(tmp_path)
        scan = open_one(folder)
        assert scan.info.axes == "tzyx"
        assert_allclose(scan.info.voxel_size, (2, 4, 6))
        assert_array_equal(scan.read(), stored * 2)
        assert_allclose(affine_of(scan.info), LPS @ brukerapi_reads(folder, tmp_path).affines[0], atol=1e-9)

    def test_three_dimensional_scan_stored_backwards(self, tmp_path: Path) -> None:
        stored = frames(1, 4, 6, 5)
        more = {"VisuCoreDiskSliceOrder": "disk_reverse_slice_order"}
        folder = Reconstruction(stored, extent=(30, 24, 8), positions=[(-15, -12, -4)], more=more).write(tmp_path)
        assert_array_equal(open_one(folder).read(), stored[0, ::-1])


class TestNames:
    def test_numbers_make_names_unique(self, tmp_path: Path) -> None:
        for number in (2, 10, 1):
            Reconstruction(frames(2, 3, 3)).write(tmp_path, number)
        Reconstruction(frames(2, 3, 3), protocol="DTI_EPI cor").write(tmp_path, 3)
        Reconstruction(frames(2, 3, 3)).write(tmp_path, 10, 2)
        names = [s.info.name.removeprefix("T2_TurboRARE transaxial head-thorax ") for s in open_scan(tmp_path)]
        assert names == ["(1)", "(2)", "DTI_EPI cor head-thorax", "(10)", "(10, reconstruction 2)"]

    def test_everything_that_the_header_says(self, tmp_path: Path) -> None:
        info = open_one(Reconstruction(frames(2, 3, 3)).write(tmp_path)).info
        assert (info.subject, info.session, info.region) == ("mouse_07", "head-thorax", "head-thorax")
        assert (info.protocol, info.repetition_time, info.echo_time, info.averages) == ("T2_TurboRARE", 4000, 37.1, 5)

    def test_study_scan_pdata_reconstruction_and_2dseq_open_alike(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(2, 3, 3)).write(tmp_path / "study")
        for path in (tmp_path / "study", folder.parent.parent, folder.parent, folder, folder / "2dseq"):
            assert can_read(path)
            assert_array_equal(open_one(path).read(), frames(2, 3, 3))


class TestBadInput:
    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"VisuCoreFrameType": "COMPLEX_IMAGE"}, "complex"),
            ({"VisuFGOrderDesc": "( 1 )\n(2, <FG_COMPLEX>, <>, 0, 2)"}, "complex"),
            ({"VisuCoreDimDesc": "( 2 )\nspectroscopic spatial"}, "not an image"),
            ({"VisuCoreSize": "( 2 )\n1048576 1048576"}, "damaged"),
            ({"VisuCoreFrameCount": "1099511627776"}, "damaged"),
            ({"VisuCoreWordType": "_64BIT"}, "VisuCoreWordType"),
            ({"VisuFGOrderDesc": "( 1 )\n(3, <FG_SLICE>, <>, 0, 2)"}, "frame groups"),
            ({"VisuCoreDataSlope": "( 3 )\n1 1 1"}, "VisuCoreDataSlope"),
            ({"VisuCoreDataSlope": "( 2 )\none two"}, "damaged"),
            ({"VisuCoreDataSlope": "( 2 )\n@99999999999999999999*(0)"}, "more values"),
            ({"VisuCorePosition": "( 2, 3 )\n1 2 3 4"}, "VisuCorePosition"),
            ({"VisuCoreOrientation": "( 1, 9 )\n@9*(0)"}, "damaged"),
            ({"VisuCoreExtent": "( 2 )\n0 24"}, "VisuCoreExtent"),
        ],
    )
    def test_header(self, tmp_path: Path, more: dict[str, str], reason: str) -> None:
        folder = Reconstruction(frames(2, 4, 4), more=more).write(tmp_path)
        with pytest.raises(ReadError, match=reason) as raised:
            open_scan(folder)
        assert str(tmp_path) in str(raised.value)

    def test_aborted_scan(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(2, 4, 4)).write(tmp_path)
        (folder / "2dseq").write_bytes(b"")
        for path in (folder, tmp_path, folder / "2dseq"):
            with pytest.raises(ReadError, match="empty"):
                open_scan(path)

    def test_cut_off(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(2, 4, 4)).write(tmp_path)
        (folder / "2dseq").write_bytes(bytes(63))
        with pytest.raises(ReadError, match=r"63 bytes.*64"):
            open_scan(folder)

    def test_header_is_empty_or_binary(self, tmp_path: Path) -> None:
        folder = Reconstruction(frames(2, 4, 4)).write(tmp_path)
        for content in (b"", bytes(range(256))):
            (folder / "visu_pars").write_bytes(content)
            with pytest.raises(ReadError, match="visu_pars"):
                open_scan(folder)


class TestParameters:
    def test_strings_are_opaque(self) -> None:
        text = "##$A=( 2 )\n(5, <FG_ISA>, <T2: y=A+C*exp(-t/T2), (x)>, 0, 2) (2, <B\nC>, <>, 1, 1)\n$$ @vis= A\n"
        assert parse_parameters(text).structs("A") == [
            ["5", "FG_ISA", "T2: y=A+C*exp(-t/T2), (x)", "0", "2"],
            ["2", "BC", "", "1", "1"],
        ]

    def test_numbers_mix_plain_and_packed(self) -> None:
        parameters = parse_parameters("##$A=( 8 )\n1 @3*(0.5) -2\n@2*(1 2)\n##$B=7\n##END=\n")
        assert parameters.numbers("A").tolist() == [1, 0.5, 0.5, 0.5, -2, 1, 2, 1, 2]
        assert parameters.number("B") == 7
        assert parameters.number("missing") is None

    def test_windows_line_ends_and_missing_end(self) -> None:
        parameters = parse_parameters("##$A=( 65 )\r\n<Ratte \u00fc>\r\n##$B=Yes")
        assert (parameters.text("A"), parameters.text("B")) == ("Ratte \u00fc", "Yes")
