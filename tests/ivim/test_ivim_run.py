"""Fitting a scan into a folder: what is written, what is refused, and how interrupted work is continued."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.cli import main
from napari_micromri.errors import CancelledError, InputError, OutputExistsError
from napari_micromri.io import open_scan, save_scan
from napari_micromri.ivim import FitOptions, make_model
from napari_micromri.ivim.run import fit_to_folder
from napari_micromri.ivim.series import Series
from napari_micromri.ivim.simulation import phantoms
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

B = (0.0, 10, 20, 60, 150, 300, 500, 1000)


@pytest.fixture(scope="module")
def scan() -> Scan:
    made = phantoms(3, 40, size=20, seed=2)
    direction = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    info = ScanInfo(
        name="dwi", axes="bzyx", voxel_size=(1, 0.2, 0.2), origin=(-3, 2, 1), direction=direction, b_values=B
    )
    return Scan(1000 * made.signals, info)


@pytest.fixture
def saved(scan: Scan, tmp_path: Path) -> Path:
    return save_scan(scan, tmp_path / "dwi.nii.gz")


def test_the_command_writes_maps_on_the_scans_grid(saved: Path, scan: Scan, tmp_path: Path, capsys) -> None:
    assert main(["ivim", str(saved), str(tmp_path / "maps"), "--method", "bayes", "--sigma", "25", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["voxels"] == 1200
    assert told["sigma"] == 25
    expected = make_model("bayes", FitOptions(sigma=25)).fit(scan.read(), B)
    for name in ("D", "f", "Dp", "S0"):
        [found] = open_scan(tmp_path / "maps" / f"{name}.nii.gz")
        assert found.info.axes == "zyx"
        assert (found.info.voxel_size, found.info.origin) == (scan.info.voxel_size, scan.info.origin)
        # float32 products of other sizes round otherwise
        np.testing.assert_allclose(found.read(), expected.maps[name], rtol=1e-2, atol=1e-4)
    assert (tmp_path / "maps" / "D_sd.nii.gz").exists()
    assert json.loads((tmp_path / "maps" / "ivim.json").read_text())["method"] == "bayes"
    assert not list(tmp_path.glob(".*partial*"))


def test_b_values_and_mask_come_from_files(scan: Scan, tmp_path: Path) -> None:
    unknown = Scan(scan.data, replace(scan.info, axes="tzyx", b_values=None))
    path = save_scan(unknown, tmp_path / "dwi.nii.gz")
    inside = np.zeros((3, 20, 20), np.uint8)
    inside[1, 4:9, 4:9] = 1
    mask = save_scan(Scan(inside, replace(scan.info, axes="zyx", b_values=None)), tmp_path / "mask.nii.gz")
    (tmp_path / "b.txt").write_text("\n".join(map(str, B)))
    command = ["ivim", str(path), str(tmp_path / "maps"), "--method", "lsq", "--mask", str(mask)]
    assert main([*command, "--bvals", str(tmp_path / "b.txt")]) == 0
    [found] = open_scan(tmp_path / "maps" / "D.nii.gz")
    assert (np.isfinite(found.read()) == (inside > 0)).all()


def test_what_cannot_be_meant_is_refused_with_a_sentence(saved: Path, scan: Scan, tmp_path: Path, capsys) -> None:
    other = save_scan(
        Scan(np.ones((3, 10, 10), np.uint8), ScanInfo(name="m", axes="zyx", voxel_size=(1, 0.4, 0.4))),
        tmp_path / "m.nii",
    )
    single = save_scan(Scan(scan.read()[0], replace(scan.info, axes="zyx", b_values=None)), tmp_path / "one.nii.gz")
    out = str(tmp_path / "maps")
    for command, said in (
        ([str(saved), out, "--bvals", "0 10 20"], "3 b-values for 8 volumes"),
        ([str(saved), out, "--bvals", "0 200 300 400 500 600 700 800"], "below 100"),
        ([str(saved), out, "--mask", str(other)], "grid"),
        ([str(single), out], "one volume"),
        ([str(saved), out, "--bvals", str(tmp_path / "none.bval")], "does not exist"),
        ([str(saved), out, "--bvals", "nan 10 20 60 150 300 500 1000"], "nan"),
        ([str(saved), out, "--bvals", "-5 10 20 60 150 300 500 1000"], "-5"),
        ([str(saved), out, "--bvals", ""], "no b-values"),
    ):
        assert main(["ivim", *command, "--method", "lsq"]) == 2
        message = capsys.readouterr().err
        assert said in message
        assert message.count("\n") == 1
    assert not (tmp_path / "maps").exists()


def test_nothing_is_overwritten_unasked(scan: Scan, tmp_path: Path) -> None:
    series, model = Series.of(scan), make_model("adc")
    fit_to_folder(series, model, tmp_path / "maps")
    with pytest.raises(OutputExistsError):
        fit_to_folder(series, model, tmp_path / "maps")
    (tmp_path / "maps" / "notes.txt").write_text("mine")
    fit_to_folder(series, make_model("lsq"), tmp_path / "maps", overwrite=True)
    assert np.isfinite(open_scan(tmp_path / "maps" / "f.nii.gz")[0].read()).all()
    assert (tmp_path / "maps" / "notes.txt").read_text() == "mine"


def test_a_map_replaces_no_input(scan: Scan, tmp_path: Path, capsys) -> None:
    volumes = tmp_path / "volumes"
    dwi = save_scan(scan, volumes / "S0.nii.gz")
    before = dwi.read_bytes()
    assert main(["ivim", str(dwi), str(volumes), "--method", "adc", "--overwrite"]) == 2
    assert "is an input" in capsys.readouterr().err
    assert dwi.read_bytes() == before
    assert main(["ivim", str(dwi), str(tmp_path / "maps"), "--method", "adc"]) == 0


def test_ctrl_c_before_the_first_slice_leaves_nothing(scan: Scan, tmp_path: Path) -> None:
    def interrupt(done: int, total: int, /) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_to_folder(Series.of(scan), make_model("lsq"), tmp_path / "maps", progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_interrupted_work_is_continued_and_other_work_is_not(scan: Scan, tmp_path: Path) -> None:
    series, model, done = Series.of(scan), make_model("lsq"), []

    def stop_after_two() -> bool:
        return len(done) > 2

    with pytest.raises(CancelledError):
        fit_to_folder(
            series, model, tmp_path / "maps", progress=lambda *now: done.append(now), should_stop=stop_after_two
        )
    assert not (tmp_path / "maps").exists()
    begun: list[tuple[int, int]] = []
    with pytest.raises(CancelledError):
        fit_to_folder(
            series, model, tmp_path / "maps", progress=lambda *now: begun.append(now), should_stop=lambda: True
        )
    assert begun == [(2, 3)]
    other: list[tuple[int, int]] = []
    fit_to_folder(series, make_model("segmented"), tmp_path / "maps", progress=lambda *now: other.append(now))
    assert other[0] == (0, 3)


def test_repetitions_and_b_values_are_both_volumes(scan: Scan) -> None:
    twice = np.stack([scan.read(), scan.read()])
    series = Series.of(Scan(twice, replace(scan.info, axes="tbzyx")))
    assert series.b_values == B * 2
    np.testing.assert_array_equal(series.read(1), np.concatenate([scan.read()[:, 1]] * 2))
    turned = Series.of(Scan(twice.swapaxes(0, 1), replace(scan.info, axes="btzyx")))
    assert turned.b_values == tuple(b for b in B for _ in range(2))
    np.testing.assert_array_equal(turned.read(1)[::2], scan.read()[:, 1])


def test_nothing_is_left_of_what_cannot_be_fitted(scan: Scan, tmp_path: Path) -> None:
    series, air = Series.of(scan), Series.of(Scan(0 * scan.read(), scan.info))
    too_loud = make_model("bayes", FitOptions(sigma=1e6))
    for unusable, model, said in (
        (air, make_model("lsq"), "No voxel"),
        (air, make_model("cnn"), "nothing to learn"),
        (series, too_loud, "units"),
    ):
        with pytest.raises(InputError, match=said):
            fit_to_folder(unusable, model, tmp_path / "maps")
        assert list(tmp_path.iterdir()) == []


def test_an_empty_mask_is_refused_before_any_work(scan: Scan) -> None:
    with pytest.raises(InputError, match="empty"):
        fit_to_folder(replace(Series.of(scan), mask=np.zeros((3, 20, 20), bool)), make_model("lsq"), "unused")


def test_bounds_are_kept_and_refused_where_they_mean_nothing(tmp_path: Path, capsys) -> None:
    phantom = tmp_path / "phantom"
    assert main(["ivim-simulate", str(phantom), "--slices", "1", "--size", "8", "--snr", "60"]) == 0
    command = ["ivim", str(phantom / "noisy.nii.gz"), str(tmp_path / "maps"), "--bounds", "D=0,0.0008 Dp=0.01,0.2"]
    assert main([*command, "--method", "bayes"]) == 2
    assert "lsq" in capsys.readouterr().err
    assert main([*command[:-1], "D=1", "--method", "lsq"]) == 2
    capsys.readouterr()
    for given in ("D=0,4", "Dp=5,100"):
        assert main([*command[:-1], given, "--method", "lsq"]) == 2
        assert "thousandth" in capsys.readouterr().err
    assert main([*command, "--method", "lsq"]) == 0
    found = open_scan(tmp_path / "maps" / "D.nii.gz")[0].read()
    assert np.nanmax(found) == pytest.approx(0.0008)
    assert main([*command[:2], str(tmp_path / "free"), "--method", "lsq"]) == 0
    assert np.nanmax(open_scan(tmp_path / "free" / "D.nii.gz")[0].read()) > 0.0008


def test_files_of_one_volume_each_are_one_series(scan: Scan, tmp_path: Path, capsys) -> None:
    info = replace(scan.info, axes="zyx", b_values=None)
    files = [
        str(save_scan(Scan(volume, replace(info, name=f"b{k}")), tmp_path / f"b{k}.nii"))
        for k, volume in enumerate(scan.read())
    ]
    out, values = str(tmp_path / "maps"), " ".join(map(str, B))
    other = str(save_scan(Scan(scan.read()[0], replace(info, voxel_size=(1, 0.3, 0.3))), tmp_path / "other.nii"))
    for refused, said in (
        ([*files, out], "--bvals"),
        ([*files[1:], out, "--bvals", values], "8 b-values for 7 images"),
        ([*files[:7], files[0], out, "--bvals", values], "twice"),
        ([*files[1:], other, out, "--bvals", values], "one grid"),
    ):
        assert main(["ivim", *refused, "--method", "lsq"]) == 2
        message = capsys.readouterr().err
        assert said in message
        assert message.count("\n") == 1
    assert not (tmp_path / "maps").exists()
    turned = [files[0], *files[:0:-1]]
    backwards = " ".join(map(str, (B[0], *B[:0:-1])))
    assert main(["ivim", *turned, out, "--bvals", backwards, "--method", "lsq"]) == 0
    expected = make_model("lsq").fit(scan.read(), B).maps["D"]
    np.testing.assert_allclose(open_scan(tmp_path / "maps" / "D.nii.gz")[0].read(), expected, rtol=1e-4, atol=1e-8)


def test_a_long_list_of_b_values_can_be_typed(scan: Scan, tmp_path: Path) -> None:
    path = save_scan(
        Scan(np.tile(scan.read(), (12, 1, 1, 1)), replace(scan.info, axes="tzyx", b_values=None)), tmp_path / "dwi.nii"
    )
    typed = " ".join(f"{b:.3f}" for b in B * 12)
    assert len(typed) > 255  # no file name may be so long
    assert main(["ivim", str(path), str(tmp_path / "maps"), "--bvals", typed, "--method", "adc"]) == 0


def test_an_option_of_another_method_is_refused(saved: Path, tmp_path: Path, capsys) -> None:
    """They were taken without a word, and had no effect."""
    for method, given in (("lsq", "--sigma 5"), ("adc", "--noise gaussian"), ("bayes", "--high-b 300")):
        option, value = given.split()
        assert main(["ivim", str(saved), str(tmp_path / "maps"), "--method", method, option, value]) == 2
        assert f"not for '{method}'" in capsys.readouterr().err
    command = ["ivim", str(saved), str(tmp_path / "maps"), "--method", "segmented", "--high-b"]
    assert main([*command, "900"]) == 2
    assert "from 900 s/mm² on" in capsys.readouterr().err
    assert main([*command, "300"]) == 0


def test_a_phantom_of_nothing_is_refused(tmp_path: Path, capsys) -> None:
    out = str(tmp_path / "phantom")
    for given in ("--slices 0", "--size 0", "--seed -1", "--mouse --slices 0", "--mouse --size 0"):
        assert main(["ivim-simulate", out, *given.split()]) == 2
        message = capsys.readouterr().err
        assert "at least one" in message or "seed" in message
    assert not (tmp_path / "phantom").exists()
