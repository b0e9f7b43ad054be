"""What the dock says and allows, from studies and recorded runs, with no window at all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from napari_micromri.errors import StudyError
from napari_micromri.runs.events import Failed
from napari_micromri.training.config import TrainConfig
from napari_micromri.training.events import Resumed
from napari_micromri.training.forecast import Forecast
from napari_micromri.training.run import read_run
from napari_micromri.widgets.shared.ticks import logarithmic_ticks
from napari_micromri.widgets.training.compare_model import COLUMNS, RunsLook, cells
from napari_micromri.widgets.training.curve_lines import (
    compared,
    loss_lines,
    quality_lines,
    rate_lines,
)
from napari_micromri.widgets.training.new_folder import RUN
from napari_micromri.widgets.training.run_model import choice_label, describe_run
from napari_micromri.widgets.training.setup_model import (
    StartState,
    StudySummary,
    estimate_sentence,
    look_at_study,
)
from napari_micromri.widgets.training.watching import RunLook, read_runs


def summary(train=(2, 40), validation=(2, 20), **more):
    return StudySummary(Path("mice.mri.zarr"), {"train": train, "validation": validation, "test": (0, 0)}, **more)


# The study


def test_a_study_is_summed_up_by_sets(study):
    found = look_at_study(study)
    assert found.lines.splitlines() == [
        "train: 2 subjects, 24 slices",
        "validation: 1 subject, 12 slices",
        "test: 0 subjects, 0 slices",
    ]
    assert found.problem is None
    assert "one animal" in found.warning


def test_what_is_no_study_is_told(tmp_path):
    with pytest.raises(StudyError):
        look_at_study(tmp_path)


def test_empty_and_small_sets_are_told():
    assert "validation set is empty" in summary(validation=(0, 0)).problem
    assert "train set is empty" in summary(train=(1, 0)).problem
    assert summary(validation=(0, 0)).warning is None
    assert "Only 1 validation slice:" in summary(validation=(1, 1)).warning
    assert "Only 9 validation slices:" in summary(validation=(3, 9)).warning
    assert summary().warning is None
    assert summary(damaged=2).warning.startswith("2 damaged pairs")


def test_what_must_be_put_right_comes_in_order():
    state = StartState()
    assert "Choose a study" in state.hint
    state = replace(state, has_study=True)
    assert "Looking" in state.hint
    assert "no study there" in replace(state, study_problem="There is no study there.").hint
    state = replace(state, summary=summary(validation=(0, 0)))
    assert "empty" in state.hint
    assert not state.can_estimate
    state = replace(state, summary=summary(), settings_problem="epochs can't be many")
    assert "epochs" in state.hint
    state = replace(state, settings_problem=None, folder_problem="Choose a folder")
    assert state.can_estimate
    assert not state.can_start
    state = replace(state, folder_problem=None)
    assert state.can_start
    assert state.hint == ""
    assert not replace(state, starting=True).can_start
    assert not replace(state, estimating=True).can_start


def test_folders_of_runs(tmp_path, record):
    assert RUN.problem(str(tmp_path / "new")) is None
    assert RUN.problem("~/new") is None
    assert "Choose" in RUN.problem("  ")
    assert "full path" in RUN.problem("runs/new")
    assert ".zarr" in RUN.problem(str(tmp_path / "new.mri.zarr"))
    assert "already contains a run" in RUN.problem(str(record().folder.path))
    assert "other files" in RUN.problem(str(tmp_path))
    assert "no home folder" in RUN.problem("~nobody-of-that-name/run")
    assert RUN.problem("/" + "long" * 100) is not None


def test_the_next_free_folder_is_proposed(tmp_path):
    study = tmp_path / "my mice (2).mri.zarr"
    first = RUN.propose(study, "quick")
    assert first == tmp_path / "runs" / "my-mice-2-quick-1"
    first.mkdir(parents=True)
    assert RUN.propose(study, "quick").name == "my-mice-2-quick-2"


def test_an_estimate_in_words():
    said = estimate_sentence(TrainConfig(epochs=10, patience=None), Forecast(30.0, 3 * 2**30, "cuda:0"))
    assert said == "About 30 s per epoch, 5 min for 10 epochs; 3.0 GB of memory for the network on cuda:0."
    assert "19 MB" in estimate_sentence(TrainConfig(), Forecast(1.0, 19 * 2**20, "cpu"))
    assert "less if it stops early" in estimate_sentence(TrainConfig(), Forecast(1.0, 1, "cpu"))


# The run


def status(recorded):
    return describe_run(RunLook(recorded.folder.path)())


def test_a_run_that_starts_and_runs(record):
    recorded = record().at_work()
    found = status(recorded)
    assert (found.title, found.can_stop, found.can_resume, found.can_use) == ("Starting", True, False, False)
    recorded.start().at_work(epoch=1, batch=2)
    found = status(recorded)
    assert found.title == "Running"
    assert found.sentence == "Epoch 1 of 4, batch 2 of 5"
    assert (found.whole, found.epoch) == (100, 400)
    assert "40 slices to learn from, 10 to judge by; 0.12 million weights; cpu, float32" in found.where
    assert found.figures == ""
    recorded.at_work(epoch=1, batch=5)
    assert "judging" in status(recorded).sentence
    recorded.learn(1, 0.2)
    found = status(recorded)
    assert "Epoch 2 of 4" in found.sentence
    assert "left" in found.sentence
    assert found.figures == "Best: epoch 1, PSNR 31.00 dB (input 28.00), SSIM 0.600 (0.550)"


def test_a_run_that_was_asked_to_stop_can_be_ended(record):
    recorded = record().start().at_work(epoch=1, batch=1)
    recorded.folder.stop.touch()
    found = status(recorded)
    assert found.title.startswith("Stopping")
    assert (found.can_stop, found.can_kill) == (False, True)


def test_a_stopped_run_can_resume(record):
    found = status(record().start().learn(1, 0.2).stop().at_work(alive=False))
    assert (found.title, found.can_stop, found.can_resume) == ("Stopped", False, True)
    assert "can be resumed" in found.sentence
    assert found.epoch is None
    assert found.log == ""


def test_a_done_run_says_what_it_is_worth(record):
    found = status(record("good").start().learn(1, 0.15).finish())
    assert (found.title, found.whole, found.can_resume, found.can_use) == ("Done", 1000, False, True)
    assert found.figures.endswith("Its squared error is 50 % below that of the input.")
    assert "better than its input" in status(record("bad").start().learn(1, 0.4).finish()).figures


def test_a_failed_run_says_why_and_shows_its_log(record):
    recorded = record().start().tell(Failed(message="The disk is full."))
    recorded.folder.write_log("The disk is full.")
    found = status(recorded)
    assert (found.title, found.sentence) == ("Failed", "The disk is full.")
    assert found.log.endswith("The disk is full.")
    assert found.can_resume


def test_a_dead_run_shows_the_end_of_its_log(record):
    recorded = record().start().learn(1, 0.2).at_work(alive=False)
    recorded.folder.write_log("Segmentation fault")
    found = status(recorded)
    assert found.title == "Died"
    assert "ended unexpectedly" in found.sentence
    assert "Segmentation" not in found.sentence
    assert "Segmentation fault" in found.log
    assert (found.can_stop, found.can_resume) == (False, True)


def test_runs_in_a_list(record, tmp_path):
    first, gone = record().start().finish().folder.path, tmp_path / "gone"
    found = read_runs([first, gone])
    assert list(found) == [first]
    assert choice_label(found[first]) == "first (done)"


def test_the_look_sees_what_is_new(record):
    recorded = record().start().at_work()
    look = RunLook(recorded.folder.path)
    assert look().run.epochs == ()
    recorded.learn(1, 0.2)
    assert len(look().run.epochs) == 1
    recorded.tell(Resumed(epoch=1, batch=0, **_setting(look)))
    assert look().run.epochs == ()


def _setting(look):
    began = look().run.began
    names = ("epochs", "batches", "train_slices", "validation_slices", "parameters", "device", "precision", "baseline")
    return {name: getattr(began, name) for name in names}


# Curves


def test_curves_of_a_run(record):
    run = read_run(record().start().learn(1, 0.2).learn(2, 0.1).learn(3, 0.15, best=False).folder.path)
    training, validation, given = loss_lines(run)
    assert (training.x, training.y) == ((1, 2, 3), (0.2, 0.1, 0.15))
    assert validation.star == (2, 0.1)
    assert given.dashed
    assert given.y == (0.3, 0.3, 0.3)
    [rate] = rate_lines(run)
    assert rate.y == (1e-3,) * 3
    output, noise = quality_lines(run)
    assert output.y == (0.2, 0.1, 0.15)
    assert noise.y == (0.4,) * 3


def test_what_has_no_value_is_left_out_of_a_curve(record):
    run = read_run(record().start().learn(1, math.nan).learn(2, 0.0).learn(3, 0.1).folder.path)
    assert loss_lines(run)[1].x == (3,)
    assert loss_lines(read_run(record("empty").folder.path)) == []


def test_compared_runs_have_a_colour_each_and_names_that_differ(record, tmp_path):
    runs = [read_run(record(name).start().learn(1, 0.2).folder.path) for name in ("a", "b", "more/a")]
    lines = compared(runs, "psnr")
    assert [line.y for line in lines] == [(31.0,)] * 3
    assert [line.label for line in lines] == [str(runs[0].path), "b", str(runs[2].path)]
    assert len({line.colour for line in lines}) == 3


@pytest.mark.parametrize(
    ("low", "high", "figures"),
    [
        (math.log10(0.19), math.log10(0.33), [0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.32]),
        (-2.0, -1.0, [0.01, 0.02, 0.05, 0.1]),
        (-6.0, 0.0, [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]),
        (-12.0, 0.0, [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1]),
        (0.0, 0.0, []),
    ],
)
def test_logarithmic_ticks_are_round_and_few(low, high, figures):
    found = [10**tick for tick in logarithmic_ticks(low, high, 7)]
    assert found == pytest.approx(figures)


# Comparing


def test_all_runs_of_some_folders_are_found_newest_first(record, tmp_path):
    record("old", created=1.0).start().learn(1, 0.2)
    record("new", created=2.0)
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "config.json").write_text("{")
    look = RunsLook([tmp_path / "runs", tmp_path / "runs" / "old", tmp_path / "gone"])
    assert [run.name for run in look()] == ["new", "old"]
    new, old = look()
    assert cells(new) == ("new", "Died", "", "", "")
    assert cells(old) == ("old", "Died", "1", "31.00", "0.600")
    assert len(cells(old)) == len(COLUMNS)
