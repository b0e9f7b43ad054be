"""What training starts from: scratch, a shipped model, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Qt
from superqt.utils import signals_blocked

from napari_micromri.errors import ModelError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.nn.registry import available_models, describe_model

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.nn.family import Family
    from napari_micromri.widgets.training.fields import Choice

SCRATCH = "scratch"


@dataclass(frozen=True)
class Start:
    """A model to start from, by name or path, and its kind."""

    model: str
    kind: str


class StartChooser(QObject):
    """Fills a list with the models that a kind can start from; only their headers are read."""

    def __init__(self, box: Choice) -> None:
        super().__init__(box)
        self._box = box
        self._models: list[Start | None] = []

    @property
    def current(self) -> Start | None:
        """The model to start from; None for a new network."""
        return self._models[max(0, self._box.currentIndex())]

    def list_models(self, family: Family) -> None:
        """Offer the shipped models that fit."""
        with signals_blocked(self._box):
            self._box.clear()
            self._models = []
            self._add(None, SCRATCH, "A new, untrained network.")
            for entry in available_models():
                if entry.kind in family.starts_from:
                    self._add(Start(entry.name, entry.kind), entry.name, entry.summary)

    def choose(self, model: str | None) -> None:
        """Choose a model that is offered; scratch if it isn't."""
        names = [start.model if start is not None else None for start in self._models]
        self._box.setCurrentIndex(names.index(model) if model in names else 0)

    def use_file(self, path: Path, family: Family) -> None:
        """Start from a model file; one that can't be used is refused in a sentence."""
        try:
            entry = describe_model(path)
            if entry.kind not in family.starts_from:
                wanted = " or ".join(FAMILIES[kind].label for kind in family.starts_from)
                raise ModelError(f"{path} is of the kind '{entry.kind}'. Choose a {wanted}.")
        except ModelError as error:
            show_error(str(error))
            return
        start = Start(str(path), entry.kind)
        if start not in self._models:
            self._add(start, f"{path.parent.name}/{path.name}", str(path))
        self.choose(str(path))

    def _add(self, model: Start | None, label: str, tooltip: str) -> None:
        self._models.append(model)
        self._box.addItem(label)
        self._box.setItemData(self._box.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole)
