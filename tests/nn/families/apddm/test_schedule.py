from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from napari_micromri.nn.families.apddm.schedule import (
    SCHEDULE,
    Bridge,
    ConstantVariance,
    Parabola,
    Points,
    Sine,
    accumulated,
    accumulated_parabola,
    noise_levels,
)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 100, 1000])
def test_the_closed_form_is_the_sum(steps: int) -> None:
    t = np.arange(steps + 1)
    np.testing.assert_allclose(accumulated_parabola(t, steps), accumulated(Parabola(), steps), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("steps", [2, 10, 100])
def test_the_end_of_the_closed_form_is_equation_28(steps: int) -> None:
    assert accumulated(Parabola(), steps)[-1] == pytest.approx(8 / 15 * (steps**4 - 1) / steps**3)


def test_the_bridge_s_variance_is_known() -> None:
    # sum of 4 a (1 - a) over t = 1..T is (2/3) (T^2 - 1) / T
    assert accumulated(Bridge(), 50)[-1] == pytest.approx(2 / 3 * (50**2 - 1) / 50)


def test_constant_variance_grows_linearly() -> None:
    np.testing.assert_array_equal(accumulated(ConstantVariance(), 5), [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize("schedule", [Parabola(), Sine(), Bridge(), Points((0.0, 1.0, 0.0))])
def test_schedules_are_one_in_the_middle_and_zero_at_both_ends(schedule: object) -> None:
    levels = noise_levels(schedule, 10)
    assert levels[5] == pytest.approx(1)
    np.testing.assert_allclose(levels[[0, 10]], 0, atol=1e-12)


def test_points_are_joined_by_straight_lines() -> None:
    np.testing.assert_allclose(noise_levels(Points((0.0, 2.0)), 4), [0, 0.5, 1, 1.5, 2])


@pytest.mark.parametrize("schedule", [Parabola(), Sine(), Bridge(), ConstantVariance(), Points((0.0, 1.0))])
def test_a_schedule_survives_a_file(schedule: object) -> None:
    assert SCHEDULE.validate_json(SCHEDULE.dump_json(schedule)) == schedule


@pytest.mark.parametrize("document", ['{"name": "zigzag"}', '{"name": "points", "values": [1]}', '{"name": "points"}'])
def test_a_schedule_that_makes_no_sense_is_refused(document: str) -> None:
    with pytest.raises(ValidationError):
        SCHEDULE.validate_json(document)
