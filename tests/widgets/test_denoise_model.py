from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_micromri.errors import InputError
from napari_micromri.widgets.denoise_model import DockState, Slices, selection, slice_count
from napari_micromri.widgets.shared.models import describe_texture, model_choices, step_choices, steps_taken
from napari_micromri.widgets.shared.pace import Pace, duration

READY = {"has_layers": True, "has_model": True}


@pytest.mark.parametrize(
    ("state", "preview", "denoise", "cancel", "hint"),
    [
        ({"has_layers": False, "has_model": True}, False, False, False, "Open a scan, or File > Open Sample"),
        ({"has_layers": True, "has_model": False}, False, False, False, "Choose a model file"),
        (READY, True, True, False, "Try one slice"),
        (READY | {"problem": "It is rotated."}, False, False, False, "It is rotated."),
        (READY | {"needs_path": True}, True, False, False, "Under More options"),
        (READY | {"running": True}, False, False, True, "You can keep working"),
        (READY | {"running": True, "stopping": True}, False, False, False, "Stopping"),
        (READY | {"has_result": True}, True, True, False, "Switch the new layer's eye"),
    ],
)
def test_only_what_makes_sense_can_be_clicked_and_the_hint_says_what(state, preview, denoise, cancel, hint):
    dock = DockState(**state)
    assert (dock.can_preview, dock.can_denoise, dock.can_cancel) == (preview, denoise, cancel)
    assert dock.hint.startswith(hint)


def test_all_slices_need_no_selection(make_scan):
    assert selection(make_scan(), Slices.ALL, slice_axis="z", position={}) == {}


@pytest.mark.parametrize(
    ("axes", "shape", "slice_axis", "expected"),
    [
        ("yx", (8, 6), "z", {}),
        ("zyx", (4, 8, 6), "z", {"z": range(1, 2)}),
        ("zyx", (4, 8, 6), "x", {"x": range(3, 4)}),
        ("tbzyx", (2, 3, 4, 8, 6), "z", {"t": range(1), "b": range(2, 3), "z": range(1, 2)}),
    ],
)
def test_the_slice_that_is_shown(make_scan, axes, shape, slice_axis, expected):
    position = {"t": 0, "b": 2, "z": 1, "y": 2, "x": 3}
    assert selection(make_scan(shape, axes), Slices.CURRENT, slice_axis=slice_axis, position=position) == expected


def test_a_range_has_both_its_ends(make_scan):
    found = selection(make_scan((5, 8, 6)), Slices.RANGE, slice_axis="z", position={}, first=1, last=3)
    assert found == {"z": range(1, 4)}
    assert selection(make_scan((8, 6), "yx"), Slices.RANGE, slice_axis="z", position={}) == {}


@pytest.mark.parametrize(("first", "last"), [(3, 1), (0, 5), (-1, 2)])
def test_a_range_outside_the_scan_is_refused(make_scan, first, last):
    with pytest.raises(InputError, match="which has slices 0 to 4"):
        selection(make_scan((5, 8, 6)), Slices.RANGE, slice_axis="z", position={}, first=first, last=last)


def test_slices_are_counted_across_the_chosen_axis(make_scan):
    scan = make_scan((5, 8, 6))
    assert [slice_count(scan, axis) for axis in "zyxt"] == [5, 8, 6, 1]


def test_models_are_shipped_ones_and_files(make_entry):
    choices = model_choices(
        [make_entry(), make_entry(name="path", kind="apddm")],
        [make_entry(name="mine", path=Path("/models/mine.safetensors"))],
    )
    assert [choice.label for choice in choices] == ["unet-default (UNet)", "path (APDDM)", "mine (UNet), file"]
    assert [choice.model for choice in choices] == ["unet-default", "path", Path("/models/mine.safetensors")]
    assert "0.59 million parameters" in choices[0].tooltip


def test_the_time_left_comes_from_the_pace_so_far():
    pace = Pace()
    assert pace.describe(0, 5, 90.0) == "Denoising 5 slices…"
    assert pace.describe(1, 5, 100.0) == "Slice 1 of 5, about 40 s left"
    assert pace.describe(3, 5, 120.0) == "Slice 3 of 5, about 20 s left"
    assert pace.describe(5, 5, 140.0) == "Slice 5 of 5"


@given(done=st.integers(0, 100), total=st.integers(1, 100), now=st.floats(-1e6, 1e6))
def test_odd_progress_is_put_into_words_too(done, total, now):
    pace = Pace()
    pace.describe(1, total, 0.0)
    start = f"Slice {done} of {total}" if done else f"Denoising {total} slice"
    assert pace.describe(done, total, now).startswith(start)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "about 1 s"), (59, "about 59 s"), (61, "about 2 min"), (3500, "about 59 min"), (4800, "about 1 h 20 min")],
)
def test_times_are_said_as_a_person_would(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("most", "choices"),
    [
        (1, (1,)),
        (2, (1, 2)),
        (8, (1, 2, 3, 5, 8)),
        (50, (1, 2, 3, 5, 10, 20, 30, 50)),
        (99, (1, 2, 3, 5, 10, 20, 30, 50)),
    ],
)
def test_the_slider_goes_from_one_step_to_what_the_model_can(most, choices):
    assert step_choices(most) == choices


def test_several_draws_take_at_least_two_steps():
    assert [steps_taken(steps, draws) for steps, draws in ((1, 1), (1, 4), (5, 4), (5, 1))] == [1, 2, 5, 5]
    assert describe_texture(1, 1).startswith("1 step: the most faithful")
    assert describe_texture(1, 4).startswith("2 steps; the mean of 4 draws")
    assert describe_texture(10, 1) == "10 steps: more texture, a part of it invented."
    assert "a little noise" in describe_texture(50, 1, some_noise=True)
