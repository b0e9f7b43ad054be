"""The plots of a tuning, kept up to date."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_micromri.tuning.importance import importances
from napari_micromri.tuning.objectives import at_length
from napari_micromri.tuning.points import against, front, history
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.parts import set_lines
from napari_micromri.widgets.training.tuning.words import setting_label

if TYPE_CHECKING:
    from napari_micromri.tuning.importance import Importances
    from napari_micromri.tuning.state import TuneState
    from napari_micromri.widgets.training.tuning.looks import TuneLook
    from napari_micromri.widgets.training.tuning.watch_form import WatchForm


class WatchPlots(QObject):
    """Draws the history, importances, and the trials over one setting; importances are judged in a thread."""

    def __init__(self, form: WatchForm) -> None:
        super().__init__(form)
        self._form = form
        self._look: TuneLook | None = None
        self._chosen: int | None = None
        self._judging = Looking(None, self)
        self._judging.seen.connect(self._show_importances)
        self._judged: tuple[int, int] | None = None
        form.against.currentIndexChanged.connect(self._draw_against)
        form.goal.currentIndexChanged.connect(self._draw)

    @property
    def objective(self) -> int:
        """The goal that is plotted, by its place among the objectives."""
        return max(0, self._form.goal.currentIndex())

    def show(self, look: TuneLook, chosen: int | None) -> None:
        """Show a tuning; the trial that is chosen has a ring around it."""
        self._look, self._chosen = look, chosen
        goals = look.state.objectives
        set_lines(self._form.goal, [f"Judge by: {at_length(name)}" for name in goals])
        self._form.goal.setVisible(len(goals) > 1)
        set_lines(self._form.against, [f"Over: {setting_label(key)}" for key in look.searched])
        self._form.against.setVisible(bool(look.searched))
        self._draw()

    def forget(self) -> None:
        """Show nothing of another tuning."""
        self.stop()
        self._look = self._judged = None
        self._form.goal.clear()
        self._form.against.clear()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._judging.stop()
        for plot in self._form.plots:
            plot.stop()

    def _draw(self) -> None:
        if self._look is None or not self._look.state.objectives:
            return
        state, objective, chosen = self._look.state, self.objective, self._chosen
        self._form.history.show_scatter(history(state, objective, chosen))
        if len(state.objectives) > 1:
            self._form.front.show_scatter(front(state, *_pair(objective), chosen))
        else:
            self._form.front.hide()
        self._draw_against()
        self._judge(state, objective)

    def _draw_against(self) -> None:
        if self._look is None or not self._look.searched:
            self._form.slices.hide()
            return
        key = self._look.searched[max(0, self._form.against.currentIndex())]
        shown = against(self._look.state, key, self.objective, self._chosen)
        self._form.slices.show_scatter(replace(shown, bottom=setting_label(key)))

    def _judge(self, state: TuneState, objective: int) -> None:
        """Judge importances again when another trial is done."""
        now = (state.counts["done"], objective)
        if now != self._judged and not self._judging.busy:
            self._judged = now
            self._judging.begin(partial(importances, state, objective))

    def _show_importances(self, found: Importances) -> None:
        shares = ", ".join(f"{setting_label(key)} {share:.0%}" for key, share in found.shares.items())
        said = f"Importance: {shares}. {found.caution}" if shares else found.reason
        self._form.importance.setText(said)


def _pair(objective: int) -> tuple[int, int]:
    """Choose the goals on the two axes: the first one and the selected one."""
    return (0, objective) if objective else (1, 0)
