"""The page of a tuning: whole, safe, and with the figures that the trials have."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.report.looks import useful_range
from napari_micromri.tuning.report.page import render
from napari_micromri.tuning.space import Choice, SearchSpace
from tuning_samples import make_full_tuning, make_tuning

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.state import Direction, TuneState

NASTY = "<script>alert('x')</script><img src=x onerror=alert(1)> & </title>"


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.plots: dict[str, Any] = {}
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
        tag, attributes = self._inside[-1] if self._inside else ("", {})
        if tag == "script":
            if (plot := attributes.get("data-plot")) is not None:
                self.plots[plot] = json.loads(data)
            return
        self.text.append(data)
        if any(name in ("td", "th") for name, _ in self._inside):
            self._table[-1][-1] += data.strip()

    def with_tag(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def traces(plot: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace.get("name", ""): trace for trace in plot["data"]}


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


def test_the_page_needs_nothing_from_elsewhere_and_lets_nothing_else_run(state: TuneState, page: Page) -> None:
    assert not [attributes for _, attributes in page.tags if {"src", "href", "srcset"} & attributes.keys()]
    [policy] = [meta["content"] for meta in page.with_tag("meta") if "http-equiv" in meta]
    nonce = re.search("script-src 'nonce-([^']{20,})'", policy or "")
    assert nonce is not None
    assert (policy or "").startswith("default-src 'none'")
    for script in page.with_tag("script"):
        assert script.get("nonce") == nonce[1] or script.get("type") == "application/json"
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert render(state).count(nonce[1]) == 0


def test_every_plot_has_its_place(page: Page) -> None:
    places = {div["id"] for div in page.with_tag("div") if "plot" in (div.get("class") or "")}
    assert places == page.plots.keys()
    assert places == {"history-0", "importances", "parallel", "slice-0-0", "slice-0-1", "curves"}


def test_the_history_shows_every_trial_by_where_it_came_from(state: TuneState, page: Page) -> None:
    plot = page.plots["history-0"]
    shown = {name: list(trace["x"]) for name, trace in traces(plot).items()}
    assert shown["pruned"] == [row.number for row in state.trials if row.state == "pruned"]
    assert shown["given, not searched"] == [0]
    assert shown["drawn at random"] == [row.number for row in state.done() if row.origin == "random"]
    assert shown["suggested by the sampler"] == [row.number for row in state.done() if row.origin == "suggested"]
    assert shown["best"] == list(state.best)
    line = traces(plot)["best so far"]
    assert line["y"][-1] == state.best_rows[0].values[0]  # type: ignore[index]
    assert line["y"] == sorted(line["y"], reverse=True)


def test_optunas_plots_have_the_trials_that_are_done(state: TuneState, page: Page) -> None:
    plots = page.plots
    assert len([trace for trace in plots["parallel"]["data"] if trace["mode"] == "lines"]) == len(state.done())
    numbers = {row.number for row in state.done()}
    for name in ("slice-0-0", "slice-0-1"):
        for trace in plots[name]["data"]:
            assert set(trace["marker"]["color"]) <= numbers
    titles = json.dumps([plots[name]["layout"] for name in ("slice-0-0", "slice-0-1")])
    assert all(name in titles for name in ("features_main.0", "residual", "learning_rate", "loss", "alpha"))
    bars = plots["importances"]["data"][0]
    assert sum(bars["x"]) == pytest.approx(1)
    assert set(bars["y"]) == {"features_main.0", "residual", "learning_rate", "optimizer", "loss", "alpha"}


def test_the_table_has_a_row_per_trial(state: TuneState, page: Page) -> None:
    head, *lines = page.tables["trials"]
    assert [int(line[0]) for line in lines] == [row.number for row in state.trials if row.state != "waiting"]
    assert "1 more waits to be begun" in "".join(page.text)
    assert head[:3] == ["trial", "state", "validation MSE"]
    assert {len(line) for line in lines} == {len(head)}
    assert "The loss is no longer a number." in lines[24][-1]
    assert lines[25][head.index("chosen")].endswith("goes on with 24")
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
    assert {"pareto", "history-0", "history-1", "slice-1-0"} <= page.plots.keys()
    others, best = page.plots["pareto"]["data"]
    assert sorted(zip(best["x"], best["y"], strict=True)) == sorted(row.values for row in state.best_rows if row.values)
    assert len(others["x"]) == len(state.done()) - len(state.best)
    assert [int(line[0]) for line in page.tables["top"][1:]] == list(state.best)
    assert len([trace for trace in page.plots["parallel"]["data"] if trace["mode"] == "lines"]) == len(state.done())


def test_text_of_others_is_only_text(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=12, name=NASTY, study=NASTY)
    sample.add("failed", reason=NASTY, worker=NASTY, run=NASTY)
    text = render(read_tuning(tmp_path / "tuning"))
    page = Page(text)
    assert "<img" not in text.replace(re.search("<script nonce=.*?</script>", text, re.DOTALL)[0], "")  # type: ignore[index]
    assert len(page.with_tag("script")) == len(page.plots) + 2
    assert page.with_tag("img") == []
    assert NASTY in "".join(page.text)
    assert page.tables["trials"][-1][-1].endswith(NASTY)


def test_values_of_settings_are_only_text_in_plots_too(tmp_path: Path) -> None:
    space = SearchSpace(parameters={"init_from": Choice(values=(NASTY, "</script><b>")), "seed": Choice(values=(1, 2))})
    sample = make_tuning(tmp_path / "tuning", space=space)
    for k in range(12):
        sample.add(values=(1.0 + k,))
    text = render(read_tuning(tmp_path / "tuning"))
    page = Page(text)
    assert len(page.with_tag("script")) == len(page.plots) + 2
    hover = traces(page.plots["history-0"])["drawn at random"]["text"]
    assert all("<b>" not in told and "<img" not in told for told in hover)


@pytest.mark.parametrize("state", ["", "waiting", "running", "failed", "pruned"])
def test_before_the_first_trial_is_done(tmp_path: Path, state: str) -> None:
    sample = make_tuning(tmp_path / "tuning")
    if state:
        sample.add(state)
    page = Page(render(read_tuning(tmp_path / "tuning")))
    assert page.plots == {}
    assert "No trial is done yet." in "".join(page.text)
    assert len(page.tables.get("trials", [[]])) == 1 + (state not in ("", "waiting"))


def test_one_trial_is_enough_for_a_page(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add()
    page = Page(render(read_tuning(tmp_path / "tuning")))
    assert page.plots.keys() == {"history-0", "curves"}
    assert "Importances need 10 trials" in "".join(page.text)


def test_trials_far_off_do_not_hide_the_others(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    for k in range(10):
        sample.add(values=(0.1 + 0.001 * k,))
    sample.add(values=(50.0,))
    sample.add("pruned", values=(40.0,))
    page = Page(render(read_tuning(tmp_path / "tuning")))
    plot = page.plots["history-0"]
    low, high = plot["layout"]["yaxis"]["range"]
    assert low < 0.1
    assert 0.109 < high < 0.15
    off = traces(plot)["off the scale"]
    assert (list(off["x"]), set(off["y"])) == ([10, 11], {high})
    assert "validation MSE 50" in off["text"][0]
    assert list(traces(plot)["drawn at random"]["x"]) == list(range(10))
    assert len([trace for trace in page.plots["parallel"]["data"] if trace["mode"] == "lines"]) == 10
    assert "Triangles at the edge" in "".join(page.text)


@pytest.mark.parametrize(
    ("values", "direction", "limits"),
    [
        ([], "minimize", None),
        ([1.0, 1.0, 9.0], "minimize", None),
        ([1.0, 2.0, 3.0, 4.0], "minimize", None),
        ([1.0, 2.0, 3.0, 100.0, 1.5], "minimize", (0.9, 3.1)),
        ([0.9, 0.8, 0.7, -50.0, 0.85], "maximize", (0.69, 0.91)),
    ],
)
def test_the_range_in_which_most_values_lie(
    values: list[float], direction: Direction, limits: tuple[float, float] | None
) -> None:
    assert useful_range(values, direction) == (limits if limits is None else pytest.approx(limits))
