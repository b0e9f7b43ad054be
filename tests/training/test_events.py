"""Events survive their line of JSON, and a damaged line is passed over."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest

from napari_micromri.runs.events import Event, Failed, from_line, to_line
from napari_micromri.training import events
from napari_micromri.training.events import Epoch, Metrics

METRICS = Metrics(loss=0.5, mse=0.25, mae=0.125, psnr=20.0, ssim=0.75)


def _example(kind: type[Event]) -> Event:
    values = {"int": 3, "float": 0.1, "str": "naïve\nμ", "bool": True, "Metrics": METRICS}
    return kind(**{f.name: values[str(f.type)] for f in fields(kind)})


@pytest.mark.parametrize("kind", events.KINDS.values(), ids=lambda kind: kind.__name__)
def test_every_event_comes_back_as_it_was(kind: type[Event]) -> None:
    event = _example(kind)
    line = to_line(event)
    assert "\n" not in line
    assert json.loads(line)["event"] == kind.name
    assert from_line(line, events.KINDS) == event


def test_figures_that_are_not_numbers_are_null_in_the_file() -> None:
    undefined = Metrics(loss=0.5, mse=0.25, mae=0.1, psnr=math.inf, ssim=math.nan)
    line = to_line(
        Epoch(epoch=1, train_loss=1, validation=undefined, baseline=METRICS, learning_rate=1e-3, seconds=2, best=True)
    )
    assert json.loads(line)["validation"]["ssim"] is None
    read = from_line(line, events.KINDS)
    assert isinstance(read, Epoch)
    assert math.isnan(read.validation.ssim)
    assert read.validation.mse == 0.25


def test_the_signal_quality_comes_from_the_mean_absolute_errors() -> None:
    noisy = Metrics(loss=1, mse=1, mae=0.5, psnr=1, ssim=0.1)
    epoch = Epoch(epoch=1, train_loss=1, validation=METRICS, baseline=noisy, learning_rate=1, seconds=1, best=True)
    assert (epoch.noise, epoch.recon_error) == (0.5, 0.125)


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "3", '{"event": "failed"}', '{"event": "from the future", "time": 1}', '{"event": [], "time": 1}'],
)
def test_lines_that_make_no_sense_are_passed_over(line: str) -> None:
    assert from_line(line, events.KINDS) is None


def test_unknown_fields_of_a_later_version_are_passed_over() -> None:
    assert from_line('{"event": "failed", "time": 1.5, "message": "no", "mood": 3}', events.KINDS) == Failed(
        time=1.5, message="no"
    )
