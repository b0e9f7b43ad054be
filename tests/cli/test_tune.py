"""`micromri tune` and `tune-worker`: what they print, refuse, and leave when they are interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_micromri.cli import main
from napari_micromri.study.model import Assign
from napari_micromri.tuning.address import VARIABLE
from napari_micromri.tuning.process import read_workers, stop_tuning
from napari_micromri.tuning.space import default_space
from napari_micromri.tuning.space_file import read_space
from napari_micromri.tuning.storage import open_tuning
from study_samples import make_study

SPACE = "[learning_rate]\nlow = 1e-5\nhigh = 1e-2\nlog = true\n"
SMALL = ["network.features_main=2,3", "network.patch_size=1", "crop=none", "device=cpu", "threads=1", "workers=0"]
PATIENCE = 120.0


@pytest.fixture
def study(tmp_path: Path) -> Path:
    study = make_study(tmp_path / "mice.mri.zarr", subjects=2, shape=(8, 12))
    study.apply([Assign("mouse 02", "validation")])
    return study.path


@pytest.fixture
def command(tmp_path: Path, study: Path) -> list[str]:
    space = tmp_path / "space.toml"
    space.write_text(SPACE)
    changes = [part for setting in SMALL for part in ("--set", setting)]
    return ["tune", str(study), str(tmp_path / "tuning"), "--space", str(space), *changes]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run what is refused: exit code 2 and one line on standard error."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_a_tuning_from_its_beginning_to_more_trials(
    tmp_path: Path, study: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = [*command, "--set", "epochs=1", "--trials", "1", "--workers", "0"]
    assert main(made) == 0
    assert "tune-report" in capsys.readouterr().out
    tuning = tmp_path / "tuning"
    assert main(["tune-worker", str(tuning), "--threads", "1"]) == 0
    assert capsys.readouterr().out == "The tuning is complete: 1 trial.\n"
    # Named again with nothing but more trials, it continues as it is.
    assert main(["tune", str(study), str(tuning), "--trials", "2", "--workers", "0"]) == 0
    assert main(["tune-worker", str(tuning), "--threads", "1"]) == 0
    assert [trial.state.name for trial in open_tuning(tuning).optuna.get_trials()] == ["COMPLETE", "COMPLETE"]
    capsys.readouterr()
    # Workers that find nothing to do end at once, and the outcome is told.
    assert main(["tune", str(study), str(tuning), "--json", "--threads", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["finished"] == told["counts"]["done"] == 2
    [best] = told["best"]
    assert best["values"]["mse"] == min(trial.value for trial in open_tuning(tuning).optuna.get_trials())
    assert Path(best["run"], "best.safetensors").is_file()


def test_the_search_space_is_printed_to_be_edited(
    tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", str(study), str(tmp_path / "tuning"), "--print-space"]) == 0
    path = tmp_path / "space.toml"
    path.write_text(capsys.readouterr().out)
    assert read_space(path) == default_space()
    assert not (tmp_path / "tuning").exists()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--trials", "0"], "trials"),
        (["--sampler", "best"], "sampler: it must be 'tpe'"),
        (["--set", "learning_rat=1"], "Did you mean 'learning_rate'?"),
        (["--workers", "-1"], "can't be negative"),
        (["--storage", "postgresql://me:secret@127.0.0.1:1/db"], "postgresql://me@127.0.0.1:1/db can't be reached"),
        (["--storage", "nonsense://me:secret@host/db"], "isn't the address of a storage"),
        (["--preset", "huge"], "no preset 'huge'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    command: list[str], extra: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, *command, *extra)
    assert words in said
    assert "secret" not in said
    assert not (tmp_path / "tuning" / "tune.json").exists()


def test_a_wrong_line_of_the_space_is_named(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.toml").write_text(SPACE + "\n[momentumm]\nlow = 0.0\nhigh = 0.9\n")
    said = refusal(capsys, *command)
    assert "space.toml, line 6" in said
    assert "did you mean 'momentum'?" in said


def test_a_folder_with_another_tuning_and_a_study_without_validation_are_refused(
    command: list[str], study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--workers", "0"]) == 0
    capsys.readouterr()
    assert "other settings (sampler)" in refusal(capsys, *command, "--sampler", "random")
    from napari_micromri.study.store import Study

    Study.open(study).apply([Assign("mouse 02", "train")])
    fresh = [part if part != str(tmp_path / "tuning") else str(tmp_path / "fresh") for part in command]
    assert "no slices in its validation set" in refusal(capsys, *fresh)


def test_a_worker_without_a_tuning_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert VARIABLE in refusal(capsys, "tune-worker")
    assert "holds no tuning" in refusal(capsys, "tune-worker", str(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_the_workers_and_counts_nothing(tmp_path: Path, command: list[str]) -> None:
    tuning = tmp_path / "tuning"
    arguments = [*command, "--set", "epochs=100000", "--set", "patience=none", "--trials", "1"]
    starter = subprocess.Popen(
        [sys.executable, "-m", "napari_micromri.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + PATIENCE
        while not list(tuning.glob("runs/*/best.safetensors")):
            assert time.monotonic() < until
            time.sleep(0.1)
        starter.send_signal(signal.SIGINT)
        _, said = starter.communicate(timeout=PATIENCE)
        assert starter.returncode == 130
        assert "Stopping" in said
        assert [row.state for row in read_workers(tuning)] == ["ended"]
    finally:
        starter.kill()
        stop_tuning(tuning, kill=True)
    trials = open_tuning(tuning).optuna.get_trials()
    assert [trial.state.name for trial in trials] == ["FAIL", "WAITING"]
    assert trials[1].user_attrs == {"run": "runs/trial-0000"}
