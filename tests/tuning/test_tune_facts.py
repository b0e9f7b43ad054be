"""What a report says of a tuning, against figures that can be worked out by hand."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import InputError, OutputExistsError
from napari_micromri.training.config import make_config, parse_config
from napari_micromri.training.folder import RunFolder
from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.report.facts import Facts
from napari_micromri.tuning.report.settings_file import settings_of, write_settings
from napari_micromri.tuning.report.table import write_table
from napari_micromri.tuning.report.text import as_text, summarise
from napari_micromri.tuning.space import Choice, Float, Int
from napari_micromri.tuning.words import condition, figure, parameter, setting
from tuning_samples import Sample, make_full_tuning, make_tuning

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.state import Value


@pytest.fixture
def by_hand(tmp_path: Path) -> Sample:
    """0.5 to begin with, random 0.8 and 0.6 (the second pruned), then 0.7 and 0.4."""
    sample = make_tuning(tmp_path / "tuning", sampler_options={"n_startup_trials": 1}, trials=5)
    sample.add(given=True, values=(0.5,))
    sample.add(values=(0.8,))
    sample.add("pruned", values=(0.3,))  # its curve at half time: 0.3 (1 + 2 / 4) = 0.45
    sample.add(values=(0.7,))
    sample.add(values=(0.4,))
    return sample


def test_the_best_beside_chance_and_the_beginning(by_hand: Sample) -> None:
    facts = Facts(read_tuning(by_hand.folder.path))
    [standing] = facts.standings
    assert (standing.best.number, standing.given, standing.spread) == (4, 0.5, None)
    assert standing.random == (0.8,)
    assert standing.suggested == pytest.approx((0.45, 0.7, 0.4))
    assert (standing.random_median, standing.wins) == (0.8, 1.0)
    assert standing.top == (0.4, 0.5, 0.7, 0.8)
    assert [row.number for row in facts.top()] == [4, 0, 3, 1]


def test_how_long_it_took(by_hand: Sample) -> None:
    times = Facts(read_tuning(by_hand.folder.path)).times
    assert (times.wall, times.work, times.trial) == (4 * 30 + 50, 5 * 50, 50)
    assert (times.epochs, times.pruned_epochs) == (4 * 8 + 4, 4)


def test_more_is_better_for_ssim_and_ties_count_half(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning", objectives=("ssim",), sampler_options={"n_startup_trials": 1}, trials=4)
    for value in (0.7, 0.8, 0.8, 0.9):
        sample.add(values=(value,))
    [standing] = Facts(read_tuning(tmp_path / "tuning")).standings
    assert (standing.best.number, standing.random) == (3, (0.7, 0.8))
    assert standing.wins == pytest.approx((1 + 0.5 + 1 + 1) / 4)


def test_cautions(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning", trials=30)
    assert list(Facts(read_tuning(tmp_path / "tuning")).cautions) == ["No trial is done yet."]
    sample.add(given=True, values=(0.5,))
    for _ in range(20):
        sample.add(values=(0.505,))
    sample.add("running")
    said = " ".join(Facts(read_tuning(tmp_path / "tuning")).cautions)
    assert "21 of 30 trials have finished, 1 is running" in said
    assert "The best 10 trials differ by 1 % only" in said
    assert "No trial beat the settings that the tuning began with" in said
    assert "hardly begun" not in said
    for _ in range(22):
        sample.add("failed")
    assert "More trials failed than finished" in " ".join(Facts(read_tuning(tmp_path / "tuning")).cautions)


def test_several_objectives_have_a_front_and_a_standing_each(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning", objectives=("mse", "latency"), trials=3)
    for values in ((0.5, 0.02), (0.3, 0.03), (0.4, 0.04)):
        sample.add(values=values)
    facts = Facts(read_tuning(tmp_path / "tuning"))
    assert [row.number for row in facts.top()] == [1, 0]
    assert [one.best.number for one in facts.standings] == [1, 0]
    assert as_text(facts.state).count("Best: trial") == 2


def test_settings_can_be_trained_with_again(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=6)
    sample.add(values=(0.001,))
    state = read_tuning(tmp_path / "tuning")
    [best] = state.best_rows
    write_settings(tmp_path / "best.json", state, best)
    config = make_config(None, tmp_path / "best.json")
    assert config == parse_config(settings_of(state, best))
    assert config.learning_rate == best.parameters["learning_rate"]
    assert config.network.features_main[0] == best.parameters["network.features_main.0"]
    assert config.network.features_main[1:] == sample.config.base.network.features_main[1:]
    assert config.epochs == sample.config.base.epochs
    with pytest.raises(OutputExistsError):
        write_settings(tmp_path / "best.json", state, best)


def test_workers_give_runs_names_and_threads_that_are_not_searched(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    given = sample.config.base.model_dump(mode="json")
    sample.add(config=given | {"name": "blobs 0", "threads": 2})
    state = read_tuning(tmp_path / "tuning")
    found = settings_of(state, state.trials[0])
    assert (found["name"], found["threads"]) == ("", None)


def test_settings_of_a_trial_that_says_nothing_come_from_its_run_or_the_space(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    for _ in range(2):
        sample.add(config=None)
    sample.folder.runs.mkdir(exist_ok=True)
    config = sample.config.base.model_dump(mode="json") | {"seed": 77}
    RunFolder(sample.run_of(0)).create({"study": "study", "config": config})
    state = read_tuning(tmp_path / "tuning")
    assert settings_of(state, state.trials[0])["seed"] == 77
    found = settings_of(state, state.trials[1])
    assert (found["seed"], found["learning_rate"]) == (0, state.trials[1].parameters["learning_rate"])


def test_the_table_has_all_trials_in_full_precision(tmp_path: Path) -> None:
    make_full_tuning(tmp_path / "tuning", trials=12)
    state = read_tuning(tmp_path / "tuning")
    write_table(tmp_path / "trials.csv", state)
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(state.trials)
    for row, trial in zip(rows, state.trials, strict=True):
        assert (int(row["trial"]), row["state"], row["origin"]) == (trial.number, trial.state, trial.origin)
        assert (float(row["mse"]) if row["mse"] else None) == (trial.values[0] if trial.values else None)
        assert float(row["learning_rate"]) == trial.parameters["learning_rate"]
        assert bool(row["alpha"]) == ("alpha" in trial.parameters)
        assert row["run"] == str(trial.run)
    assert [int(row["trial"]) for row in rows if row["best"] == "1"] == list(state.best)
    with pytest.raises(OutputExistsError):
        write_table(tmp_path / "trials.csv", state)


def test_figures_for_scripts_are_json(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=24)
    sample.add(values=(float("inf"),))
    state = read_tuning(tmp_path / "tuning")
    found = json.loads(json.dumps(summarise(state), allow_nan=False))
    assert found["best"][0]["number"] == state.best[0]
    assert parse_config(found["best"][0]["settings"]).seed == 0
    assert found["standings"]["mse"]["best"] == state.best_rows[0].values[0]
    assert found["importances"]["mse"].keys() == state.config.space.parameters.keys()
    assert found["trials"][-1]["values"] == {"mse": None}
    assert (found["retried"], len(found["trials"])) == (1, len(state.trials))


def test_text_of_a_tuning_without_trials(tmp_path: Path) -> None:
    make_tuning(tmp_path / "tuning")
    text = as_text(read_tuning(tmp_path / "tuning"))
    assert text == "blobs: 0 of 24 trials finished (none yet)\n\nNo trial is done yet."


def test_a_trial_that_was_interrupted_and_continues_has_not_failed(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    for state, about in (("failed", {}), ("failed", {}), ("failed", {"retry_of": 1}), ("waiting", {"retry_of": 2})):
        sample.add(state, **about)
    sample.add()
    state = read_tuning(tmp_path / "tuning")
    assert (state.lost, state.retried) == (1, 2)
    assert "1 of 24 trials finished (1 waiting, 1 done, 1 failed, 2 continued)" in as_text(state)


def test_a_study_of_somebody_else_has_no_settings(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add(config=None, run="")
    state = read_tuning(tmp_path / "tuning")
    theirs = replace(state, config=None)
    assert settings_of(theirs, state.trials[0]) is None
    with pytest.raises(InputError, match="Nothing says what the settings of trial 0"):
        write_settings(tmp_path / "settings.json", theirs, state.trials[0])
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize(
    ("objective", "value", "text"),
    [
        ("mse", 0.0123456, "0.01235"),
        ("ssim", 0.98765, "0.9877"),
        ("latency", 0.01234, "12.3 ms"),
        ("parameters", 1234567.0, "1.23 M"),
        ("parameters", 4321.0, "4321"),
        ("mse", float("inf"), "–"),
        ("mse", None, "–"),
    ],
)
def test_figures_in_words(objective: str, value: float | None, text: str) -> None:
    assert figure(objective, value) == text


def test_settings_in_words() -> None:
    values: list[Value] = [0.000123456, False, "adam", None, 64]
    assert list(map(setting, values)) == ["0.0001235", "false", "adam", "none", "64"]
    assert parameter(Choice(values=(True, 3, "adam", (8, 16)))) == "true, 3, adam, [8, 16]"
    assert parameter(Float(low=1e-5, high=0.01, log=True)) == "1e-05 to 0.01, log"
    assert parameter(Int(low=8, high=64, step=8)) == "8 to 64, step 8"
    assert parameter(Float(low=0, high=1, when={"loss": ("hybrid",)})) == "0.0 to 1.0"
    assert condition({"loss": ("hybrid", "mse"), "decay": (0.5,)}) == "loss is hybrid or mse and decay is 0.5"
