"""A list of the devices to compute on, which looks for graphics processors only when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.torch_loading import with_torch

if TYPE_CHECKING:
    from napari_micromri.progress import Progress, ShouldStop

KNOWN = {"auto": "Automatic", "cpu": "CPU"}


class DeviceChooser(QComboBox):
    """Offers "Automatic" and the CPU, and after it was opened what else there is: finding out takes seconds."""

    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._devices = list(KNOWN)
        self._job: BackgroundJob | None = None
        self.addItems(list(KNOWN.values()))
        self.opened.connect(self._look)

    @property
    def current(self) -> str:
        """The chosen device, as PyTorch calls it, or "auto"."""
        return self._devices[max(0, self.currentIndex())]

    def showPopup(self) -> None:
        """Open the list."""
        self.opened.emit()
        super().showPopup()

    def _look(self) -> None:
        if self._job is None:
            self._job = BackgroundJob(with_torch(_find_devices), "Looking for graphics processors", self)
            self._job.succeeded.connect(self._add)
            self._job.start()

    def _add(self, found: list[str]) -> None:
        for device in found:
            if device not in self._devices:
                self._devices.append(device)
                self.addItem(device)


def _find_devices(progress: Progress, should_stop: ShouldStop, /) -> list[str]:
    from napari_micromri.inference import available_devices

    return available_devices()
