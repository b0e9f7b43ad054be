"""A list of the trained networks: the shipped ones, and files that the person adds."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject
from superqt.utils import signals_blocked

from napari_micromri.errors import ModelError
from napari_micromri.inference import DEFAULT_MODEL
from napari_micromri.nn.registry import ModelEntry, available_models, describe_model
from napari_micromri.widgets.shared.models import ModelChoice, model_choices
from napari_micromri.widgets.shared.stored import stored

if TYPE_CHECKING:
    from qtpy.QtWidgets import QComboBox


class ModelChooser(QObject):
    """Fills a combo box with models, and chooses the one that was chosen last under a key of the settings.

    Only headers are read, so PyTorch isn't needed yet.
    """

    def __init__(self, box: QComboBox, key: str) -> None:
        super().__init__(box)
        self._box, self._key = box, f"{key}/model"
        self._files: list[ModelEntry] = []
        self.models: list[ModelChoice] = []
        box.currentIndexChanged.connect(self._chosen)
        self._list(self._last())

    @property
    def current(self) -> ModelChoice | None:
        """The chosen model."""
        index = self._box.currentIndex()
        return self.models[index] if 0 <= index < len(self.models) else None

    def add_file(self, path: Path) -> bool:
        """Add a file to the list and choose it; a file that is no model is refused in a sentence (False)."""
        try:
            entry = describe_model(path)
        except ModelError as error:
            show_error(str(error))
            return False
        self._files = [known for known in self._files if known.path != path] + [entry]
        self._list(path)
        return True

    def _list(self, chosen: str | Path) -> None:
        self.models = model_choices(available_models(), self._files)
        keys = [choice.model for choice in self.models]
        with signals_blocked(self._box):
            self._box.clear()
            self._box.addItems([choice.label for choice in self.models])
        self._box.setCurrentIndex(keys.index(chosen) if chosen in keys else min(0, len(keys) - 1))
        self._explain()

    def _last(self) -> str | Path:
        text = str(stored().value(self._key) or DEFAULT_MODEL)
        if (path := Path(text)).is_file():
            with suppress(ModelError):
                self._files = [describe_model(path)]
                return path
        return text if text in [entry.name for entry in available_models()] else DEFAULT_MODEL

    def _chosen(self) -> None:
        if self.current is not None:
            stored().setValue(self._key, str(self.current.model))
        self._explain()

    def _explain(self) -> None:
        self._box.setToolTip(self.current.tooltip if self.current is not None else "No trained network was found.")
