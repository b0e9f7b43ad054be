"""What the tab "Tune" says, plots, lists and decides, without a window."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from napari_micromri.errors import InputError
from napari_micromri.training.config import TrainConfig, parse_config
from napari_micromri.tuning.points import against, front, history, searched
from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.space import default_space
from napari_micromri.tuning.workers import WorkerRow
from napari_micromri.widgets.training.new_folder import TUNING
from napari_micromri.widgets.training.tuning.new_model import (
    EXPLAINED,
    OPTIONS,
    USUAL,
    advice,
    presets,
    split_password,
    storage_problem,
    tune_config,
    with_password,
)
from napari_micromri.widgets.training.tuning.retraining import retraining
from napari_micromri.widgets.training.tuning.space_rows import change_row, rows_of
from napari_micromri.widgets.training.tuning.status import (
    best_row,
    best_sentence,
    describe_tuning,
    seconds_left,
    trial_sentence,
)
from napari_micromri.widgets.training.tuning.trial_rows import make_table
from napari_micromri.widgets.training.tuning.words import setting_label
from tuning_samples import make_full_tuning, make_tuning

HERE = platform.node()


def worker(state="working", trial=None, *, name="worker-01", host=HERE, message=""):
    return WorkerRow(name=name, host=host, pid=1, state=state, trial=trial, since=0.0, message=message)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """24 trials, five of them pruned, then one that failed and is continued, one that runs, one that waits."""
    return read_tuning(make_full_tuning(tmp_path_factory.mktemp("tuning") / "whole").folder.path)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """The same with two goals."""
    path = tmp_path_factory.mktemp("tuning") / "several"
    return read_tuning(make_full_tuning(path, objectives=("mse", "parameters")).folder.path)


@pytest.fixture
def empty(tmp_path):
    return read_tuning(make_tuning(tmp_path / "empty").folder.path)


# How it stands


def test_a_tuning_at_work_says_how_far_it_is(whole):
    state = replace(
        whole, workers=(worker(trial=26), worker("waiting", name="worker-02", host="gpu7", message="Busy."))
    )
    status = describe_tuning(state)
    assert status.title == "Running"
    assert status.sentence.startswith("25 of 27 trials finished, 4 of them pruned; 1 running; about ")
    assert status.workers == "worker-01: trial 26; worker-02 on gpu7: busy."
    assert status.part == round(1000 * 25 / 27)
    assert (status.can_pause, status.can_stop, status.can_add, status.live) == (True, True, True, True)
    assert not (status.can_resume or status.can_kill)


@pytest.mark.parametrize(
    ("workers", "asked", "title", "can"),
    [
        ((worker(trial=3),), {"paused": True}, "Pausing after these trials…", {"resume", "stop"}),
        ((worker("waiting"),), {"paused": True}, "Paused", {"resume", "stop"}),
        ((worker("stopping", 3),), {"stopping": True}, "Stopping…", {"kill"}),
        ((worker("ended"),), {"stopping": True}, "Stopped", {"resume"}),
        ((worker("died", message="It died."),), {}, "Died", {"resume"}),
        ((worker("died"), worker(trial=3, name="worker-02")), {}, "Running", {"pause", "stop", "add"}),
        ((), {}, "Stopped", {"resume"}),
    ],
)
def test_what_can_be_done_follows_from_workers_and_wishes(whole, workers, asked, title, can):
    status = describe_tuning(replace(whole, workers=workers), **asked)
    assert status.title == title
    able = {name for name in ("pause", "resume", "stop", "kill", "add") if getattr(status, f"can_{name}")}
    assert able == can


def test_a_worker_that_died_is_named_with_its_reason(whole):
    state = replace(whole, workers=(worker("died", message="It died without a word."), worker("ended", name="w-2")))
    assert describe_tuning(state).workers == ("worker-01 died: it died without a word; w-2 ended: it doesn't say why.")


def test_when_nobody_works_the_last_one_says_why(whole):
    first = replace(worker("ended", message="Stopped."), since=1.0)
    last = replace(worker("ended", name="worker-02", message="5 trials in a row failed."), since=2.0)
    assert describe_tuning(replace(whole, workers=(last, first))).workers == (
        "worker-02 ended: 5 trials in a row failed."
    )
    at_work = worker(trial=3, name="worker-03")
    assert describe_tuning(replace(whole, workers=(first, last, at_work))).workers == "worker-03: trial 3."
    assert describe_tuning(replace(whole, workers=())).workers == "No workers are running."


def test_a_complete_tuning_is_done_and_says_no_more(whole):
    status = describe_tuning(replace(whole, planned=25, workers=(worker("ended"),)))
    assert (status.title, status.part, status.workers) == ("Done", 1000, "")
    assert not (status.can_resume or status.can_add or status.can_stop or status.can_pause)


def test_an_empty_tuning_starts(empty):
    status = describe_tuning(replace(empty, workers=(worker("waiting", message="Starting."),)))
    assert (status.title, status.sentence) == ("Starting", "0 of 24 trials finished.")
    assert best_sentence(empty) == ""
    assert best_row(empty) is None
    assert seconds_left(empty, 1) is None
    assert history(empty, 0).dots == ()


def test_more_workers_leave_less_time(whole):
    one, two = seconds_left(whole, 1), seconds_left(whole, 2)
    assert one > two > 0
    assert seconds_left(whole, 0) is None


def test_the_best_is_said_with_its_figures(whole, several):
    best = best_row(whole)
    assert best.number == whole.best[0]
    assert best_sentence(whole) == f"Best: trial {best.number}, validation MSE {best.values[0]:.4g}."
    assert len(several.best) > 1
    by_size = best_row(several, 1)
    assert by_size.values[1] == min(row.values[1] for row in several.done())
    said = best_sentence(several, 1)
    assert said.startswith(f"Best by weights: trial {by_size.number}, validation MSE ")
    assert f"★: {len(several.best)} trials" in said


def test_a_trial_is_told_with_what_became_of_it(whole):
    again = next(row for row in whole.trials if row.retry_of is not None)
    failed = whole.trials[again.retry_of]
    assert "failed" in trial_sentence(whole, failed)
    assert "no longer a number" in trial_sentence(whole, failed)
    assert f"It continues trial {failed.number}." in trial_sentence(whole, again)
    pruned = next(row for row in whole.trials if row.state == "pruned")
    said = trial_sentence(whole, pruned)
    assert said.startswith(f"Trial {pruned.number}: pruned, epoch 4 of 8")
    assert said.endswith(" Worse than the median of the others at epoch 4.")
    assert "settings that the tuning began with" in trial_sentence(whole, whole.trials[0])


# The list of trials


def test_the_list_has_a_column_for_every_figure_and_setting(whole):
    table = make_table(whole)
    columns = {column.title: column for column in table.columns}
    assert list(columns)[:4] == ["#", "State", "MSE", "Took"]
    assert set(list(columns)[4:]) == {setting_label(key) for key in searched(whole)}
    best = table.rows[whole.best[0]]
    assert best.best
    assert columns["State"].text(best) == "★ Done"
    assert columns["MSE"].key(best) == best.trial.values[0]
    pruned = next(row for row in table.rows if row.trial.state == "pruned")
    assert columns["MSE"].text(pruned).startswith("(")
    again = next(row for row in whole.trials if row.retry_of is not None)
    assert columns["State"].text(table.rows[again.retry_of]) == "Interrupted"
    without = next(row for row in table.rows if "alpha" not in row.trial.parameters)
    weight = columns["Weight of the MSE"]
    assert (weight.text(without), weight.key(without)) == ("–", None)
    for column, longest in zip(table.columns, table.longest, strict=True):
        assert len(longest) == max(len(column.text(row)) for row in table.rows)


def test_the_list_can_be_filtered(whole):
    table = make_table(whole)

    def listed(wanted, words=""):
        return [row.trial.number for row in table.rows if table.passes(row, wanted, words)]

    waiting = [row.number for row in whole.trials if row.state == "waiting"]
    assert listed("all") == [row.number for row in whole.trials if row.number not in waiting]
    assert listed("waiting") == waiting
    assert listed("best") == list(whole.best)
    assert listed("pruned") == [row.number for row in whole.trials if row.state == "pruned"]
    assert listed("pruned", "median") == listed("pruned")  # as their reason says
    assert listed("done", "ADAM true") == [
        row.number
        for row in whole.trials
        if row.state == "done" and row.parameters["optimizer"] == "adam" and row.parameters["network.residual"]
    ]


# Plots


def test_the_history_goes_down_and_shows_the_pruned_ones(whole):
    shown = history(whole, 0, chosen=3)
    marks = {dot.trial: dot.mark for dot in shown.dots}
    assert {row.number for row in whole.trials if marks.get(row.number) == "pruned"} == {
        row.number for row in whole.trials if row.state == "pruned"
    }
    assert [trial for trial, mark in marks.items() if mark == "best"] == list(whole.best)
    assert "running" in marks.values()
    heights = [y for _, y in shown.line]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == whole.best_rows[0].values[0]
    assert shown.log_y
    assert shown.chosen == 3


def test_a_goal_that_grows_has_a_history_that_goes_up(tmp_path):
    state = read_tuning(make_full_tuning(tmp_path / "ssim", objectives=("ssim",)).folder.path)
    shown = history(state, 0)
    assert [y for _, y in shown.line] == sorted(y for _, y in shown.line)
    assert not shown.log_y


def test_trials_that_are_far_off_stand_at_the_edge_and_hide_no_difference(tmp_path):
    sample = make_tuning(tmp_path / "far")
    for value in (0.05, 0.06, 0.07, 0.08, 40.0):
        sample.add(values=(value,))
    sample.add("pruned", values=(30.0,))
    shown = history(read_tuning(sample.folder.path), 0)
    low, high = shown.limits
    assert low < 0.05 < 0.08 < high < 1
    assert [dot.mark for dot in shown.dots] == ["best", "random", "random", "random", "above", "pruned"]
    assert [dot.y for dot in shown.dots[-2:]] == [high, high]
    assert "40" in shown.dots[4].text
    assert not shown.log_y
    assert all(low <= y <= high for _, y in shown.line)


def test_two_goals_are_shown_against_each_other(several):
    shown = front(several, 0, 1)
    assert len(shown.dots) == len(several.done())
    assert [dot.trial for dot in shown.dots if dot.mark == "best"] == sorted(several.best)
    assert (shown.bottom, shown.left, shown.log_x) == ("Validation MSE", "Weights", True)


def test_trials_over_a_setting_have_named_places_or_a_scale(whole):
    words = against(whole, "optimizer", 0)
    assert words.ticks == ((0.0, "adam"), (1.0, "sgd"))
    features = against(whole, "network.features_main.0", 0)
    assert [name for _, name in features.ticks] == ["8", "16", "32"]
    rates = against(whole, "learning_rate", 0)
    assert rates.log_x
    assert not rates.ticks
    alpha = against(whole, "alpha", 0)
    assert {dot.trial for dot in alpha.dots} <= {row.number for row in whole.trials if "alpha" in row.parameters}


# Words


def test_settings_are_called_as_in_set_up():
    assert setting_label("network.features_main.1") == "Features 2"
    assert setting_label("network.residual") == "Residual learning"
    assert setting_label("weight_decay") == "Weight decay"


# A new one


def filled_in(*, rows=None, objectives=("mse",), **options):
    texts = {"epochs": "7", "trials": "5", "seed": "3"} | options
    return tune_config(
        Path("/data/mice.mri.zarr"),
        Path("/data/tunings/mice-1"),
        TrainConfig(optimizer="adam"),
        rows_of(default_space()) if rows is None else rows,
        objectives,
        dict(USUAL) | texts,
    )


def test_what_is_filled_in_becomes_a_configuration():
    config = filled_in(objectives=["ssim", "latency"], timeout_minutes="90")
    assert (config.name, config.study) == ("mice-1", "/data/mice.mri.zarr")
    assert (config.base.epochs, config.base.optimizer) == (7, "adam")
    assert config.space == default_space()
    assert (config.objectives, config.trials, config.seed, config.timeout_minutes) == (("ssim", "latency"), 5, 3, 90)
    assert filled_in().timeout_minutes is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"objectives": []}, "Tick at least one goal"),
        ({"rows": []}, "Tick at least one setting"),
        ({"rows": change_row(rows_of(default_space()), "learning_rate", text="fast")}, "learning_rate"),
        ({"epochs": "0"}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"trials": "0"}, "trials"),
        ({"seed": "-1"}, "seed"),
        ({"workers": "65"}, "from 1 to 64"),
        ({"workers": "two"}, "from 1 to 64"),
    ],
)
def test_what_makes_no_sense_is_told(change, said):
    with pytest.raises(InputError, match=said):
        filled_in(**change)


def test_every_sampler_and_pruner_that_is_offered_can_be_used_and_is_explained():
    for key in ("sampler", "pruner"):
        assert OPTIONS[key].choices == tuple(EXPLAINED[key])
        for choice in OPTIONS[key].choices:
            assert getattr(filled_in(**{key: choice}), key) == choice


def test_advice_is_given_where_something_else_could_be_expected():
    assert advice(["mse"], "median", 1) == ""
    assert advice(["mse", "ssim"], "none", 1) == ""
    assert "runs to its end" in advice(["mse", "ssim"], "median", 1)
    assert "cores" in advice(["mse"], "median", 64_000)


def test_presets_of_every_kind_are_offered():
    found = presets()
    assert found["quick"].kind == "unet"
    assert any(name.startswith("APDDM: ") and config.kind == "apddm" for name, config in found.items())


def test_a_folder_beside_the_study_is_proposed(tmp_path):
    study = tmp_path / "my mice.mri.zarr"
    assert TUNING.propose(study) == tmp_path / "tunings" / "my-mice-1"
    (tmp_path / "tunings" / "my-mice-1").mkdir(parents=True)
    assert TUNING.propose(study) == tmp_path / "tunings" / "my-mice-2"


def test_folders_that_are_taken_are_refused(tmp_path, empty):
    assert TUNING.problem(str(tmp_path / "new")) is None
    assert "already contains a tuning" in TUNING.problem(str(empty.path))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert "other files" in TUNING.problem(str(tmp_path / "full"))
    assert "full path" in TUNING.problem("tunings/new")
    assert "Choose a folder" in TUNING.problem(" ")
    assert "of its own" in TUNING.problem(str(tmp_path / "a.mri.zarr"))


@pytest.mark.parametrize("password", ["secret", "a/b:c@d", "für 100 %", ""])
def test_passwords_are_taken_out_of_addresses_and_put_back(password):
    bare = "postgresql://anna@server:5432/tuning?sslmode=require"
    full = with_password(bare, password)
    assert split_password(full) == (bare, password)
    assert password.isalnum() or not password or password not in full  # signs are encoded


def test_addresses_that_make_no_sense_are_told():
    assert storage_problem("postgresql://anna@server/tuning", "secret") is None
    assert storage_problem("grpc://server:13000", "") is None
    assert "Give the address" in storage_problem(" ", "")
    assert "isn't the address" in storage_problem("server/tuning", "")
    assert "isn't the address" in storage_problem("postgresql://[server/tuning", "")
    assert "name of a user" in storage_problem("postgresql://server/tuning", "secret")
    assert with_password("postgresql://server/tuning", "secret") == "postgresql://server/tuning"
    assert split_password("postgresql://[server") == ("postgresql://[server", "")


# Retraining


def test_the_best_is_retrained_at_full_length_with_the_computer_to_itself(whole):
    best = best_row(whole)
    row = replace(best, settings=dict(best.settings) | {"threads": 1, "device": "cuda:1", "name": "trial"})
    wanted = retraining(whole, row)
    assert wanted.study == Path("mice.mri.zarr")
    assert wanted.settings["epochs"] == 200
    assert wanted.settings["learning_rate"] == best.parameters["learning_rate"]
    assert (wanted.settings["threads"], wanted.settings["device"], wanted.settings["name"]) == (None, "auto", "")
    assert wanted.title == f"trial {best.number} of the tuning blobs"
    assert parse_config(wanted.settings).optimizer == best.parameters["optimizer"]


def test_settings_that_were_not_noted_follow_from_the_parameters(whole):
    best = best_row(whole)
    noted, derived = (retraining(whole, replace(best, settings=settings)) for settings in (best.settings, None))
    assert derived.settings["network"] == noted.settings["network"]
    assert derived.settings["learning_rate"] == noted.settings["learning_rate"]
    assert retraining(replace(whole, config=None), best) is None


def test_a_best_trial_that_is_worse_than_the_input_is_said_and_the_input_is_drawn(tmp_path):
    sample = make_tuning(tmp_path / "tuning", objectives=("mse",))
    sample.add("done", values=(1.642,), baseline={"mse": 0.045, "ssim": 0.8})
    state = read_tuning(sample.folder.path)
    assert "worse" in best_sentence(state)
    assert "0.045" in best_sentence(state)
    assert history(state, 0).level == 0.045
    sample.add("done", values=(0.02,), baseline={"mse": 0.045, "ssim": 0.8})
    assert "worse" not in best_sentence(read_tuning(sample.folder.path))
