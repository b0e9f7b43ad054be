"""Several studies evaluated one by one, with one table."""

from __future__ import annotations

import csv
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from evaluation_samples import Repeater, make_test_study
from napari_micromri.errors import InputError, OutputExistsError, StudyError
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions
from napari_micromri.measure.evaluation.many import evaluate_each, find_studies
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.roi_file import save_rois
from napari_micromri.study.model import Assign

if TYPE_CHECKING:
    from pathlib import Path

CPU = EvaluationOptions(device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two studies with test sets and one without, in folders."""
    for name, tested in (("a/mice", 2), ("b/mice", 1), ("rats", 0)):
        path = tmp_path / "studies" / f"{name}.mri.zarr"
        path.parent.mkdir(parents=True, exist_ok=True)
        study = make_test_study(path, tested=tested, slices=2)
        study.apply([Assign(subject, "train") for subject in study.subjects[tested:]])
    return tmp_path / "studies"


def test_studies_are_found_below_folders_and_named_apart(folder: Path, tmp_path: Path) -> None:
    found = find_studies([folder, folder / "rats.mri.zarr"])
    assert {name: path.relative_to(folder).as_posix() for name, path in found.items()} == {
        "studies_a_mice": "a/mice.mri.zarr",
        "studies_b_mice": "b/mice.mri.zarr",
        "rats": "rats.mri.zarr",
    }
    (folder / "empty").mkdir()
    with pytest.raises(StudyError, match="no study"):
        find_studies([folder / "empty"])
    with pytest.raises(StudyError, match="does not exist"):
        find_studies([tmp_path / "nowhere"])


def test_one_table_over_all_whose_animals_are_told_apart(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps: list[tuple[int, int]] = []
    found = evaluate_each(
        find_studies([folder]), [Repeater()], "test", out, CPU, progress=lambda *step: steps.append(step)
    )
    assert list(found.evaluations) == ["studies_a_mice", "studies_b_mice"]
    [(path, reason)] = found.left_out.items()
    assert path.endswith("rats.mri.zarr") and "test set" in reason
    assert steps[-1][0] == steps[-1][1] == 4  # one slice of the first animal of each is excluded
    with (out / "studies.csv").open(encoding="utf-8", newline="") as stream:
        lines = {(line["study"], line["method"]): line for line in csv.DictReader(stream)}
    assert lines["all", "repeater"]["subjects"] == "3"
    assert lines["all", "repeater"]["slices"] == "4"
    by_subject: dict[tuple[str, str], list[float]] = {}
    for name, one in found.evaluations.items():
        assert (out / name / "report.html").is_file()
        for row in one.rows:
            if row.method == "repeater":
                by_subject.setdefault((name, row.subject), []).append(row.mse)
    expected = fmean(fmean(values) for values in by_subject.values())
    assert float(lines["all", "repeater"]["mse"]) == pytest.approx(expected)


def test_given_again_it_denoises_nothing_and_another_table_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    studies, model = find_studies([folder / "b"]), Repeater()
    evaluate_each(studies, [model], "test", tmp_path / "out", CPU)
    again = Repeater()
    evaluate_each(studies, [again], "test", tmp_path / "out", CPU)
    assert again.count < model.count  # the pictures of the page alone
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "studies.csv").write_text("mine\n", encoding="utf-8")
    with pytest.raises(OutputExistsError):
        evaluate_each(studies, [model], "test", tmp_path / "other", CPU)
    assert (tmp_path / "other" / "studies.csv").read_text(encoding="utf-8") == "mine\n"


def test_regions_that_fit_no_study_are_refused(folder: Path, tmp_path: Path) -> None:
    roi = Roi("liver", ((0.5, 0.5), (0.5, 1.5), (1.5, 1.5)), shape="polygon", depth=(0.0, 0.0))
    path = save_rois([roi], tmp_path / "liver.json")
    with pytest.raises(InputError, match="drawn on no pair"):
        evaluate_each(find_studies([folder / "a"]), [], "test", tmp_path / "out", EvaluationOptions(rois=(path,)))
