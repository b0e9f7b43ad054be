"""The page: its figures are those of the table, it holds everything itself, and nothing in it is taken for HTML."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from collections import defaultdict
from dataclasses import replace
from html.parser import HTMLParser
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from evaluation_samples import Repeater, make_test_study, rows_of
from napari_micromri.charts import our_style
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.report.charts import curve_charts, subject_charts
from napari_micromri.measure.evaluation.report.pictures import choose_slices, grey_png, pictures_of, residual_png
from napari_micromri.measure.evaluation.tables import mean_curves

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from napari_micromri.measure.evaluation.rows import Evaluation

COLUMNS = (
    "mse",
    "psnr_db",
    "foreground_psnr_db",
    "ssim",
    "bias",
    "power_ratio",
    "ring_correlation",
    "gradient_deviation",
)
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
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Evaluate two models once for all tests of the page; one has a name that looks like HTML."""
    root = tmp_path_factory.mktemp("report")
    study = make_test_study(root / "mice.mri.zarr", subjects=4, tested=3)
    models = [Repeater(), Repeater(EVIL, gain=0.9)]
    return evaluate(study, models, "test", root / "out", EvaluationOptions(command="micromri evaluate & more"))


@pytest.fixture(scope="module")
def folder(evaluation: Evaluation) -> Path:
    return evaluation.folder


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
    assert {address[: address.index(",")] for address in page.addresses} == {
        "data:image/png;base64",
        "data:image/svg+xml;base64",
    }
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
    assert len([address for address in page.addresses if "png" in address[:20]]) == 5 * 5 * 2


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


def points(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {str(dots.get_label()): [tuple(point) for point in dots.get_offsets().filled()] for dots in axes.collections}


def test_every_metric_has_a_chart_with_a_mark_per_subject_and_method(evaluation: Evaluation) -> None:
    means = _csv_means(evaluation.folder)
    with our_style():
        figure = subject_charts(evaluation)
    assert len(figure.axes) == len(COLUMNS)
    for column, title in (("psnr_db", "PSNR (dB)"), ("bias", "Bias (%)")):
        [axes] = [axes for axes in figure.axes if axes.get_title("left") == title]
        shown = points(axes)
        assert [text.get_text() for text in axes.get_xticklabels()] == ["mouse 01", "mouse 02", "mouse 03"]
        for method, dots in shown.items():
            factor = 100 if column == "bias" else 1
            expected = [factor * means[method, column][subject] for subject in sorted(means[method, column])]
            assert [y for _, y in dots] == pytest.approx(expected, rel=1e-6)
            assert [round(x) for x, _ in dots] == [0, 1, 2]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"LR nearest", "LR sinc", "repeater", EVIL}


def test_many_subjects_are_numbered(evaluation: Evaluation) -> None:
    row = evaluation.rows[0]
    rows = [replace(row, subject=f"mouse with a long name {k}", psnr=math.nan if k else 1.0) for k in range(20)]
    figure = subject_charts(replace(evaluation, rows=tuple(rows), subjects=tuple(one.subject for one in rows)))
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == [str(k) for k in range(1, 21)]
    shown = points(figure.axes[1])
    assert [y for _, y in shown[row.method]].count(1.0) == 1


def test_curves_run_over_frequency(evaluation: Evaluation) -> None:
    power, ring = curve_charts(evaluation).axes
    found = mean_curves(evaluation.rows)
    for axes, which in ((power, "power"), (ring, "ring")):
        for method, curves in found.items():
            [line] = [line for line in axes.lines if line.get_label() == method]
            assert list(line.get_ydata()) == pytest.approx(list(curves[which]), nan_ok=True)
    assert power.get_yscale() == "log"
