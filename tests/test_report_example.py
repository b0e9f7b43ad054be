"""The settings of `examples/report` are known to training and tuning, and its scans lie in the report's folders."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_micromri.io import open_scan
from napari_micromri.training.config import make_config
from napari_micromri.tuning.space_file import read_space

FOLDER = Path(__file__).parents[1] / "examples/report"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_each_size_trains_and_searches_what_there_is(example: Any) -> None:
    for scale in example("reproduce").SCALES.values():
        make_config("first-run", settings=scale.first)
        make_config("tuned", settings=(*scale.tuned, *scale.trial))
        assert scale.space is None or read_space(scale.space)


def test_a_colony_has_the_reports_folders_and_says_which_slices_it_spoilt(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colony = example("colony")
    y, x = np.mgrid[-1:1:40j, -1:1:40j]
    body = np.broadcast_to(np.exp(-4 * (y**2 + x**2)), (8, 40, 40)).astype(np.float32)
    monkeypatch.setattr(colony, "digital_mouse_volume", lambda mouse, plane: body)
    monkeypatch.setattr(colony, "BAD", 0.5)
    colony.make_colony(tmp_path, (6,), 4)
    planted = json.loads((tmp_path / "planted.json").read_text())
    assert set(planted) == {f"Mouse06/{region}/{plane}" for region in colony.REGIONS for plane in colony.PLANES}
    assert any(planted.values())
    for region, plane in (key.split("/")[1:] for key in planted):
        name = f"{region.upper()}/Mouse06/{plane.capitalize()}.nii.gz"
        [fast], [good] = (open_scan(tmp_path / f"{quality} RES" / name) for quality in ("LOW", "HIGH"))
        assert fast.shape[0] == good.shape[0] == 4
        np.testing.assert_allclose(fast.extent, good.extent, atol=1e-5)
