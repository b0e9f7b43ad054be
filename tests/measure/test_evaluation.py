"""Evaluating models on a study: the right slices, the right figures, going on after a stop, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from evaluation_samples import Repeater, make_test_study
from napari_micromri.errors import CancelledError, ModelError, StudyError, WriteError
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.folder import FILES, JOURNAL
from napari_micromri.measure.evaluation.models import trained_on
from napari_micromri.measure.evaluation.rows import NEAREST, SINC, SliceRow
from napari_micromri.measure.metrics import assess
from napari_micromri.study.model import Exclude
from napari_micromri.study.store import Study
from study_samples import make_pair, make_scans

TESTED = 7
"""Slices of the test set: 4 + 4, one excluded."""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_test_study(tmp_path / "mice.mri.zarr")


def _table(folder: Path) -> list[dict[str, str]]:
    with (folder / "evaluation.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("evaluation.csv", "summary.json", JOURNAL)}


# -- what is measured


def test_every_kept_slice_of_the_set_is_measured_by_every_method(study: Study, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = evaluate(
        study, [Repeater()], "test", tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    lines = _table(tmp_path / "out")
    assert len(lines) == TESTED * 3
    assert {line["subject"] for line in lines} == {"mouse 01", "mouse 02"} == set(found.subjects)
    assert {line["method"] for line in lines} == {NEAREST, SINC, "repeater"}
    assert [line["slice"] for line in lines if line["subject"] == "mouse 01"] == ["1"] * 3 + ["2"] * 3 + ["3"] * 3
    assert seen[0] == (0, TESTED)
    assert seen[-1] == (TESTED, TESTED)
    assert found.problems == ()


def test_the_figures_are_those_of_the_cropped_images_in_units_of_the_lr_mean(study: Study, tmp_path: Path) -> None:
    [pair] = [p for p in study.pairs("test") if p.marks.crop]
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    cut = study.read_slice(pair.key, 2, crop=True)
    unit = float(cut.lr.mean(dtype=float))
    expected = assess(cut.lr.repeat(2, 0).repeat(2, 1) / unit, cut.hr / unit)
    for method in (NEAREST, "repeater"):
        [line] = [x for x in _table(tmp_path / "out") if (x["key"], x["slice"], x["method"]) == (pair.key, "2", method)]
        assert float(line["mse"]) == pytest.approx(expected.mse, rel=1e-5)
        assert float(line["psnr_db"]) == pytest.approx(expected.psnr, rel=1e-5)
        assert float(line["ssim"]) == pytest.approx(expected.ssim, rel=1e-5)
        assert float(line["lr_mean"]) == pytest.approx(unit, rel=1e-6)


def test_a_slice_is_denoised_whole_and_then_cropped(study: Study, tmp_path: Path) -> None:
    shapes: list[tuple[int, ...]] = []

    class Noting(Repeater):
        def restore(self, slices, tile=None, noise=None):
            shapes.append(tuple(slices.shape[-2:]))
            return super().restore(slices, tile)

    evaluate(study, [Noting()], "test", tmp_path / "out")
    assert set(shapes) == {(16, 24)}


def test_a_dark_model_has_its_bias_measured(study: Study, tmp_path: Path) -> None:
    found = evaluate(study, [Repeater(), Repeater("dark", gain=0.9)], "test", tmp_path / "out")
    biases = {name: fmean(r.bias for r in found.rows if r.method == name) for name in ("repeater", "dark")}
    assert biases["dark"] == pytest.approx(0.9 * (1 + biases["repeater"]) - 1, abs=1e-6)


def test_the_summary_is_valid_json_with_all_that_was_asked(study: Study, tmp_path: Path) -> None:
    found = evaluate(study, [Repeater()], "test", tmp_path / "out", EvaluationOptions(command="micromri evaluate ..."))
    document = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert document["evaluation"]["study_fingerprint"] == study.fingerprint("test")
    assert document["command"] == "micromri evaluate ..."
    assert document["slices"] == TESTED
    mean = document["overall"]["repeater"]["ssim"]["mean"]
    by_hand = [fmean(r.ssim for r in found.rows if (r.method, r.subject) == ("repeater", s)) for s in found.subjects]
    assert mean == pytest.approx(fmean(by_hand))
    assert len(document["curves"]["repeater"]["ring"]) == len(document["curves"]["cycles_per_pixel"])


# -- going on


def test_an_evaluation_that_was_stopped_goes_on_and_finds_the_same(study: Study, tmp_path: Path) -> None:
    evaluate(study, [Repeater()], "test", tmp_path / "whole")
    asked: list[None] = []

    def should_stop() -> bool:
        asked.append(None)
        return len(asked) > 1

    with pytest.raises(CancelledError):
        evaluate(study, [Repeater()], "test", tmp_path / "part", should_stop=should_stop)
    assert not (tmp_path / "part" / "evaluation.csv").exists()
    model = Repeater()
    evaluate(study, [model], "test", tmp_path / "part")
    assert _contents(tmp_path / "part") == _contents(tmp_path / "whole")
    left, pictures = TESTED - 1, 5
    assert model.count == left + pictures


def test_a_torn_last_line_is_done_again(study: Study, tmp_path: Path) -> None:
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    whole = _contents(tmp_path / "out")
    journal = tmp_path / "out" / JOURNAL
    journal.write_bytes(whole[JOURNAL][:-200])
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    assert _contents(tmp_path / "out") == whole


def test_nothing_is_measured_twice(study: Study, tmp_path: Path) -> None:
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    before = (tmp_path / "out" / JOURNAL).stat().st_mtime_ns
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    assert (tmp_path / "out" / JOURNAL).stat().st_mtime_ns == before


SCRIPT = """
import sys
sys.path[:0] = sys.argv[3:]
from evaluation_samples import Repeater
from napari_micromri.measure.evaluation.evaluator import evaluate
from napari_micromri.study.store import Study

def note(done, total):
    print(done, flush=True)
    if done == 10:
        sys.stdin.read()  # until it is killed

evaluate(Study.open(sys.argv[1]), [Repeater()], "test", sys.argv[2], progress=note)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_killed_evaluation_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    study = make_test_study(tmp_path / "mice.mri.zarr", slices=12)
    out = tmp_path / "killed"
    command = [sys.executable, "-c", SCRIPT, str(study.path), str(out), str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 10:
            pass
        process.kill()
    kept = (out / JOURNAL).read_bytes().count(b"\n") - 1
    assert 10 <= kept < 23
    evaluate(study, [Repeater()], "test", out)
    evaluate(study, [Repeater()], "test", tmp_path / "whole")
    assert _contents(out) == _contents(tmp_path / "whole")


# -- refusals


def test_another_model_or_study_is_not_mixed_in(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(study, [Repeater()], "test", out)
    before = _contents(out)
    with pytest.raises(WriteError, match="other models"):
        evaluate(study, [Repeater(gain=0.5)], "test", out)
    with pytest.raises(WriteError, match="another set"):
        evaluate(study, [Repeater()], "train", out)
    study.apply([Exclude(study.pairs("test")[0].key, 1, "ghost")])
    with pytest.raises(WriteError, match="changed"):
        evaluate(study, [Repeater()], "test", out)
    assert _contents(out) == before
    found = evaluate(study, [Repeater()], "test", out, EvaluationOptions(overwrite=True))
    assert len(found.rows) == (TESTED - 1) * 3
    assert len(_table(out)) == (TESTED - 1) * 3


def test_somebody_elses_files_are_left_alone(study: Study, tmp_path: Path) -> None:
    for name in set(FILES) - {JOURNAL}:
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_text("precious")
        with pytest.raises(WriteError, match="evaluation"):
            evaluate(study, [Repeater()], "test", folder)
        assert (folder / name).read_text() == "precious"
    beside = tmp_path / "other files"
    beside.mkdir()
    (beside / "notes.txt").write_text("precious")
    evaluate(study, [Repeater()], "test", beside)
    assert (beside / "notes.txt").read_text() == "precious"


def test_a_folder_in_use_and_a_file_are_refused(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def again(done: int, total: int) -> None:
        with pytest.raises(WriteError, match="Another evaluation"):
            evaluate(study, [Repeater()], "test", out)

    evaluate(study, [Repeater()], "test", out, progress=again)
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="a file"):
        evaluate(study, [Repeater()], "test", tmp_path / "file")


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"not JSON\n", b'{"evaluation": 5}\n'])
def test_a_damaged_journal_is_refused(study: Study, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / JOURNAL).write_bytes(damage)
    with pytest.raises(WriteError, match="something else"):
        evaluate(study, [Repeater()], "test", tmp_path / "out")


def test_a_damaged_line_in_the_middle_is_refused(study: Study, tmp_path: Path) -> None:
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    journal = tmp_path / "out" / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b'{"key": 1}\n', *lines[3:]]))
    with pytest.raises(WriteError, match="Line 3"):
        evaluate(study, [Repeater()], "test", tmp_path / "out")


def test_a_set_without_slices_is_refused_before_anything_is_written(study: Study, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="validation"):
        evaluate(study, [Repeater()], "validation", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_of_another_factor_is_refused_before_anything_is_written(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"3 times .*mouse 01/.*16 x 24 .* 32 x 48"):
        evaluate(study, [Repeater(factor=3)], "test", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_models_have_labels_of_their_own(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'unknown'"):
        evaluate(study, ["unknown"], "test", tmp_path / "out")
    with pytest.raises(ModelError, match="no model"):
        evaluate(study, [], "test", tmp_path / "out")
    same, other = Repeater(), Repeater(gain=0.5)
    same.fingerprint, other.fingerprint = "aaaaaaaa", "bbbbbbbb"
    with pytest.raises(ModelError, match="given twice"):
        evaluate(study, [same, same], "test", tmp_path / "out")
    found = evaluate(study, [same, other, Repeater(SINC)], "test", tmp_path / "out")
    assert found.setup.methods[2:] == ("repeater (aaaaaaaa)", "repeater (bbbbbbbb)", f"{SINC} (LR sinc-)")


# -- what can't be measured


def test_a_slice_that_cannot_be_read_is_named_and_tried_again(study: Study, tmp_path: Path) -> None:
    hidden, key = tmp_path / "hidden", "mouse 02/head-thorax/coronal"
    image = study.path / key / "hr"
    shutil.copytree(image, hidden)
    shutil.rmtree(image / "0" / "c")
    found = evaluate(Study.open(study.path), [Repeater()], "test", tmp_path / "out")
    assert {(p.key, p.index) for p in found.problems} == {(key, k) for k in range(4)}
    assert found.subjects == ("mouse 01",)
    assert "no interval" in found.cautions[0]
    shutil.rmtree(image)
    shutil.move(hidden, image)
    again = evaluate(Study.open(study.path), [Repeater()], "test", tmp_path / "out")
    assert again.problems == ()
    assert again.subjects == ("mouse 01", "mouse 02")


def test_a_slice_with_nan_is_named_and_in_no_figure(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Study.read_slice

    def with_nan(self: Study, key: str, index: int, **how: bool) -> object:
        found = real(self, key, index, **how)
        if key.startswith("mouse 02") and index == 1:
            found.lr[3, 4] = np.nan
        return found

    monkeypatch.setattr(Study, "read_slice", with_nan)
    found = evaluate(study, [Repeater()], "test", tmp_path / "out")
    [problem] = found.problems
    assert (problem.key, problem.index) == ("mouse 02/head-thorax/coronal", 1)
    assert problem.text == "Its LR holds values that are not numbers."
    assert len(found.rows) == (TESTED - 1) * 3
    assert all(math.isfinite(row.mse) for row in found.rows)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "mouse 02/head-thorax/coronal, slice 1 · z 0.6 mm: Its LR holds values that are not numbers." in page


def test_an_empty_slice_spoils_no_mean(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Study.read_slice

    def empty(self: Study, key: str, index: int, **how: bool) -> object:
        found = real(self, key, index, **how)
        if index == 1:
            found.lr[:] = found.hr[:] = 0
        return found

    monkeypatch.setattr(Study, "read_slice", empty)
    found = evaluate(study, [Repeater()], "test", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert found.problems == ()
    assert math.isfinite(document["overall"]["repeater"]["psnr"]["mean"])
    assert document["overall"]["repeater"]["psnr"]["slices"] == TESTED - 2


def test_overwriting_that_comes_to_nothing_destroys_nothing(study: Study, tmp_path: Path) -> None:
    evaluate(study, [Repeater()], "test", tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    for key in study.pairs_by_key:
        shutil.rmtree(study.path / key / "lr" / "0" / "c")
    with pytest.raises(StudyError, match="Nothing could be measured"):
        evaluate(study, [Repeater(gain=2)], "test", tmp_path / "out", EvaluationOptions(overwrite=True))
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_nothing_measured_at_all_is_an_error(study: Study, tmp_path: Path) -> None:
    for key in study.pairs_by_key:
        shutil.rmtree(study.path / key / "lr" / "0" / "c")
    with pytest.raises(StudyError, match="mouse 01/head-thorax/coronal, slice 1"):
        evaluate(Study.open(study.path), [Repeater()], "test", tmp_path / "out")


# -- cautions


def test_a_model_that_saw_the_subjects_is_named(study: Study, tmp_path: Path) -> None:
    model = Repeater(provenance={"split": {"train": ["mouse 03"], "validation": ["mouse 02"], "test": ["mouse 01"]}})
    found = evaluate(study, [model], "test", tmp_path / "out")
    assert any("'repeater' was trained" in text for text in found.cautions)
    assert any(text.endswith(": mouse 02.") for text in found.cautions)


@pytest.mark.parametrize("split", [None, [], "train", {"train": "mouse 01"}, {"test": ["mouse 01"]}])
def test_other_provenance_says_nothing(split: object) -> None:
    assert trained_on({"split": split}) == set()
    assert trained_on({}) == set()


def test_rows_survive_their_json() -> None:
    row = SliceRow(
        key="a/b/c",
        subject="a",
        region="b",
        plane="c",
        session=None,
        index=3,
        method="m",
        lr_mean=1.5,
        mse=0.0,
        psnr=math.inf,
        foreground_psnr=31.5,
        ssim=0.1 + 0.2,
        bias=-math.inf,
        power_ratio=1e-300,
        ring_correlation=0.5,
        gradient_deviation=0.25,
        power_curve=(1.0, math.inf),
    )
    assert SliceRow.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False))) == row


def test_the_disk_being_full_keeps_what_is_done(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_micromri.measure.evaluation.folder import SliceResult

    real, kept = SliceResult.to_line, []

    def full(self: SliceResult) -> str:
        if len(kept) == 2:
            raise OSError(28, "No space left on device")
        kept.append(self)
        return real(self)

    monkeypatch.setattr(SliceResult, "to_line", full)
    with pytest.raises(WriteError, match="is full"):
        evaluate(study, [Repeater()], "test", tmp_path / "out")
    monkeypatch.undo()
    assert len(evaluate(study, [Repeater()], "test", tmp_path / "out").rows) == TESTED * 3


def test_simulated_fast_scans_are_said_to_be(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "mice.mri.zarr")
    for subject, sources in (("a", {"lr": {"simulated": {"snr": 15}}}), ("b", {"lr": {"path": "fast.nii"}})):
        lr, hr = make_scans(name=subject)
        study.add_pair(replace(make_pair(f"{subject}/r/p", lr, hr), sources=sources), lr, hr)
    found = evaluate(study, [Repeater()], "train", tmp_path / "out")
    assert any(text.startswith("LR of 1 of the 2 pairs is simulated") for text in found.cautions)
