"""The command evaluate: its output, its exit codes, and that it goes on after Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evaluation_samples import make_test_study
from napari_micromri.cli import main
from napari_micromri.cli.program import build_parser
from napari_micromri.measure.evaluation import EvaluationOptions
from napari_micromri.measure.evaluation.command import command_line
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.families.unet.network import UNet, UNetConfig

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.study.store import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_test_study(tmp_path / "mice.mri.zarr")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    config = UNetConfig(features_main=(2, 2), convolutions=1)
    spec = ModelSpec(name="tiny", kind="unet", config=config.model_dump(), card=ModelCard(summary="random weights"))
    return save_checkpoint(tmp_path / "tiny.safetensors", UNet(config).state_dict(), spec)


def _arguments(study: Study, model: Path, out: Path, *more: str) -> list[str]:
    return ["evaluate", str(study.path), "--model", str(model), "--out", str(out), "--device", "cpu", *more]


def test_a_folder_of_studies_has_one_table(
    study: Study, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_test_study(tmp_path / "empty.mri.zarr", tested=0)
    out = tmp_path / "out"
    assert main(["evaluate", str(tmp_path), "--model", str(model), "--out", str(out), "--device", "cpu", "--json"]) == 1
    text, errors = capsys.readouterr()
    assert "empty.mri.zarr was left out" in errors
    lines = json.loads(text)
    assert [line["study"] for line in lines] == ["mice"] * 3 + ["all"] * 3
    assert {line["slices"] for line in lines} == {7}
    assert (out / "mice" / "evaluation.csv").is_file()


def test_tables_for_people(study: Study, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(_arguments(study, model, out)) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert text.startswith("mice, test set: 7 slices of 2 subjects\n")
    assert "mouse 01  head-thorax  coronal       3" in text
    for part in ("mean [95 % interval]", "tiny − LR sinc", "There are only 2 subjects", "Ring correlation"):
        assert part in text
    assert text.endswith(f"Wrote {out / 'report.html'}\n")
    assert sorted(p.name for p in out.iterdir() if p.name[0] != ".") == [
        "evaluation.csv",
        "report.html",
        "slices.jsonl",
        "summary.json",
    ]


def test_json_is_the_summary(study: Study, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(study, model, tmp_path / "out", "--json")) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))


def test_the_command_in_the_summary_does_the_same_again(study: Study, model: Path, tmp_path: Path) -> None:
    assert main(_arguments(study, model, tmp_path / "out")) == 0
    document = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    program, *arguments = shlex.split(document["command"])
    assert program == "micromri"
    again, before = (build_parser().parse_args(a) for a in (arguments, _arguments(study, model, tmp_path / "out")))
    assert vars(again) == vars(before)
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 0
    first, second = ((tmp_path / name / "evaluation.csv").read_bytes() for name in ("out", "again"))
    assert first == second


def test_steps_and_draws_stand_in_the_command() -> None:
    command = command_line("my mice.mri.zarr", ["apddm-default"], "test", "o", EvaluationOptions(steps=10, draws=4))
    assert command.endswith("--precision float32 --steps 10 --draws 4")
    parsed = build_parser().parse_args(shlex.split(command)[1:])
    assert (parsed.studies, parsed.models, parsed.draws) == (["my mice.mri.zarr"], ["apddm-default"], 4)


def test_slices_that_could_not_be_measured_give_exit_code_1(
    study: Study,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = type(study).read_slice

    def with_nan(self: Study, key: str, index: int, **how: bool) -> object:
        found = real(self, key, index, **how)
        found.hr[0, 0] = np.nan if index == 2 else 0
        return found

    monkeypatch.setattr(type(study), "read_slice", with_nan)
    assert main(_arguments(study, model, tmp_path / "out")) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("micromri: ")
    assert "mouse 01/head-thorax/coronal, slice 2" in errors[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--split", "validation"], "validation"),
        (["--model", "unknown"], "'unknown'"),
        (["--device", "cuda:77"], "'cuda:77'"),
        (["--rois", "missing.json"], "missing.json"),
        (["--steps", "3", "--draws", "2"], "APDDM"),
    ],
)
def test_refusals_are_one_sentence(
    study: Study, model: Path, tmp_path: Path, change: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(study, model, tmp_path / "out", *change)) == 2
    text, errors = capsys.readouterr()
    assert (text, errors.count("\n")) == ("", 1)
    assert sentence in errors
    assert not (tmp_path / "out").exists()


def test_a_study_that_is_none_is_one_sentence(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "missing.mri.zarr", tmp_path):
        assert main(["evaluate", str(path), "--model", str(model), "--out", str(tmp_path / "out")]) == 2
        errors = capsys.readouterr().err
        assert str(path) in errors
        assert errors.count("\n") == 1


def test_results_are_replaced_only_when_asked(
    study: Study, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("precious")
    assert main(_arguments(study, model, out)) == 2
    assert str(out) in capsys.readouterr().err
    assert (out / "report.html").read_text() == "precious"
    assert main(_arguments(study, model, out, "--overwrite")) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_an_interruption_keeps_what_is_done(study: Study, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import sys, time\n"
        "from napari_micromri.cli.program import main\n"
        "from napari_micromri.measure.evaluation import run\n"
        "real, calls = run.measure_slice, iter(range(100))\n"
        "def slow(*arguments):\n"
        "    print('measuring', flush=True)\n"
        "    time.sleep(0 if next(calls) < 3 else 600)\n"
        "    return real(*arguments)\n"
        "run.measure_slice = slow\n"
        "sys.exit(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *_arguments(study, model, out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(4):
        assert process.stdout.readline() == "measuring\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("micromri: interrupted")
    assert str(out) in errors
    assert errors.count("\n") == 1
    assert (out / "slices.jsonl").read_bytes().count(b"\n") >= 3
    assert not (out / "evaluation.csv").exists()
    assert main(_arguments(study, model, out)) == 0
    assert (out / "evaluation.csv").read_bytes().count(b"\n") == 1 + 7 * 3
