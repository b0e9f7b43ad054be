"""Which slices are read, how they are counted, and what is put in their gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.inference.plan import Plan, fill_gaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.scan import Scan


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({}, list(range(30))),
        ({"z": range(1, 3)}, [1, 2, 6, 7, 11, 12, 16, 17, 21, 22, 26, 27]),
        ({"t": range(1, 2), "b": range(1, 3), "z": range(4, 5)}, [24, 29]),
    ],
)
def test_slices_have_the_numbers_that_they_have_in_the_whole_scan(
    make_scan: Callable[..., Scan], select: dict[str, range], expected: list[int]
) -> None:
    scan = make_scan((2, 3, 5, 8, 6), "tbzyx", b_values=(0.0, 100.0, 500.0))
    plan, found, done = Plan.of(scan, select, "z", 2), list[int](), 0
    whole = np.asarray(scan.data).reshape(30, 8, 6)
    while done < plan.total:
        batch = plan.batch(done, 2)
        numbers = plan.numbers(batch)
        np.testing.assert_array_equal(plan.to_stack(np.asarray(scan.data[batch.source])), whole[numbers])
        found += numbers
        done += batch.count
    assert found == expected


def test_a_choice_of_slices_keeps_its_place_and_its_weightings(make_scan: Callable[..., Scan]) -> None:
    scan = make_scan((3, 5, 8, 6), "bzyx", b_values=(0.0, 100.0, 500.0), origin=(2.0, 0.0, 0.0))
    plan = Plan.of(scan, {"b": range(1, 3), "z": range(3, 5)}, "z", 2)
    assert plan.info.b_values == (100.0, 500.0)
    assert plan.info.origin[0] == pytest.approx(2.0 + 3 * 0.6)
    assert plan.shape == (2, 2, 16, 12)


def test_gaps_are_filled_with_nothing_and_remembered() -> None:
    given = np.array([[1.0, np.nan, np.inf], [2.0, -np.inf, 1e300]])
    filled, gaps = fill_gaps(given)
    np.testing.assert_array_equal(filled, [[1, 0, 0], [2, 0, 0]])
    assert gaps is not None
    np.testing.assert_array_equal(gaps, [[False, True, True], [False, True, True]])
    assert fill_gaps(filled)[1] is None
