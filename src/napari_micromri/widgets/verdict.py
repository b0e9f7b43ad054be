"""What the trust check says of a result: the verdict first, the figures behind a click, and a map as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_micromri.plugin.denoising import trust_layer
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.results import RESULT_KEY, new_name

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_micromri.inference.trust_report import TrustReport
    from napari_micromri.plugin.denoising import DenoiseRequest, DenoiseResult


@dataclass(frozen=True, eq=False)
class Judged:
    """A result in the viewer, and how it was made."""

    name: str
    report: TrustReport
    request: DenoiseRequest
    result: DenoiseResult

    @property
    def verdict(self) -> str:
        """Say the verdict, and where the slices lie that it names."""
        info, axis, found = self.request.scan.info, self.request.slice_axis, self.report.deviating
        if not found or info.axes != "zyx":
            return self.report.verdict
        places = dict.fromkeys(info.slice_words(k, axis).partition("· ")[2] for k in (found[0], found[-1]))
        return f"{self.report.verdict[:-1]} ({' to '.join(places)})."


class VerdictView(QWidget):
    """Shows the verdict on the layer that is looked at; nothing when there is none."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._judged: WeakKeyDictionary[Layer, Judged] = WeakKeyDictionary()
        self._shown: Judged | None = None
        self._job: BackgroundJob | None = None
        self.verdict, self.figures = (_text() for _ in range(2))
        self.more = QToolButton()
        self.more.setText("Figures")
        self.more.setAutoRaise(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setToolTip("Show or hide the figures behind the verdict.")
        self.more.setCheckable(True)
        self.map = QPushButton("Add map")
        self.map.setToolTip("Add a layer that shows where the result deviates from the scan: 1 is what noise gives.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.more)
        buttons.addWidget(self.map, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.verdict)
        layout.addLayout(buttons)
        layout.addWidget(self.figures)
        font = self.verdict.font()
        font.setBold(True)
        self.verdict.setFont(font)
        self.more.toggled.connect(self._unfold)
        self.map.clicked.connect(self.start_map)
        self.show_for(None)

    def note(self, layers: tuple[Layer, ...], request: DenoiseRequest, result: DenoiseResult) -> None:
        """Remember the verdict for the result and for the layer that it was made of."""
        if result.trust is not None:
            for layer in layers:
                self._judged[layer] = Judged(layers[0].name, result.trust, request, result)

    def show_for(self, *layers: Layer | None) -> None:
        """Show the verdict of the first of these layers that has one."""
        found = (self._judged.get(layer) for layer in layers if layer is not None)
        self._shown = judged = next((one for one in found if one is not None), None)
        self.setVisible(judged is not None)
        if judged is not None:
            self.verdict.setText(judged.verdict)
            warnings = (f"⚠ {text}" for text in judged.report.warnings)
            self.figures.setText("\n".join([judged.name, judged.report.sentence, *warnings]))
        self._unfold(self.more.isChecked())

    def _unfold(self, wanted: bool) -> None:
        self.figures.setVisible(wanted)
        self.more.setArrowType(Qt.ArrowType.DownArrow if wanted else Qt.ArrowType.RightArrow)

    def start_map(self) -> None:
        """Compute the map in the background and add it."""
        judged = self._shown
        if judged is None or self._job is not None:
            return
        self._job = job = BackgroundJob(partial(_map, judged), f"Comparing {judged.name} with its scan", self)
        job.succeeded.connect(self._add)
        job.ended.connect(self._ended)
        self.map.setEnabled(False)
        job.start()

    def stop(self) -> None:
        """Stop what is computed."""
        if self._job is not None:
            self._job.stop()

    def _add(self, made: tuple[Any, dict[str, Any]]) -> None:
        data, attributes = made
        attributes["metadata"][RESULT_KEY] = "map"
        self._viewer.add_image(data, **(attributes | {"name": new_name(self._viewer, attributes["name"])}))

    def _ended(self) -> None:
        self._job = None
        self.map.setEnabled(True)


def _map(judged: Judged, progress: Any, should_stop: Any) -> tuple[Any, dict[str, Any]]:
    data, attributes, _ = trust_layer(judged.request, judged.result, progress, should_stop)
    return data, attributes | {"name": f"{judged.name} trust map"}


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
