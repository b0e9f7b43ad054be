"""The page: its figures are those of the table, it holds everything itself, and nothing in it is taken for HTML."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from collections import defaultdict
from html.parser import HTMLParser
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from evaluation_samples import Repeater, make_test_study, rows_of
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.report.charts import Axis, curve_chart, nice_ticks, subject_chart
from napari_micromri.measure.evaluation.report.pictures import choose_slices, grey_png, pictures_of, residual_png

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("mse", "psnr_db", "ssim", "bias", "power_ratio", "ring_correlation", "gradient_deviation")
EVIL = "<script>alert(1)</script>"


class Tables(HTMLParser):
    """Reads the cells of all tables that have an id, and notes tags and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[tuple[str, float | None]]]] = {}
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._table, self._cell, self._small = "", False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        known = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag == "table":
            self._table = known.get("id") or ""
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag == "td":
            value = known.get("data-value")
            self.tables[self._table][-1].append(("", None if value is None else float(value)))
            self._cell = True
        elif tag == "small":
            self._small = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._cell = False
        elif tag == "small":
            self._small = False

    def handle_data(self, data: str) -> None:
        if self._cell and not self._small:
            text, value = self.tables[self._table][-1][-1]
            self.tables[self._table][-1][-1] = (text + data, value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate two models once for all tests of the page; one has a name that looks like HTML."""
    root = tmp_path_factory.mktemp("report")
    study = make_test_study(root / "mice.mri.zarr", subjects=4, tested=3)
    models = [Repeater(), Repeater(EVIL, gain=0.9)]
    evaluate(study, models, "test", root / "out", EvaluationOptions(command="micromri evaluate & more"))
    return root / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> Tables:
    parser = Tables()
    parser.feed((folder / "report.html").read_text(encoding="utf-8"))
    return parser


def _csv_means(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Average the table anew: (method, column) -> subject -> mean over slices."""
    values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (folder / "evaluation.csv").open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            for column in COLUMNS:
                values[line["method"], column][line["subject"]].append(float(line[column]))
    return {place: {subject: fmean(mine) for subject, mine in found.items()} for place, found in values.items()}


# -- the tables


def test_the_overall_figures_are_those_of_the_csv(folder: Path, page: Tables) -> None:
    means = _csv_means(folder)
    lines = [line for line in page.tables["overall"] if line]
    assert [line[0][0] for line in lines] == ["LR nearest", "LR sinc", "repeater", EVIL]
    for (method, _), *cells in lines:
        for column, (text, value) in zip(COLUMNS, cells, strict=True):
            expected = fmean(means[method, column].values())
            assert value == pytest.approx(expected, rel=1e-9)
            shown = 100 * expected if column == "bias" else expected
            assert float(text.replace("−", "-")) == pytest.approx(shown, abs=0.006)


def test_the_figures_per_subject_are_those_of_the_csv(folder: Path, page: Tables) -> None:
    means = _csv_means(folder)
    methods = ["LR nearest", "LR sinc", "repeater", EVIL]
    lines = [line for line in page.tables["by-subject"] if line]
    assert [line[0][0] for line in lines] == ["mouse 01", "mouse 02", "mouse 03"]
    for (subject, _), _, _, (slices, _), *cells in lines:
        assert int(slices) == (3 if subject == "mouse 01" else 4)
        expected = [means[method, column][subject] for column in ("mse", "psnr_db", "ssim") for method in methods]
        assert [value for _, value in cells] == pytest.approx(expected, rel=1e-9)


def test_the_differences_are_those_of_the_csv(folder: Path, page: Tables) -> None:
    means = _csv_means(folder)
    lines = {line[0][0]: line[1:] for line in page.tables["differences"] if line}
    assert len(lines) == 5
    for column, (_, value) in zip(COLUMNS, lines[f"{EVIL} − repeater"], strict=True):
        first, second = means[EVIL, column], means["repeater", column]
        assert value == pytest.approx(fmean(first[s] - second[s] for s in first), rel=1e-6, abs=1e-12)


# -- the page as a whole


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(folder: Path, page: Tables) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_names_of_others_are_no_html(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert EVIL not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "repeats &lt;b&gt;pixels&lt;/b&gt;" in text
    assert "micromri evaluate &amp; more" in text


def test_the_page_has_five_pictures_for_each_chosen_slice(page: Tables) -> None:
    assert len(page.addresses) == 5 * 5 * 2


# -- pictures


def _decoded(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def test_grey_levels_run_from_black_to_white() -> None:
    image = np.array([[0, 50, 100, 200]], dtype=np.float32)
    assert np.asarray(_decoded(grey_png(image, 0, 100))).tolist() == [[0, 128, 255, 255]]
    assert np.asarray(_decoded(grey_png(np.zeros((1, 2), np.float32), 0, 0))).tolist() == [[0, 0]]


def test_residuals_are_white_at_zero_and_symmetric() -> None:
    residual = np.array([[-5, -1, 0, 1, 5]], dtype=np.float32)
    pixels = np.asarray(_decoded(residual_png(residual, 1)).convert("RGB"))[0]
    assert pixels[2].tolist() == [255, 255, 255]
    assert pixels[0].tolist() == pixels[1].tolist() == [33, 102, 172]
    assert pixels[3].tolist() == pixels[4].tolist() == [178, 24, 43]
    flat = np.asarray(_decoded(residual_png(np.zeros((2, 2), np.float32), 0)).convert("RGB"))
    assert (flat == 255).all()


def test_both_residuals_share_the_scale_of_hr_minus_lr() -> None:
    hr = np.full((20, 20), 10, dtype=np.float32)
    pictures, limit = pictures_of(hr - 2, hr - 1, hr, "mine")
    assert limit == 2
    assert [picture.caption for picture in pictures] == ["LR", "mine", "HR", "HR − LR", "HR − mine"]
    full, half = (np.asarray(_decoded(picture.source).convert("RGB"))[0, 0] for picture in pictures[3:])
    assert full.tolist() == [178, 24, 43]
    assert half.tolist() == pytest.approx([255 - 77 / 2, 255 - 231 / 2, 255 - 212 / 2], abs=1.5)


def test_the_worst_the_median_and_the_best_slices_are_chosen() -> None:
    rows = rows_of({"a": [30.0, 10.0, 50.0, math.nan, 20.0, 40.0]}, metric="psnr", method="m")
    chosen = choose_slices(rows, "m", each=2)
    assert [(c.index, c.why) for c in chosen] == [
        (1, "among the worst"),
        (4, "among the worst"),
        (0, "median"),
        (5, "among the best"),
        (2, "among the best"),
    ]
    assert [c.index for c in choose_slices(rows_of({"a": [3.0, 1.0]}, metric="psnr"), "LR sinc")] == [1, 0]
    assert choose_slices(rows, "another") == []


# -- charts


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (-0.3, 1.2, [0, 0.5, 1]),
        (27.3, 36.1, [28, 30, 32, 34, 36]),
        (1e-5, 3e-5, [1e-5, 1.5e-5, 2e-5, 2.5e-5, 3e-5]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_axes_place_values() -> None:
    assert [Axis(0, 10, 100, 200).at(v) for v in (0, 5, 10)] == [100, 150, 200]
    log = Axis(0.01, 100, 100, 200, log=True)
    assert [log.at(v) for v in (0.01, 1, 100)] == [100, 150, 200]
    assert [tick.text for tick in Axis(0.1, 2, 0, 1, log=True).ticks()] == ["0.1", "0.2", "0.5", "1", "2"]
    assert [tick.text for tick in Axis(-1, 1, 0, 1).ticks()] == ["−1", "−0.5", "0", "0.5", "1"]


def test_gaps_break_a_curve() -> None:
    x = [0.1, 0.2, 0.3, 0.4, 0.45]
    chart = curve_chart("t", x, {"m": [1.0, math.nan, 1.0, 1e9, 1.0]}, y_label="y", y_range=(0.1, 10), log=True)
    assert [len(part) for part in chart.lines[0].parts] == [1, 1, 1]
    assert chart.lines[0].points[0][1] == pytest.approx((chart.top + chart.bottom) / 2)


def test_subjects_have_a_mark_per_method_and_are_numbered_when_many() -> None:
    few = subject_chart("t", ["a", "b"], {"m": {"a": 1.0, "b": math.nan}, "n": {"a": 2.0, "b": 3.0}}, reference=0.0)
    assert [len(line.points) for line in few.lines] == [1, 2]
    assert [tick.text for tick in few.x_ticks] == ["a", "b"]
    assert few.reference is not None
    names = [f"mouse with a long name {k}" for k in range(20)]
    many = subject_chart("t", names, {"m": dict.fromkeys(names, 1.0)})
    assert [tick.text for tick in many.x_ticks] == [str(k) for k in range(1, 21)]
    assert all(many.top <= y <= many.bottom for line in many.lines for _, y in line.points)


def test_a_chart_without_values_is_empty() -> None:
    chart = subject_chart("t", ["a"], {"m": {"a": math.inf}}, reference=1.0)
    assert chart.lines[0].points == ()
