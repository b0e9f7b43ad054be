"""The description of a scan as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_micromri.io.describe import info_from_json, info_to_json
from napari_micromri.scan import ScanInfo

INFO = ScanInfo(
    name="a",
    axes="bzyx",
    voxel_size=(0.6, 0.1, 0.1),
    b_values=(0.0, 100.0),
    averages=5,
    date="2024-05-14T09:08:07",
    quadruped=True,
)


def test_unknown_things_are_left_out() -> None:
    assert "subject" not in info_to_json(INFO)
    assert "quadruped" not in info_to_json(ScanInfo(name="a", axes="yx", voxel_size=(1.0, 1.0)))
    assert info_to_json(ScanInfo(name="a", axes="yx", voxel_size=(1.0, 1.0), echo_time=0.0))["echo_time"] == 0
    assert info_from_json(json.loads(json.dumps(info_to_json(INFO)))) == INFO


def test_numpy_values_in_the_provenance_become_plain() -> None:
    step = {"sigma": np.float32(0.5), "slices": np.arange(3), "nan": float("nan"), "nested": {"x": (1, 2)}}
    document = json.loads(json.dumps(info_to_json(INFO.with_step(step)), allow_nan=False))
    assert document["provenance"] == [{"sigma": 0.5, "slices": [0, 1, 2], "nan": "nan", "nested": {"x": [1, 2]}}]
    assert info_from_json(document).provenance == tuple(document["provenance"])


def test_what_a_later_version_added_is_left_aside() -> None:
    assert info_from_json(info_to_json(INFO) | {"format": 2, "coil": "surface"}) == INFO


@pytest.mark.parametrize(
    "damage",
    [
        {"name": 5},
        {"axes": "qq"},
        {"voxel_size": [1, 1]},
        {"voxel_size": "1 1 1"},
        {"voxel_size": [1, 1, -1]},
        {"direction": [[1, 0, 0]]},
        {"b_values": 5},
        {"provenance": ["text"]},
        {"averages": "many"},
        {"echo_time": []},
        {"date": 2024},
        {"quadruped": "yes"},
    ],
)
def test_damage_is_told(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"damaged|could not convert"):
        info_from_json(info_to_json(INFO) | damage)


def test_nothing_at_all() -> None:
    with pytest.raises(ValueError, match="damaged"):
        info_from_json({})
