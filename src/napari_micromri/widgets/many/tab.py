"""The tab "Many scans": a job in a process of its own, which outlives the dock and napari."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_micromri.errors import MicroMRIError
from napari_micromri.inference.many.job import ScanDone
from napari_micromri.io import open_scan
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.runs.process import stop_job
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.many.form import ENDINGS, ManyForm
from napari_micromri.widgets.many.model import ManyLook, ManyState, make_request, start
from napari_micromri.widgets.shared.docks import open_dock
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.shared.model_chooser import ModelChooser
from napari_micromri.widgets.shared.stored import remember_fields, stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import ViewerModel

    from napari_micromri.inference.many.request import ManyRequest
    from napari_micromri.widgets.many.model import JobView

DOCK, GROUP = "Denoise with UNet/APDDM", "many"
FOLDER = f"{GROUP}/folder"
LOOK_MS = 500


def many_scans(viewer: ViewerModel, paths: Iterable[str | os.PathLike[str]], results: Path | None = None) -> None:
    """Open the tab with these scans in its list: folders, files, studies, tables, or what `Source` writes."""
    dock = open_dock(viewer, DOCK)
    if dock is not None:
        dock.tabs.setCurrentWidget(dock.many_page)
        dock.many.show_inputs(os.fspath(path) for path in paths)
        if results is not None:
            dock.many.use_folder(results)


class ManyTab(QWidget):
    """Chooses scans, model and folder, starts the job, and shows how it stands."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.form = form = ManyForm()
        self.inputs: list[str] = []
        self.folder: Path | None = None
        self.snapshot: JobView | None = None
        self._job: BackgroundJob | None = None
        self._looking: Looking | None = None
        self._problem = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        self.models = ModelChooser(form.model, GROUP)
        fields = ("name", "ending", "workers", "device", "quality")
        remember_fields(GROUP, {name: getattr(form, name) for name in fields})
        self._connect()
        last = stored().value(FOLDER)
        if isinstance(last, str) and last:
            self.use_folder(Path(last))
        self._update()

    def _connect(self) -> None:
        form = self.form
        form.dropped.connect(self.add)
        form.add_files.clicked.connect(lambda: self.add(form.ask_files()))
        form.add_folder.clicked.connect(self._ask_input)
        form.remove.clicked.connect(self._remove)
        form.add_model.clicked.connect(self._ask_model)
        form.choose_folder.clicked.connect(self._ask_folder)
        form.model.currentIndexChanged.connect(self._update)
        form.start.clicked.connect(self.start)
        form.stop.clicked.connect(self.stop)
        form.opened.connect(self._open)

    def shut_down(self) -> None:
        """Look no more; the work continues."""
        if self._looking is not None:
            self._looking.stop()

    # What is asked for

    def show_inputs(self, paths: Iterable[str]) -> None:
        """Replace what is in the list."""
        self.inputs = []
        self.add(paths)

    def add(self, paths: Iterable[str]) -> None:
        """Add files and folders to the list, each once."""
        self.inputs = list(dict.fromkeys([*self.inputs, *paths]))
        self.form.show_inputs(self.inputs)
        self._update()

    def _remove(self) -> None:
        lines = {index.row() for index in self.form.inputs.selectedIndexes()}
        self.show_inputs([text for k, text in enumerate(self.inputs) if lines and k not in lines])

    def _ask_input(self) -> None:
        if (path := self.form.ask_folder("A folder of scans, or a study")) is not None:
            self.add([str(path)])

    def _ask_model(self) -> None:
        if (path := self.form.ask_model()) is not None:
            self.models.add_file(path)
            self._update()

    def _ask_folder(self) -> None:
        if (path := self.form.ask_folder("A folder for the results")) is not None:
            self.use_folder(path)

    def use_folder(self, path: Path) -> None:
        """Write results into a folder, and watch the work in it if there is any."""
        self.shut_down()
        self.folder, self.snapshot = path, None
        stored().setValue(FOLDER, str(path))
        self.form.folder.setText(str(path))
        self._say("")
        self._looking = Looking(ManyLook(path), self, every_ms=LOOK_MS)
        self._looking.seen.connect(self._seen)
        self._looking.failed.connect(self._say)
        self._looking.look()
        self._update()

    def request(self) -> ManyRequest:
        """Give the settings of the job.

        Raises
        ------
        InputError
            A field makes no sense.
        """
        form, model = self.form, self.models.current
        options: dict[str, Any] = {
            "device": form.device.current,
            "steps": form.sampling.steps,
            "draws": form.sampling.draws,
            "eta": form.sampling.eta,
            "dark_air": form.dark_air.isChecked() or None,
            "anyway": form.anyway.isChecked() or None,
            "quality": form.quality.quality if form.quality.quality != "fast" else None,
            "strength": form.strength.strength if form.strength.strength != 1.0 else None,
        }
        return make_request(
            self.inputs,
            str(model.model) if model is not None else "",
            only=form.only.text().strip() or "*",
            name=form.name.text().strip() or "{name}",
            ending=ENDINGS[form.ending.currentText()],
            workers=form.workers.value(),
            options={name: value for name, value in options.items() if value is not None},
        )

    # The work

    def start(self) -> None:
        """Start the job, or continue it."""
        if self.folder is None or self._job is not None:
            return
        try:
            work = partial(start, self.request(), self.folder, self.form.replace.isChecked())
        except MicroMRIError as error:
            self._say(str(error))
            return
        self._job = job = BackgroundJob(work, "Starting to denoise many scans", self)
        job.failed.connect(self._say)
        job.ended.connect(self._started)
        self._say("")
        self.form.status.setText("Starting…")
        self._update()
        job.start()

    def _started(self) -> None:
        self._job = None
        if self._looking is not None:
            self._looking.look()
        self._update()

    def stop(self) -> None:
        """Ask the job to stop; what is done is kept."""
        if self.folder is not None:
            try:
                stop_job(self.folder)
            except MicroMRIError as error:
                self._say(str(error))
            self._started()

    def _seen(self, snapshot: JobView | None) -> None:
        if snapshot is None and self.snapshot is not None:  # its folder was deleted
            self.form.status.clear()
        self.snapshot = snapshot
        if snapshot is not None and not self.inputs:
            self.add(snapshot.job.settings["config"]["inputs"])
        self.form.show_job(snapshot)
        if self._problem:  # it stays until something else is asked for
            self.form.status.setText(self._problem)
        self._update()

    def _say(self, problem: str) -> None:
        self._problem = problem
        self.form.status.setText(problem)

    def _open(self, line: int) -> None:
        scans = list(self.snapshot.job.scans.values()) if self.snapshot is not None else []
        if line < len(scans) and isinstance(scan := scans[line], ScanDone) and self.folder is not None:
            try:
                data, attributes, _ = scan_to_layer(open_scan(self.folder / scan.file)[0])
            except MicroMRIError as error:
                self._say(str(error))
            else:
                self._viewer.add_image(data, **attributes)

    def _update(self, *_: object) -> None:
        self.form.show_model(self.models.current)
        self.form.show_state(
            ManyState(
                inputs=len(self.inputs),
                has_folder=self.folder is not None,
                has_model=self.models.current is not None,
                starting=self._job is not None,
                snapshot=self.snapshot,
            )
        )
