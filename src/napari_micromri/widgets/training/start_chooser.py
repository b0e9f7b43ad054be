"""What training starts from: scratch, a shipped model, or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Qt

from napari_micromri.errors import ModelError
from napari_micromri.nn.registry import available_models, describe_model

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.widgets.training.families import Family
    from napari_micromri.widgets.training.fields import Choice

SCRATCH = "scratch"


class StartChooser(QObject):
    """Fills a list with the models of a kind; only their headers are read."""

    def __init__(self, box: Choice) -> None:
        super().__init__(box)
        self._box = box
        self._models: list[str | None] = []

    @property
    def current(self) -> str | None:
        """The model to go on from, by name or path; None for a new network."""
        return self._models[max(0, self._box.currentIndex())]

    def list_models(self, family: Family) -> None:
        """Offer the shipped models of a kind."""
        self._box.blockSignals(True)
        self._box.clear()
        self._models = []
        self._add(None, SCRATCH, "A new network that knows nothing yet.")
        for entry in available_models():
            if entry.kind == family.kind:
                self._add(entry.name, entry.name, entry.summary)
        self._box.blockSignals(False)

    def choose(self, model: str | None) -> None:
        """Choose a model that is offered; scratch if it isn't."""
        self._box.setCurrentIndex(self._models.index(model) if model in self._models else 0)

    def use_file(self, path: Path, family: Family) -> None:
        """Go on from a model file; one that can't be gone on from is refused in a sentence."""
        try:
            entry = describe_model(path)
            if entry.kind != family.kind:
                raise ModelError(f"{path} is of the kind '{entry.kind}'. Choose a {family.label}.")
        except ModelError as error:
            show_error(str(error))
            return
        if str(path) not in self._models:
            self._add(str(path), f"{path.parent.name}/{path.name}", str(path))
        self.choose(str(path))

    def _add(self, model: str | None, label: str, tooltip: str) -> None:
        self._models.append(model)
        self._box.addItem(label)
        self._box.setItemData(self._box.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole)
