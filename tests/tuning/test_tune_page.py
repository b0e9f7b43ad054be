"""The page of a tuning: whole, safe, and with the figures that the trials have."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree  # what we have drawn ourselves

import pytest

from napari_micromri.charts import our_style, svg_source
from napari_micromri.tuning.points import useful_range
from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.report.facts import Facts
from napari_micromri.tuning.report.page import render
from napari_micromri.tuning.report.plots import curves, fronts, histories, importance_bars, slices
from napari_micromri.tuning.space import Choice, SearchSpace
from tuning_samples import make_full_tuning, make_tuning

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from napari_micromri.tuning.config import Direction
    from napari_micromri.tuning.state import TuneState

NASTY = "<script>alert('x')</script><img src=x onerror=alert(1)> & </title>"


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._inside: list[tuple[str, dict[str, str | None]]] = []
        self._table: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self._inside.append((tag, found))
        if tag == "table":
            self._table = self.tables.setdefault(found.get("id") or "", [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if any(name in ("td", "th") for name, _ in self._inside):
            self._table[-1][-1] += data.strip()

    def with_tag(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def plots(self) -> list[str | None]:
        return [image["alt"] for image in self.with_tag("img")]


def points(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """The dots of a scatter by their names in the legend."""
    return {str(dots.get_label()): [tuple(point) for point in dots.get_offsets()] for dots in axes.collections}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> TuneState:
    """A tuning with trials in every state."""
    folder = tmp_path_factory.mktemp("full") / "tuning"
    make_full_tuning(folder, trials=24)
    return read_tuning(folder)


@pytest.fixture(scope="module")
def page(state: TuneState) -> Page:
    """Its page."""
    return Page(render(state))


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(page: Page) -> None:
    addresses = [value or "" for _, found in page.tags for name, value in found.items() if name in ("src", "href")]
    assert len(addresses) == 4
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    [policy] = [meta["content"] or "" for meta in page.with_tag("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert not page.with_tag("script")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    for address in addresses:
        svg = ElementTree.fromstring(base64.b64decode(address.partition(",")[2]))  # noqa: S314
        assert not {"script", "image", "a"} & {tag.tag.rpartition("}")[2] for tag in svg.iter()}


def test_every_plot_has_its_place(page: Page) -> None:
    assert page.plots == ["history", "importances", "slices", "curves"]


def test_the_history_shows_every_trial_by_where_it_came_from(state: TuneState) -> None:
    figure = histories(Facts(state))
    shown = {name: [x for x, _ in found] for name, found in points(figure.axes[0]).items()}
    of = {origin: [row.number for row in state.done() if row.origin == origin] for origin in ("random", "suggested")}
    best = list(state.best)
    assert shown["pruned"] == [row.number for row in state.trials if row.state == "pruned"]
    assert shown["given, not searched"] == [0]
    assert shown["drawn at random"] == [number for number in of["random"] if number not in best]
    assert shown["suggested by the sampler"] == [number for number in of["suggested"] if number not in best]
    assert shown["best"] == best
    [line] = [line for line in figure.axes[0].lines if line.get_label() == "best so far"]
    heights = list(line.get_ydata())
    assert heights[-1] == state.best_rows[0].values[0]
    assert heights == sorted(heights, reverse=True)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {*shown, "best so far"}


def test_each_setting_has_its_plot_the_most_important_first(state: TuneState) -> None:
    facts = Facts(state)
    figure = slices(facts, 0)
    assert figure is not None
    shares = facts.importances["mse"].shares
    assert [axes.get_xlabel() for axes in figure.axes] == sorted(shares, key=lambda key: (-shares[key], key))
    dots = sum(len(found) for found in points(figure.axes[0]).values())
    assert dots == len([row for row in state.trials if row.state in ("done", "pruned", "running")])
    bars = importance_bars(facts)
    assert bars is not None
    assert sum(bar.get_width() for bar in bars.axes[0].patches) == pytest.approx(100)
    drawn = curves(facts)
    assert drawn is not None
    assert len(drawn.axes[0].lines) == len(state.done()) + state.counts["pruned"] + len(state.best)


def test_the_table_has_a_row_per_trial(state: TuneState, page: Page) -> None:
    head, *lines = page.tables["trials"]
    assert [int(line[0]) for line in lines] == [row.number for row in state.trials if row.state != "waiting"]
    assert "1 more waits to be begun" in "".join(page.text)
    assert head[:3] == ["trial", "state", "validation MSE"]
    assert {len(line) for line in lines} == {len(head)}
    assert "The loss is no longer a number." in lines[24][-1]
    assert lines[25][head.index("chosen")].endswith("continues 24")
    assert int(page.tables["top"][1][0]) == state.best[0]
    assert len(page.tables["space"]) == 1 + 6


def test_the_settings_of_the_best_trial_are_there_to_be_copied(state: TuneState, page: Page) -> None:
    text = "".join(page.text)
    start = text.index('{\n  "apddm"')
    found, _ = json.JSONDecoder().raw_decode(text[start:])
    assert found["learning_rate"] == state.best_rows[0].parameters["learning_rate"]
    assert f"micromri tune-report {state.path} --config best.json" in text


def test_two_objectives_have_a_pareto_front(tmp_path: Path) -> None:
    make_full_tuning(tmp_path / "tuning", trials=24, objectives=("mse", "latency"))
    state = read_tuning(tmp_path / "tuning")
    page = Page(render(state))
    assert page.plots == ["pareto", "history", "importances", "slices", "slices", "curves"]
    figure = fronts(Facts(state))
    assert figure is not None
    shown = points(figure.axes[0])
    assert sorted(shown["best"]) == sorted(row.values for row in state.best_rows if row.values)
    assert sum(map(len, shown.values())) == len(state.done())
    assert len(histories(Facts(state)).axes) == 2
    assert [int(line[0]) for line in page.tables["top"][1:]] == list(state.best)


def test_text_of_others_is_only_text(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=12, name=NASTY, study=NASTY)
    sample.add("failed", reason=NASTY, worker=NASTY, run=NASTY)
    text = render(read_tuning(tmp_path / "tuning"))
    page = Page(text)
    assert page.with_tag("script") == []
    assert all("onerror" not in image for image in page.with_tag("img"))
    assert NASTY in "".join(page.text)
    assert page.tables["trials"][-1][-1].endswith(NASTY)


@pytest.mark.parametrize("name", [NASTY, "$x^{", "小鼠"])
def test_values_of_settings_are_only_text_in_plots_too(tmp_path: Path, name: str) -> None:
    space = SearchSpace(parameters={"init_from": Choice(values=(name, "</script><b>")), "seed": Choice(values=(1, 2))})
    sample = make_tuning(tmp_path / "tuning", space=space)
    for k in range(12):
        sample.add(values=(1.0 + k,))
    with our_style():
        figure = slices(Facts(read_tuning(tmp_path / "tuning")), 0)
        assert figure is not None
        svg = ElementTree.fromstring(base64.b64decode(svg_source(figure).partition(",")[2]))  # noqa: S314
    texts = {"".join(text.itertext()) for text in svg.iter() if text.tag.endswith("text")}
    assert {name, "</script><b>"} <= texts


@pytest.mark.parametrize("state", ["", "waiting", "running", "failed", "pruned"])
def test_before_the_first_trial_is_done(tmp_path: Path, state: str) -> None:
    sample = make_tuning(tmp_path / "tuning")
    if state:
        sample.add(state)
    page = Page(render(read_tuning(tmp_path / "tuning")))
    assert page.plots == []
    assert "No trial is done yet." in "".join(page.text)
    assert len(page.tables.get("trials", [[]])) == 1 + (state not in ("", "waiting"))


def test_one_trial_is_enough_for_a_page(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add()
    page = Page(render(read_tuning(tmp_path / "tuning")))
    assert page.plots == ["history", "slices", "curves"]
    assert "Importances need 10 trials" in "".join(page.text)


def test_trials_far_off_do_not_hide_the_others(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    for k in range(10):
        sample.add(values=(0.1 + 0.001 * k,))
    sample.add(values=(50.0,))
    sample.add("pruned", values=(40.0,))
    [axes] = histories(Facts(read_tuning(tmp_path / "tuning"))).axes
    low, high = axes.get_ylim()
    assert low < 0.1
    assert 0.109 < high < 0.15
    shown = points(axes)
    assert shown["far off"] == [(10, high)]
    assert shown["pruned"] == [(11, high)]
    assert [x for x, _ in (*shown["best"], *shown["drawn at random"])] == list(range(10))


@pytest.mark.parametrize(
    ("values", "direction", "limits"),
    [
        ([], "minimize", None),
        ([1.0, 1.0, 9.0], "minimize", None),
        ([1.0, 2.0, 3.0, 4.0], "minimize", None),
        ([1.0, 2.0, 2.0, 8.0], "minimize", None),
        ([1.0, 2.0, 3.0, 100.0, 1.5], "minimize", (0.9, 3.1)),
        ([0.9, 0.8, 0.7, -50.0, 0.85], "maximize", (0.69, 0.91)),
    ],
)
def test_the_range_in_which_most_values_lie(
    values: list[float], direction: Direction, limits: tuple[float, float] | None
) -> None:
    assert useful_range(values, direction) == (limits if limits is None else pytest.approx(limits))
