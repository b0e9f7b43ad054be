"""What the tab "Evaluate" says and allows, without a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation_samples import Repeater, make_test_study
from napari_micromri.errors import CancelledError, StudyError
from napari_micromri.measure.evaluation import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.earlier import Earlier, find_earlier
from napari_micromri.widgets.measuring.evaluate_model import (
    EvaluateState,
    Request,
    SetSize,
    StudyLook,
    look_at,
    proposed_folder,
    result_of,
    run_request,
)

LOOK = StudyLook(
    Path("mice.mri.zarr"), "mice", {"train": SetSize(4, 90), "validation": SetSize(0, 0), "test": SetSize(1, 1)}
)
THIS = Earlier("mice", "test", ("a", "b"), 3, finished=False)
OUT = Path("out")


def state(**fields):
    return EvaluateState(**({"study": LOOK, "models": ("b", "a"), "folder": OUT} | fields))


@pytest.mark.parametrize(
    ("fields", "can", "words"),
    [
        ({"study": None}, False, "Choose the folder of a study"),
        ({"study": None, "problem": "It is gone."}, False, "It is gone."),
        ({"split": "validation"}, False, "The validation set of mice is empty. Choose another set"),
        ({"models": ()}, False, "Tick the models"),
        ({"folder": None}, False, "Choose a folder"),
        ({}, True, "Evaluate runs 2 models on 1 slice and"),
        ({"split": "train", "models": ("a",)}, True, "runs 1 model on 90 slices"),
        ({"earlier": THIS}, True, "3 slices done. Evaluate resumes it"),
        ({"earlier": THIS, "models": ("a",)}, False, "an evaluation of a, b on the test set of mice. Choose another"),
        ({"earlier": THIS, "models": ("a",), "replace": True}, True, "Evaluate runs 1 model"),
        ({"earlier": Earlier("mice", "test", ("a", "b"), 3, finished=True)}, True, "finished. Open report"),
        ({"running": True}, False, "keep working"),
        ({"running": True, "stopping": True}, False, "Stopping"),
    ],
)
def test_what_can_be_done_and_what_is_said(fields, can, words):
    assert state(**fields).can_evaluate is can
    assert words in state(**fields).hint


def test_a_report_can_be_opened_when_it_is_written():
    finished = Earlier("mice", "test", ("x",), 3, finished=True)
    assert state(earlier=finished).can_open
    assert not state(earlier=finished, running=True).can_open
    assert not state(earlier=THIS).can_open


def test_folders_tell_what_is_in_them():
    study = Path("/data/mice.mri.zarr")
    assert proposed_folder(study, "mice", "test", ["unet"], 1, 1) == Path("/data/mice-test-unet")
    assert proposed_folder(study, "mice", "test", ["a", "b"], 10, 4).name == "mice-test-a+b-10-steps-4-draws"
    assert proposed_folder(study, "mice", "train", list("abcd")).name == "mice-train-4-models"


def test_a_study_is_counted(tmp_path):
    study = make_test_study(tmp_path / "mice.mri.zarr")
    look = look_at(study.path)
    assert (look.path, look.name) == (study.path, "mice")
    assert look.sizes == {"train": SetSize(1, 4), "validation": SetSize(0, 0), "test": SetSize(2, 7)}
    assert [look.sizes[name].words for name in ("train", "validation")] == ["1 subject, 4 slices", "empty"]
    with pytest.raises(StudyError):
        look_at(tmp_path)


def test_an_earlier_evaluation_is_recognised(tmp_path):
    study, out = make_test_study(tmp_path / "mice.mri.zarr"), tmp_path / "out"
    assert find_earlier(out) is None
    steps = iter((False, False, True))
    with pytest.raises(CancelledError):
        evaluate(study, [Repeater()], "test", out, should_stop=lambda: next(steps))
    found = find_earlier(out)
    assert found == Earlier("mice", "test", ("repeater",), 2, finished=False)
    assert found.is_of("mice", "test", ["repeater"])
    assert not found.is_of("mice", "test", ["repeater", "other"])
    evaluate(study, [Repeater()], "test", out)
    assert find_earlier(out) == Earlier("mice", "test", ("repeater",), 7, finished=True)
    (out / "slices.jsonl").write_text("torn")
    assert find_earlier(out) is None


def test_the_table_has_a_line_for_each_method(tmp_path):
    study = make_test_study(tmp_path / "mice.mri.zarr")
    result = result_of(evaluate(study, [Repeater()], "test", tmp_path / "out"))
    assert [line[0].text for line in result.lines] == ["LR nearest", "LR sinc", "repeater"]
    assert [cell.text for cell in result.lines[0][1:]] == [cell.text for cell in result.lines[2][1:]]
    assert result.lines[0][1].tooltip.startswith("95 % interval over subjects: [")
    assert result.summary.startswith("Means over 2 subjects (7 slices). There are only 2 subjects")


def test_the_command_of_the_report_is_the_one_that_was_run(tmp_path, monkeypatch):
    study = make_test_study(tmp_path / "mice.mri.zarr")
    monkeypatch.setattr("napari_micromri.nn.registry.load_model", lambda _: Repeater())
    run_request(
        Request(study.path, "test", ("unet-default",), tmp_path / "out", EvaluationOptions(device="cpu")),
        lambda *_: None,
        lambda: False,
    )
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"micromri evaluate {study.path} --model unet-default --split test --out {tmp_path / 'out'}" in page
