"""The dock "Scans"."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QFileDialog

from napari_micromri.plugin.letters import show_letters
from napari_micromri.widgets.measuring.shift_drag import measure_by_dragging
from napari_micromri.widgets.scans.asking import napari_asks, open_all_folders
from napari_micromri.widgets.scans.columns import protocol, summary
from napari_micromri.widgets.scans.finding import Finding
from napari_micromri.widgets.scans.form import ScansForm
from napari_micromri.widgets.scans.handing import denoise, denoise_many, fit_ivim, make_study, measure
from napari_micromri.widgets.scans.opening import LayerOpener
from napari_micromri.widgets.shared.dock import Dock
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.recent import recent_folders, remember_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_micromri.study.discovery import Found


class ScansWidget(Dock):
    """Lists the scans of a folder, a study or files, and brings them into the viewer and the other docks."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.setAcceptDrops(True)
        self.form = form = ScansForm()
        self.finding: Finding | None = None
        show_letters(napari_viewer)
        measure_by_dragging(napari_viewer)
        self.opener = LayerOpener(napari_viewer, self)
        self.hold(form)
        form.open_folder.clicked.connect(self._ask_folder)
        form.recent.aboutToShow.connect(self._fill_recent)
        form.always.clicked.connect(self._always_open)
        form.stop.clicked.connect(self._stop)
        form.search.textChanged.connect(self._search)
        for chooser in (form.kind, form.protocol):
            chooser.currentIndexChanged.connect(self._choose)
        form.tick_all.clicked.connect(form.table.tick_visible)
        form.table.opened.connect(lambda one: self._open([one]))
        form.table.chosen.connect(self._update)
        form.table.scans_model.ticks_changed.connect(self._update)
        form.open_layers.clicked.connect(lambda: self._open(form.table.picked()))
        form.denoise.clicked.connect(lambda: denoise(self, form.table.picked()))
        form.measure.clicked.connect(lambda: measure(self, form.table.picked()))
        form.many.clicked.connect(lambda: denoise_many(self, form.table.picked_or_all()))
        form.study.clicked.connect(lambda: make_study(self, form.table.picked_or_all()))
        form.ivim.clicked.connect(lambda: fit_ivim(self, form.table.picked()))
        self._update()
        Looking(partial(import_module, "dask.array"), self).look()  # the first scan would wait for it

    def open_paths(self, *paths: str) -> None:
        """List the scans of folders and files; what was listed before goes."""
        finding = Finding(paths, self)
        self.show_finding(finding)
        finding.start()

    def show_finding(self, finding: Finding) -> None:
        """Show what is found, what was found already, too."""
        self._let_go()
        self.finding = finding
        form = self.form
        form.folder.setText(", ".join(finding.paths))
        form.table.scans_model.add_rows(finding.found or finding.foreseen)
        self._offer()
        form.table.scans_model.add_pictures(finding.pictures)
        finding.glimpsed.connect(form.table.scans_model.add_rows)
        finding.came.connect(self._add)
        finding.pictured.connect(form.table.scans_model.add_pictures)
        finding.listed.connect(self._listed)
        finding.ended.connect(self._ended)
        for path in map(Path, finding.paths):
            if path.is_dir():
                remember_folder(path.absolute())
        self._update()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders and files of this machine."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """List what was dropped."""
        event.acceptProposedAction()
        self.open_paths(*(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()))

    def shut_down(self) -> None:
        """Look for nothing and add nothing more."""
        self._let_go()
        self.opener.stop()

    def _let_go(self) -> None:
        before, self.finding = self.finding, None
        if before is not None:
            before.glimpsed.disconnect(self.form.table.scans_model.add_rows)
            before.came.disconnect(self._add)
            before.pictured.disconnect(self.form.table.scans_model.add_pictures)
            before.listed.disconnect(self._listed)
            before.ended.disconnect(self._ended)
            before.stop()
            before.deleteLater()
        self.form.table.scans_model.clear()
        self.form.show_left_out(())
        self._offer()

    def _add(self, scans: list[Found]) -> None:
        self.form.table.scans_model.forget_glimpsed()
        self.form.table.scans_model.add_rows(scans)
        self._offer()
        self._update()

    def _offer(self) -> None:
        """Offer the protocols that are there; one that went with its scans is chosen no more."""
        self.form.show_protocols(protocol(one) for one in self.form.table.scans_model.rows)
        self.form.table.choose(*self.form.chosen)

    def _listed(self) -> None:
        self.form.table.scans_model.forget_glimpsed()
        self._update()

    def _ended(self) -> None:
        if self.finding is not None and self.finding.problem:
            show_warning(self.finding.problem)
        self._update()

    def _stop(self) -> None:
        if self.finding is not None:
            self.finding.stop()

    def offer_folders(self) -> None:
        """Offer to be asked no more, where napari asks which plugin opens a folder."""
        self.form.asking.setVisible(napari_asks())

    def _always_open(self) -> None:
        open_all_folders()
        self.form.asking.hide()

    def _search(self, words: str) -> None:
        self.form.table.search(words)
        self._update()

    def _choose(self) -> None:
        self.form.table.choose(*self.form.chosen)
        self._update()

    def _open(self, scans: Sequence[Found]) -> None:
        if self.finding is not None:
            self.opener.open(scans, self.finding.found)

    def _ask_folder(self) -> None:
        last = next(iter(recent_folders()), None)
        chosen = QFileDialog.getExistingDirectory(self, "List the scans of a folder", str(last.parent) if last else "")
        if chosen:
            self.open_paths(chosen)

    def _fill_recent(self) -> None:
        self.form.recent.clear()
        for path in recent_folders():
            self.form.recent.addAction(str(path)).triggered.connect(partial(self.open_paths, str(path)))
        if self.form.recent.isEmpty():
            self.form.recent.addAction("No recent folders").setEnabled(False)

    def _update(self) -> None:
        form, finding = self.form, self.finding
        picked = form.table.picked()
        busy = finding is not None and finding.busy
        form.stop.setVisible(busy)
        form.tick_all.setEnabled(bool(finding and finding.found))
        form.tick_all.setChecked(bool(form.table.scans_model.ticked))
        for one in (form.open_layers, form.measure):
            one.setEnabled(bool(picked))
        form.denoise.setEnabled(len(picked) == 1)
        many = form.table.picked_or_all()
        form.many.setText(f"Denoise {len(many)}" if many else "Denoise all")
        for one in (form.many, form.study):
            one.setEnabled(bool(many) and not busy)
        form.ivim.setEnabled(any("b" in one.scan.info.axes for one in picked))
        if finding is None:
            form.status.setText("Double-click a scan to open it; tick several to work with them.")
        else:
            form.show_left_out(finding.left_out)
            shown = form.table.shown
            counted = summary(finding.found, len(finding.left_out), shown, busy=busy)
            form.status.setText(counted if busy else f"{counted} Shift-drag over an image to measure a region.")
