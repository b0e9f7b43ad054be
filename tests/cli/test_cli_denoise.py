"""`micromri denoise`: the shipped model on a real scan, and what reaches the core."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import ndimage

from napari_micromri.cli import main
from napari_micromri.io import open_scan, save_scan
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def fast(tmp_path: Path, make_scan: Callable[..., Scan]) -> Path:
    """Write a small scan."""
    return save_scan(make_scan((4, 40, 32)), tmp_path / "fast.nii.gz")


def test_a_real_scan_with_the_shipped_model(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [source] = (data_dir / "t2w_mouse_trunk").glob("*.nii*")
    output = tmp_path / "denoised.ome.zarr"
    arguments = ["denoise", str(source), str(output), "--model", "unet-default", "--slices", "20-21", "--json"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert captured.err == ""
    [before], [after] = open_scan(source), open_scan(output)
    assert report["shape"] == list(after.shape) == [2, 512, 512]
    assert report["voxel_size_mm"] == pytest.approx([2, 0.234375 / 2, 0.234375 / 2], rel=1e-2)
    assert report["provenance"]
    assert 0.3 < report["trust"]["chi_square"] < 1.5
    assert [one["index"] for one in report["trust"]["slices"]] == [20, 21]
    given, found = np.asarray(before.data[20:22]), after.read()
    smooth = ndimage.gaussian_filter(given.astype(np.float32), (0, 2, 2))
    bright = smooth > np.quantile(smooth, 0.92)  # noise lifts what is dark, and is removed there
    assert found[bright.repeat(2, 1).repeat(2, 2)].mean() == pytest.approx(given[bright].mean(), rel=0.03)


def test_nifti_out_and_a_sentence_for_people(fast: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "denoised.nii.gz"
    assert main(["denoise", str(fast), str(output), "--device", "cpu"]) == 0
    first, trust, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"Wrote {output} (4 × 80 × 64) in ")
    assert trust.startswith("Trust: ")
    assert open_scan(output)[0].shape == (4, 80, 64)


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (["--slices", "3-9"], "4"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--device", "quantum"], "quantum"),
        (["--batch-size", "0"], "0"),
        (["--scan", "7"], "7"),
        (["--steps", "10"], "has no steps"),
        (["--draws", "4", "--seed", "1"], "has no draws or seed"),
        (["--uncertainty", "sd.txt"], "file extension"),
    ],
)
def test_impossible_wishes_are_refused_in_one_sentence(
    extra: list[str], word: str, fast: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "denoised.ome.zarr"
    assert main(["denoise", str(fast), str(output), *extra]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert word in captured.err
    assert "unexpected" not in captured.err
    assert [path.name for path in tmp_path.iterdir()] == [fast.name]


def test_every_option_reaches_the_core(fast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def fake(scan: Scan, model: str, path: Path, options: Any, **more: Any) -> Path:
        seen.update(model=model, options=options, **more)
        return save_scan(Scan(scan.data[:, 1:3], scan.info), path, overwrite=more["overwrite"])

    monkeypatch.setattr("napari_micromri.inference.denoise_to_file", fake)
    output = tmp_path / "out.ome.zarr"
    wishes = "--model my.safetensors --slices 1-2 --slice-axis y --device cpu --precision float32 --batch-size 3"
    wishes += f" --steps 10 --draws 8 --eta 0.5 --seed 1 --uncertainty {tmp_path / 'sd.ome.zarr'}"
    assert main(["denoise", str(fast), str(output), *wishes.split(), "--overwrite"]) == 0
    options = seen["options"]
    assert (seen["model"], seen["overwrite"]) == ("my.safetensors", True)
    assert dict(options.select) == {"y": range(1, 3)}
    assert (options.slice_axis, options.device, options.precision, options.batch_size) == ("y", "cpu", "float32", 3)
    assert (options.steps, options.draws, options.eta, options.seed) == (10, 8, 0.5, 1)
    assert seen["uncertainty"] == str(tmp_path / "sd.ome.zarr")


def test_the_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["unet-default"]["factor"] == 2
    assert entries["unet-default"]["parameters"] <= 600_000
    assert main(["models"]) == 0
    assert "unet-default" in capsys.readouterr().out


def test_what_is_no_magnitude_is_refused_unless_asked_for(
    tmp_path: Path, make_scan: Callable[..., Scan], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = make_scan((2, 40, 32))
    signed = plain.read() * np.cos(np.linspace(0, 9, 32, dtype=np.float32))
    source = save_scan(Scan(signed, plain.info), tmp_path / "real.nii.gz")
    arguments = ["denoise", str(source), str(tmp_path / "out.nii.gz"), "--device", "cpu"]
    assert main(arguments) == 2
    assert "--anyway" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()
    assert main([*arguments, "--anyway"]) == 0
    assert "both sides of zero" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["--detach", "--workers 2", "--only *RARE*", "--name {file}", "--format .nii"])
def test_options_of_many_scans_are_refused_with_one(
    given: str, tmp_path: Path, make_scan: Callable[..., Scan], capsys: pytest.CaptureFixture[str]
) -> None:
    source = save_scan(make_scan((2, 40, 32)), tmp_path / "fast.nii.gz")
    assert main(["denoise", str(source), str(tmp_path / "out.nii.gz"), *given.split()]) == 2
    assert f"{given.split()[0]} is for many scans" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()


def test_a_scheduler_without_a_port_is_refused_before_a_folder_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["denoise", str(tmp_path), "--out", str(tmp_path / "out"), "--scheduler", "node01"]) == 2
    assert "ends in its port" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_json_of_what_is_not_waited_for_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output would hold a sentence, and no JSON."""
    out = tmp_path / "out"
    assert main(["denoise", str(tmp_path), "--out", str(out), "--detach", "--json"]) == 2
    assert main(["tune", str(tmp_path / "a.mri.zarr"), str(out), "--workers", "0", "--json"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("Leave one out.")) == ("", 2)
    assert not out.exists()


def test_every_option_reaches_each_of_many_scans() -> None:
    """One that got lost on the way would change results without a word."""
    from dataclasses import asdict

    from napari_micromri.cli.denoise import _denoise_options
    from napari_micromri.cli.denoise_many import _request
    from napari_micromri.cli.program import build_parser
    from napari_micromri.inference import DenoiseOptions

    given = ["--slice-axis", "y", "--device", "cpu", "--precision", "float32", "--batch-size", "3", "--noise", "7"]
    given += ["--quality", "best", "--strength", "1.5", "--dark-air", "--anyway", "--steps", "4", "--draws", "2"]
    given += ["--eta", "0.5", "--seed", "9"]
    one = asdict(_denoise_options(build_parser().parse_args(["denoise", "a.nii", "b.nii", *given])))
    many = _request(build_parser().parse_args(["denoise", "a.nii", "--out", "folder", *given])).options
    assert {**asdict(DenoiseOptions()), **many} == one
    assert all(value != asdict(DenoiseOptions())[name] for name, value in many.items())
