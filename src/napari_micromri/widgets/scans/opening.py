"""From a scan that was found to a layer, and from File > Open Folder to the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from napari_micromri.plugin.layers import METADATA_KEY, scan_to_layer
from napari_micromri.plugin.letters import show_letters
from napari_micromri.plugin.reader import show_warnings
from napari_micromri.widgets.measuring.shift_drag import measure_by_dragging
from napari_micromri.widgets.scans.columns import layer_name
from napari_micromri.widgets.scans.finding import Finding
from napari_micromri.widgets.shared.docks import open_dock
from napari_micromri.widgets.shared.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_micromri.plugin.layers import LayerData
    from napari_micromri.progress import ShouldStop
    from napari_micromri.study.discovery import Found

DOCK = "Scans"


def layer_of(viewer: ViewerModel, found: Found) -> Layer | None:
    """Give the layer that was opened of a scan, if it is still there."""
    return next((one for one in viewer.layers if one.metadata.get(METADATA_KEY) is found.scan.info), None)


class LayerOpener(QObject):
    """Adds scans as layers: their slices are looked at in a thread, and each layer costs what napari takes for it.

    ``added`` brings each layer, ``ended`` comes after the last, with a sentence where one can't be read.
    """

    added = Signal(object)
    ended = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._streams: list[Stream] = []

    def show(self, scans: Sequence[Found], among: Sequence[Found], then: Callable[[list[Layer]], object]) -> None:
        """Call ``then`` with the layers of these scans; those that are in the viewer already are not opened again."""

        def tell(problem: str = "") -> None:
            layers = [layer for one in scans if (layer := layer_of(self._viewer, one)) is not None]
            if layers and not problem:
                then(layers)

        missing = [one for one in scans if layer_of(self._viewer, one) is None]
        if missing:
            self.open(missing, among).ended.connect(tell)
        else:
            tell()

    def open(self, scans: Sequence[Found], among: Sequence[Found]) -> Stream:
        """Open scans that were found among others, whose names tell them apart."""
        named = [(one, layer_name(one, among)) for one in scans]
        show_warnings([one.scan for one in scans])

        def make(should_stop: ShouldStop) -> Iterator[LayerData]:
            for one, name in named:
                data, attributes, kind = scan_to_layer(one.scan)
                yield data, attributes | {"name": name}, kind

        stream = Stream(make, self, at_once=1)
        self._streams.append(stream)
        stream.came.connect(self._add)
        stream.ended.connect(self._end)
        stream.start()
        return stream

    def stop(self) -> None:
        """Add nothing more."""
        for stream in self._streams:
            stream.stop()

    def _add(self, layers: list[LayerData]) -> None:
        for data, attributes, _ in layers:
            self.added.emit(self._viewer.add_image(data, **attributes))

    def _end(self, problem: str) -> None:
        if problem:
            show_error(problem)
        self._streams = [stream for stream in self._streams if stream.busy]
        self.ended.emit(problem)


class FolderOpening(QObject):
    """What File > Open Folder does: one scan becomes a layer; of several the most telling one, and a dock lists all."""

    ended = Signal()

    def __init__(self, viewer: ViewerModel, path: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        show_letters(viewer)
        measure_by_dragging(viewer)
        self._viewer = viewer
        self.dock: Any = None
        self.finding = Finding([path], parent)
        self._opener = LayerOpener(viewer, self)
        self._opener.ended.connect(self._end)
        for came in (self.finding.glimpsed, self.finding.came):
            came.connect(self._open_dock)
        self.finding.listed.connect(self._open_layer)

    def start(self) -> None:
        """Begin."""
        self.finding.start()

    def _open_dock(self) -> None:
        count = len(self.finding.found or self.finding.foreseen) + len(self.finding.left_out)
        if self.dock is None and count > 1:
            self.dock = open_dock(self._viewer, DOCK)
            if self.dock is not None:
                self.dock.show_finding(self.finding)
                self.dock.offer_folders()

    def _open_layer(self) -> None:
        from napari_micromri.study.choosing import most_anatomical

        best = most_anatomical(self.finding.found)
        if best is not None:
            self._opener.show([best], self.finding.found, lambda _: self._select(best))
        else:
            show_error(self.finding.problem or " ".join(entry.reason for entry in self.finding.left_out[:1]))
            self._end()

    def _select(self, opened: Found) -> None:
        """Let the buttons of the dock begin with the scan that is shown."""
        if self.dock is not None and self.dock.finding is self.finding:
            self.dock.form.table.select(opened)

    def _end(self, problem: str = "") -> None:
        if self.dock is None:
            self.finding.stop()
            self.finding.deleteLater()
        self.ended.emit()


def open_folder(viewer: Any, path: str) -> None:
    """Begin to open a folder in a viewer with a window, and end with the window."""
    opening = FolderOpening(viewer, path, viewer.window.main_menu)
    opening.ended.connect(opening.deleteLater)
    opening.start()
