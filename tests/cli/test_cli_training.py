"""The commands of training, as a person types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from napari_micromri.cli import main
from napari_micromri.io import open_scan, save_scan
from napari_micromri.nn.registry import load_model
from napari_micromri.runs.events import Failed
from napari_micromri.study.model import Assign
from napari_micromri.study.store import Study
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import read_run
from study_samples import make_study

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [
    *("--set", "network.features_main=4,6", "--set", "crop=none", "--set", "epochs=2", "--set", "device=cpu"),
    *("--set", "network.patch_size=1"),
]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    study = make_study(tmp_path / "mice.mri.zarr")
    study.apply([Assign("mouse 03", "validation")])
    return study.path


def test_from_a_study_to_a_model_and_its_place_in_the_list(
    tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "first"
    assert main(["train", str(study), str(run), *SMALL]) == 0
    said = capsys.readouterr()
    assert "8 slices to learn from, 4 to judge by" in said.out
    assert "Epoch 2: loss" in said.out
    assert "all 2 epochs" in said.out
    assert load_model(run / "best.safetensors").spec.factor == 2

    assert main(["runs", str(run.parent)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:3] == ["run", "state", "epochs"]
    assert table[1].split()[:3] == ["first", "done", "2/2"]
    assert main(["runs", str(run.parent), "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["best_mse"] == read_run(run).best.validation.mse
    assert row["model"] == str(run / "best.safetensors")

    assert main(["watch", str(run)]) == 0
    assert "Epoch 1: loss" in capsys.readouterr().out
    before = load_model(run / "best.safetensors")
    assert main(["calibrate", str(run)]) == 0
    after = load_model(run / "best.safetensors")
    assert after.spec.errors is not None
    assert before.spec == after.spec.model_copy(update={"errors": None})
    capsys.readouterr()
    for again in (["resume", str(run)], ["stop", str(run)], ["train", str(study), str(run), *SMALL]):
        assert main(again) == 2
        error = capsys.readouterr().err
        assert error.startswith("micromri: ")
        assert error.count("\n") == 1


def test_a_diffusion_model_is_trained_and_used_like_any_other(
    tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, result = tmp_path / "textured", tmp_path / "out.ome.zarr"
    path = ["--set", "apddm.steps=6", "--set", "apddm.bank_size=4"]
    assert main(["train", str(study), str(run), "--preset", "apddm-quick", *SMALL, *path]) == 0
    assert "critical" in capsys.readouterr().out
    lr, _ = Study.open(study).scans("mouse 03/head-thorax/coronal")
    fast = save_scan(lr, tmp_path / "fast.ome.zarr")
    how = ["--model", str(run / "best.safetensors"), "--steps", "3", "--draws", "2", "--seed", "1"]
    assert main(["denoise", str(fast), str(result), *how, "--uncertainty", str(tmp_path / "sd.ome.zarr")]) == 0
    [denoised], [spread] = open_scan(result), open_scan(tmp_path / "sd.ome.zarr")
    assert denoised.shape == spread.shape == (lr.shape[0], 2 * lr.shape[1], 2 * lr.shape[2])
    assert spread.read().max() > 0
    assert main(["denoise", str(fast), str(tmp_path / "more.ome.zarr"), *how[:2], "--steps", "7"]) == 2
    assert "1 to 6 steps" in capsys.readouterr().err


def test_a_failed_run_is_an_error_and_shown_as_failed(
    tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", str(study), str(run), *SMALL, "--set", "device=cuda:77"]) == 2
    said = capsys.readouterr().err
    assert "'cuda:77'" in said
    assert said.count("\n") == 1
    assert main(["runs", str(tmp_path)]) == 0
    assert "failed" in capsys.readouterr().out
    assert main(["watch", str(run)]) == 2
    assert main(["train", str(study), str(run), *SMALL, "--overwrite"]) == 0
    assert read_run(run).state == "done"


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["train", str(study), str(run), *SMALL]) == 0
    folder = RunFolder(run)
    folder.append(Failed(message="The disk is full."))  # as if it had failed before its end was written
    moved = study.rename(tmp_path / "moved.mri.zarr")
    assert main(["resume", str(run), "--study", str(moved)]) == 0
    assert "epoch 3" in capsys.readouterr().out
    assert read_run(run).state == "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "nowhere"], "does not exist"),
        (["watch", "."], "no training run"),
        (["resume", "."], "no training run"),
        (["stop", "."], "no training run"),
        (["train", "nowhere.mri.zarr", "run"], "nowhere.mri.zarr does not exist"),
        (["train", ".", "run", "--set", "epoch=3"], "Did you mean 'epochs'?"),
        (["train", ".", "run", "--preset", "slow"], "no preset 'slow'"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_study_with_nothing_to_judge_by_leaves_no_run(
    tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Study.open(study).apply([Assign("mouse 03", "train")])
    run = tmp_path / "run"
    for more in ([], ["--detach"]):
        assert main(["train", str(study), str(run), *SMALL, *more]) == 2
        assert "no slices in its validation set" in capsys.readouterr().err
        assert not run.exists()


def test_an_empty_folder_has_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert "no training runs" in capsys.readouterr().out
