"""Evaluating diffusion models: steps and draws are part of what is evaluated, and a stop changes no draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from apddm_samples import random_apddm
from evaluation_samples import Repeater, make_test_study
from napari_micromri.errors import CancelledError, InputError, WriteError
from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.measure.evaluation import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.folder import JOURNAL
from napari_micromri.measure.evaluation.summary import as_text
from napari_micromri.measure.metrics import assess

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.nn.families.apddm.restorer import ApddmRestorer
    from napari_micromri.study.store import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_test_study(tmp_path / "mice.mri.zarr", tested=1)


@pytest.fixture
def apddm() -> ApddmRestorer:
    """Give a diffusion model of random weights."""
    return random_apddm(2, 4)


def options(**chosen: int) -> EvaluationOptions:
    return EvaluationOptions(device="cpu", **chosen)


def test_a_slice_is_that_of_the_denoised_scan(study: Study, apddm: ApddmRestorer, tmp_path: Path) -> None:
    found = evaluate(study, [apddm, Repeater()], "test", tmp_path / "out", options(draws=2))
    [pair] = study.pairs("test")
    lr, hr = study.scans(pair.key)
    how = DenoiseOptions(device="cpu", precision="float32", draws=2, batch_size=1)
    whole, crop = denoise(lr, apddm, how).read(), pair.marks.crop
    assert crop is not None
    inside = slice(crop.top, crop.bottom), slice(crop.left, crop.right)
    rows = [row for row in found.rows if row.method == "tiny"]
    assert [row.index for row in rows] == [1, 2, 3]
    for row in rows:
        expected = assess(whole[row.index][inside] / row.lr_mean, hr.read()[row.index][inside] / row.lr_mean)
        assert row.mse == pytest.approx(expected.mse, rel=1e-4)
    assert dict(found.setup.models[0].sampling or {}) == {"steps": 5, "draws": 2, "eta": 1.0, "seed": 0}
    assert found.setup.models[1].sampling is None
    assert "tiny: 5 steps, 2 draws\n" in as_text(found)
    assert "5 steps, 2 draws" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_draws_are_the_same_after_a_stop(study: Study, apddm: ApddmRestorer, tmp_path: Path) -> None:
    asked: list[None] = []

    def should_stop() -> bool:
        asked.append(None)
        return len(asked) > 2

    evaluate(study, [apddm], "test", tmp_path / "whole", options(draws=2))
    with pytest.raises(CancelledError):
        evaluate(study, [apddm], "test", tmp_path / "part", options(draws=2), should_stop=should_stop)
    evaluate(study, [apddm], "test", tmp_path / "part", options(draws=2))
    one, other = ((tmp_path / name / JOURNAL).read_bytes() for name in ("whole", "part"))
    assert one == other


def test_other_steps_or_draws_are_not_mixed_in(study: Study, apddm: ApddmRestorer, tmp_path: Path) -> None:
    evaluate(study, [apddm], "test", tmp_path / "out", options())
    evaluate(study, [apddm], "test", tmp_path / "out", options(steps=1, draws=1))
    for other in (options(steps=3), options(draws=2)):
        with pytest.raises(WriteError, match="other steps, draws, quality or dark air"):
            evaluate(study, [apddm], "test", tmp_path / "out", other)


@pytest.mark.parametrize(
    ("chosen", "words"), [({"quality": "best"}, "quality best"), ({"dark_air": True}, "dark air")], ids=str
)
def test_quality_and_dark_air_are_for_all_models_and_not_mixed_in(
    study: Study,
    apddm: ApddmRestorer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, Any],
    words: str,
) -> None:
    # The small slices of the study hold too little air to find their noise in it.
    monkeypatch.setattr("napari_micromri.inference.slices.darken_air", lambda image, fast, factor: image - 1)
    found = evaluate(study, [apddm], "test", tmp_path / "out", EvaluationOptions(device="cpu", **chosen))
    [pair] = study.pairs("test")
    lr, hr = study.scans(pair.key)
    how = DenoiseOptions(device="cpu", precision="float32", **chosen)
    whole, crop = denoise(lr, apddm, how).read(), pair.marks.crop
    assert crop is not None
    inside = slice(crop.top, crop.bottom), slice(crop.left, crop.right)
    row = next(row for row in found.rows if row.method == "tiny")
    expected = assess(whole[row.index][inside] / row.lr_mean, hr.read()[row.index][inside] / row.lr_mean)
    assert row.mse == pytest.approx(expected.mse, rel=1e-4)
    plain = evaluate(study, [apddm], "test", tmp_path / "plain", options())
    assert row.mse != next(row for row in plain.rows if row.method == "tiny").mse
    assert f"1 step, 1 draw, {words}" in as_text(found)
    with pytest.raises(WriteError, match="other steps, draws, quality or dark air"):
        evaluate(study, [apddm], "test", tmp_path / "out", options())


def test_what_no_model_can_do_is_refused_before_anything_is_written(
    study: Study, apddm: ApddmRestorer, tmp_path: Path
) -> None:
    for models, chosen, sentence in (
        ([Repeater()], options(steps=3), "none is among these"),
        ([apddm], options(steps=9), "takes 1 to 8 steps, not 9"),
        ([apddm, Repeater()], options(steps=1, draws=4), "In one step all draws are alike"),
    ):
        with pytest.raises(InputError, match=sentence):
            evaluate(study, models, "test", tmp_path / "out", chosen)
    assert not (tmp_path / "out").exists()
