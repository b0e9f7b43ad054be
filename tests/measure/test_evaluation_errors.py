"""Whether models say rightly how large their errors are: counted slice by slice, shown in table, summary and page."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evaluation_samples import Repeater, make_test_study
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.report.charts import error_chart
from napari_micromri.measure.evaluation.rows import MULTIPLES, Evaluation
from napari_micromri.measure.evaluation.summary import as_text
from napari_micromri.measure.image_quality import foreground
from napari_micromri.nn.error_table import ErrorTable

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.study.store import Study

WIDTH = 0.2
"""What the model states for every pixel, in units of a fast slice's mean."""


class Stating(Repeater):
    """Repeats pixels, and says that its errors lie within a fifth of the fast slice's mean."""

    def __init__(self) -> None:
        super().__init__("stating")
        content = {"coverage": 0.9, "noise": [1.0], "edge": [1.0], "signal": [1.0], "widths": [[[WIDTH]]]}
        self.spec = self.spec.model_copy(update={"errors": ErrorTable.model_validate(content)})


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_test_study(tmp_path / "mice.mri.zarr")


@pytest.fixture
def found(study: Study, tmp_path: Path) -> Evaluation:
    return evaluate(study, [Stating(), Repeater()], "test", tmp_path / "out", EvaluationOptions())


def test_errors_within_the_width_are_counted(study: Study, found: Evaluation, tmp_path: Path) -> None:
    with (tmp_path / "out" / "evaluation.csv").open(encoding="utf-8", newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["method"] == "stating"]
    assert len({line["errors_within"] for line in lines}) > 1
    for line in lines:
        key, index = line["key"], int(line["slice"])
        whole, cut = (study.read_slice(key, index, crop=crop) for crop in (False, True))
        inside = foreground(cut.hr)
        error = np.abs(cut.lr.repeat(2, 0).repeat(2, 1) - cut.hr)[inside]
        within = [float(np.mean(error <= times * WIDTH * whole.lr.mean())) for times in MULTIPLES]
        [row] = [r for r in found.rows if (r.key, r.index, r.method) == (key, index, "stating")]
        assert row.within == pytest.approx(within, abs=2 / inside.sum())
        assert float(line["errors_within"]) == row.within[MULTIPLES.index(1.0)]


def test_what_states_no_width_has_no_such_figure(found: Evaluation) -> None:
    assert {row.method for row in found.rows if row.within} == {"stating"}
    assert all(np.isnan(row.errors_within) for row in found.rows if row.method != "stating")


def test_the_summary_averages_over_slices_and_then_subjects(found: Evaluation, tmp_path: Path) -> None:
    document = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    mine = [row for row in found.rows if row.method == "stating"]
    means = [np.mean([row.errors_within for row in mine if row.subject == name]) for name in found.subjects]
    assert list(document["errors_within"]) == ["stating"]
    assert document["errors_within"]["stating"]["mean"] == pytest.approx(np.mean(means))
    assert document["error_curves"]["times_the_width"] == list(MULTIPLES)
    assert document["error_curves"]["stating"][MULTIPLES.index(1.0)] == pytest.approx(np.mean(means))
    [text] = re.findall(r"^stating +(\d+) \[", as_text(found), re.MULTILINE)
    assert text == f"{100 * np.mean(means):.0f}"


def test_the_page_draws_the_curve(found: Evaluation, tmp_path: Path) -> None:
    chart = error_chart(found)
    assert chart is not None
    curve = chart.axes[0].get_lines()[0]
    assert list(curve.get_xdata()) == list(MULTIPLES)
    values = np.asarray(curve.get_ydata(), dtype=float)
    assert (np.diff(values) >= 0).all()
    assert 0 < values[0] < values[-1] <= 100
    assert "How large errors may be" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_without_such_a_model_nothing_of_it_is_shown(study: Study, tmp_path: Path) -> None:
    found = evaluate(study, [Repeater()], "test", tmp_path / "plain", EvaluationOptions())
    assert error_chart(found) is None
    assert "Errors within" not in as_text(found)
    assert "How large errors may be" not in (tmp_path / "plain" / "report.html").read_text(encoding="utf-8")
