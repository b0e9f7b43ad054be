"""Which layers are compared, and which of them is LR, DL and HR: found by itself, changed by the person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from napari.layers import Image
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTreeWidget, QTreeWidgetItem
from superqt.utils import signals_blocked

from napari_micromri.errors import MicroMRIError
from napari_micromri.measure.comparison import ComparedImage
from napari_micromri.measure.roles import ROLES, find_roles
from napari_micromri.plugin.layers import METADATA_KEY, layer_to_scan
from napari_micromri.plugin.study_layers import STUDY_KEY
from napari_micromri.scan import ScanInfo
from napari_micromri.widgets.results import is_preview

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtGui import QShowEvent

    from napari_micromri.measure.roles import Role
    from napari_micromri.scan import Scan

NO_ROLE = "–"
MOST_LINES = 5
LINE_HEIGHT = 24


class LayerRoles(QTreeWidget):
    """A line for each image layer: a tick, its name, and its role.

    ``changed`` is sent when layers, ticks or roles changed; ``pixels_changed`` when a layer got other pixels.
    """

    changed = Signal()
    pixels_changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers: list[Image] = []
        self._listed: list[tuple[Image, str]] = []
        self._scans: list[Scan | None] = []
        self._ticked: dict[Image, bool] = {}
        self._given: dict[Image, Role | None] = {}
        self._watched: list[Image] = []
        self._set_up()
        self._moved = QTimer(self)
        self._moved.setSingleShot(True)
        self._moved.timeout.connect(self._look)
        events = viewer.layers.events
        self._events = {events.inserted: self._look, events.removed: self._look, events.renamed: self._look}
        self._events[events.reordered] = self._look_later
        for event, look in self._events.items():
            event.connect(look)
        self.refresh()

    @property
    def compared(self) -> list[ComparedImage]:
        """The ticked layers as scans, in the order LR, DL, HR, others."""
        return [ComparedImage(layer.name, scan) for layer, scan in self.ticked]

    @property
    def ticked(self) -> list[tuple[Image, Scan]]:
        """The ticked layers and what they hold, in the order LR, DL, HR, others."""
        lines = [k for k, scan in enumerate(self._scans) if scan is not None and self._is_ticked(k)]
        order = {role: number for number, role in enumerate((*ROLES, NO_ROLE))}
        lines.sort(key=lambda k: order[self._role_box(k).currentText()])
        return [(self._layers[k], cast("Scan", self._scans[k])) for k in lines]

    @property
    def roles(self) -> dict[str, Role]:
        """Layer name -> role, where it has one."""
        texts = {layer.name: self._role_box(k).currentText() for k, layer in enumerate(self._layers)}
        return {name: role for name, text in texts.items() for role in ROLES if role == text}

    @property
    def reference(self) -> str | None:
        """Name of the ticked HR layer."""
        roles = self.roles
        return next((one.name for one in self.compared if roles.get(one.name) == "HR"), None)

    @property
    def pairs(self) -> set[str]:
        """Keys of the study pairs that the ticked layers belong to."""
        names = {one.name for one in self.compared}
        return {str(one.metadata[STUDY_KEY]) for one in self._layers if one.name in names and STUDY_KEY in one.metadata}

    def finest(self) -> Scan | None:
        """Choose the compared scan with the smallest pixels: ROIs are drawn on its grid."""
        scans = [one.scan for one in self.compared if set("yx") <= set(one.scan.info.spatial)]
        return min(scans, key=lambda scan: scan.info.size_of("y") * scan.info.size_of("x"), default=None)

    def set_role(self, name: str, role: Role | None) -> None:
        """Give a layer a role, as the person does."""
        k = next(k for k, layer in enumerate(self._layers) if layer.name == name)
        self._role_box(k).setCurrentText(role or NO_ROLE)

    def tick(self, name: str, ticked: bool) -> None:
        """Compare a layer or not, as the person does."""
        k = next(k for k, layer in enumerate(self._layers) if layer.name == name)
        self._item(k).setCheckState(0, Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def disconnect_viewer(self) -> None:
        """Listen to viewer and layers no more."""
        self._moved.stop()
        for event, look in self._events.items():
            event.disconnect(look)
        self._watch([])

    def _look(self, _event: object = None) -> None:
        """Refresh the list where images came, went, moved or got other names: other layers come and go often."""
        if [(layer, layer.name) for layer in reversed(self._images())] != self._listed:
            self.refresh()

    def _look_later(self, _event: object = None) -> None:
        """Leave the window a turn first: moving a layer is work enough for one, and several often move together."""
        self._moved.start()

    def _images(self) -> list[Image]:
        return [one for one in self._viewer.layers if isinstance(one, Image) and not _is_by_product(one)]

    def refresh(self, _event: object = None) -> None:
        """Refresh the list of layers; what the person chose stays."""
        layers = self._images()
        self._watch(layers)
        self._layers = list(reversed(layers))
        self._listed = [(layer, layer.name) for layer in self._layers]
        read = [_scan_or_problem(layer) for layer in self._layers]
        self._scans = [scan for scan, _ in read]
        usable = [k for k, scan in enumerate(self._scans) if scan is not None]
        found = find_roles([scan for scan in self._scans if scan is not None])
        roles = {usable[k]: role for k, role in found.items()}
        with signals_blocked(self):
            self.clear()
            for k, (layer, (scan, problem)) in enumerate(zip(self._layers, read, strict=True)):
                self._add_line(layer, roles.get(k), problem if scan is None else None)
        self._fit()
        self.changed.emit()

    def showEvent(self, event: QShowEvent) -> None:
        """Take the height that the window's style asks for, which isn't known before."""
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        lines = min(max(len(self._layers), 1), MOST_LINES)
        self.setFixedHeight(self.header().sizeHint().height() + lines * LINE_HEIGHT + 4)

    def _set_up(self) -> None:
        self.setColumnCount(2)
        self.setHeaderLabels(["Layers to compare", "as"])
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setToolTip(
            "Tick the layers to measure. LR is the fast scan, DL the denoised one, HR the good one, which is the "
            "reference. Each layer is measured on its own pixels."
        )
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(1, 66)
        self.itemChanged.connect(self._ticked_by_hand)

    def _add_line(self, layer: Image, role: Role | None, problem: str | None) -> None:
        item = QTreeWidgetItem([layer.name, ""])
        item.setToolTip(0, problem or layer.name)
        self.addTopLevelItem(item)
        box = QComboBox()
        box.addItems([*ROLES, NO_ROLE])
        given = self._given.get(layer, role)
        box.setCurrentText(given or NO_ROLE)
        box.currentTextChanged.connect(lambda text: self._role_by_hand(layer, text))
        self.setItemWidget(item, 1, box)
        ticked = problem is None and self._ticked.get(layer, role is not None)
        item.setCheckState(0, Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        if problem is not None:
            item.setDisabled(True)
            box.setEnabled(False)

    def _item(self, k: int) -> QTreeWidgetItem:
        return cast("QTreeWidgetItem", self.topLevelItem(k))

    def _role_box(self, k: int) -> QComboBox:
        return cast("QComboBox", self.itemWidget(self._item(k), 1))

    def _is_ticked(self, k: int) -> bool:
        return bool(self._item(k).checkState(0) == Qt.CheckState.Checked)

    def _ticked_by_hand(self, item: QTreeWidgetItem, _column: int) -> None:
        k = self.indexOfTopLevelItem(item)
        self._ticked[self._layers[k]] = self._is_ticked(k)
        self.changed.emit()

    def _role_by_hand(self, layer: Image, text: str) -> None:
        self._given[layer] = next((role for role in ROLES if role == text), None)
        self.changed.emit()

    def _watch(self, layers: list[Image]) -> None:
        for layer in self._watched:
            if layer not in layers:
                for event in self._geometry(layer):
                    event.disconnect(self.refresh)
                layer.events.data.disconnect(self._pixels)
                self._ticked.pop(layer, None)
                self._given.pop(layer, None)
        for layer in layers:
            if layer not in self._watched:
                for event in self._geometry(layer):
                    event.connect(self.refresh)
                layer.events.data.connect(self._pixels)
        self._watched = list(layers)

    @staticmethod
    def _geometry(layer: Image) -> tuple[Any, ...]:
        events = layer.events
        return events.scale, events.translate, events.rotate, events.shear, events.affine, events.units

    def _pixels(self, _event: object = None) -> None:
        self.pixels_changed.emit()
        self.refresh()


def _is_by_product(layer: Image) -> bool:
    """Tell whether a layer is a preview or a residual, which nobody measures."""
    info = layer.metadata.get(METADATA_KEY)
    steps = info.provenance if isinstance(info, ScanInfo) else ()
    return is_preview(layer) or any(step.get("step") == "residual" for step in steps)


def _scan_or_problem(layer: Image) -> tuple[Scan | None, str | None]:
    try:
        scan = layer_to_scan(layer)
    except MicroMRIError as error:
        return None, str(error)
    if not set("yx") <= set(scan.info.spatial):
        return None, f"'{layer.name}' has no rows and columns to draw on."
    return scan, None
