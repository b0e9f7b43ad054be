"""Estimates from a process of their own."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import CancelledError, TrainingError
from napari_micromri.study.model import Assign
from napari_micromri.training.forecast import _understand, forecast, main
from study_samples import make_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig


def test_an_estimate_comes_from_another_process(tmp_path: Path, make_config: Callable[..., TrainConfig]) -> None:
    study = make_study(tmp_path / "mice.mri.zarr")
    study.apply([Assign("mouse 03", "validation")])
    found = forecast(make_config(), study.path)
    assert found.seconds_per_epoch > 0
    assert found.memory > 1000
    assert found.device == "cpu"


def test_what_training_would_refuse_is_the_answer(
    tmp_path: Path,
    make_config: Callable[..., TrainConfig],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = make_study(tmp_path / "mice.mri.zarr")  # where nobody is set aside for validation
    question = json.dumps({"study": str(study.path), "config": make_config().model_dump(mode="json")})
    monkeypatch.setattr("napari_micromri.runs.process.NICENESS", 0)
    monkeypatch.setattr(sys, "stdin", io.StringIO(question))
    assert main() == 0
    answer = capsys.readouterr().out
    with pytest.raises(TrainingError, match="validation"):
        _understand(answer, "")


def test_an_estimate_can_be_stopped(tmp_path: Path, make_config: Callable[..., TrainConfig]) -> None:
    with pytest.raises(CancelledError):
        forecast(make_config(), tmp_path, should_stop=lambda: True)


def test_a_process_that_dies_without_an_answer_is_told(
    tmp_path: Path, make_config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TrainingError, match="killed"):
        forecast(make_config(), tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(TrainingError, match="gone"):
        forecast(make_config(), tmp_path)
