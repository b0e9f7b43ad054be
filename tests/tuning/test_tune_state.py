"""Which trials are best, and where the parameters of each come from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.rows import find_origins, start_up_trials
from napari_micromri.tuning.state import TrialRow, best_trials
from tuning_samples import BEGAN, make_tuning, make_tuning_config

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.config import Direction

FIGURES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20)


def rows(values: list[tuple[float, ...]], **about: Any) -> tuple[TrialRow, ...]:
    usual: dict[str, Any] = {"state": "done", "parameters": {}, "started": None, "seconds": None, "epoch": 1}
    usual |= {"epochs_planned": 1, "run": None, "worker": "", "reason": "", "curve": ()}
    return tuple(TrialRow(number=k, values=value, **usual | about) for k, value in enumerate(values))


@given(FIGURES)
def test_the_pareto_front_is_what_no_other_trial_beats(values: list[tuple[int, int]]) -> None:
    directions: tuple[Direction, Direction] = ("minimize", "maximize")
    front = best_trials(rows([tuple(map(float, pair)) for pair in values]), directions)
    beaten = {k for k, (x, y) in enumerate(values) if any((a <= x and b >= y) and (a, b) != (x, y) for a, b in values)}
    assert set(front) == set(range(len(values))) - beaten
    first = [values[k][0] for k in front]
    assert first == sorted(first)


def test_the_best_of_one_objective_is_the_first_of_equals() -> None:
    assert best_trials(rows([(2.0,), (1.0,), (1.0,)]), ("minimize",)) == (1,)
    assert best_trials(rows([(2.0,), (1.0,), (2.0,)]), ("maximize",)) == (0,)
    assert best_trials(rows([(2.0,)], state="pruned"), ("minimize",)) == ()


def test_random_is_what_began_before_enough_trials_had_ended(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning", sampler_options={"n_startup_trials": 3})
    sample.add(given=True)
    for _ in range(5):
        sample.add()
    # Each lasts 50 s and begins 30 s after the one before: when trial 4 begins, at 120 s, trials 0 to 2 have ended.
    trials = sample.study.get_trials()
    assert find_origins(trials, sample.config) == ["given", "random", "random", "random", "suggested", "suggested"]
    trials[2].datetime_complete = BEGAN + timedelta(hours=1)
    assert find_origins(trials, sample.config)[4:] == ["random", "suggested"]
    assert [row.origin for row in read_tuning(tmp_path / "tuning").trials[3:]] == ["random", "suggested", "suggested"]


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, 10),
        ({"sampler": "random"}, None),
        ({"sampler": "nsgaii", "sampler_options": {"population_size": 8}}, 8),
        ({"sampler": "gp"}, 10),
        ({"sampler_options": {"n_startup_trials": 0}}, 0),
    ],
)
def test_how_many_trials_a_sampler_draws_at_random(fields: dict[str, Any], needed: int | None) -> None:
    assert start_up_trials(make_tuning_config(**fields)) == needed


def test_what_is_gone_on_with_keeps_its_origin(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning", sampler_options={"n_startup_trials": 2})
    sample.add("failed", given=True)
    for _ in range(3):
        sample.add()
    sample.add(retry_of=0)
    origins = find_origins(sample.study.get_trials(), sample.config)
    assert origins == ["given", "random", "random", "random", "given"]
