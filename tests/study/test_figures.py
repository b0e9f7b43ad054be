from __future__ import annotations

import math

import pytest

from napari_micromri.study.figures import SliceFigures, columns_of


def test_columns_are_seen_as_one_entry_per_slice() -> None:
    figures = SliceFigures({"snr": [1.5, None, 3], "ghost": [0, 1, 2]})
    assert len(figures) == 3
    assert figures[2] == {"snr": 3, "ghost": 2}
    assert math.isnan(figures[1]["snr"])
    assert figures[:1] == [{"snr": 1.5, "ghost": 0}]
    assert math.isnan(figures.column("nothing")[0])
    assert not SliceFigures({})


def test_the_way_to_the_file_and_back_keeps_six_digits() -> None:
    rows = ({"snr": 1 / 3, "ghost": math.nan}, {"snr": 1e-12}, {"ghost": math.inf})
    columns = columns_of(rows)
    assert columns == {"snr": [0.333333, 1e-12, None], "ghost": [None, None, None]}
    assert SliceFigures(columns) == rows
    assert SliceFigures(columns) != rows[:2]


@pytest.mark.parametrize("columns", [{"snr": "12"}, {"snr": ["12"]}, {"snr": [[1]]}, {"snr": [True]}])
def test_what_is_no_number_is_refused(columns: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="'snr'"):
        SliceFigures(columns)


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="slices"):
        SliceFigures({"snr": [1], "ghost": [1, 2]})
