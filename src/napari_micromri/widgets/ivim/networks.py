"""Which network to use: one to be trained on the scan at hand, one that was trained here, or one of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QSpinBox, QVBoxLayout, QWidget

from napari_micromri.errors import MicroMRIError
from napari_micromri.widgets.shared.parts import Chooser, button, row, small_button

if TYPE_CHECKING:
    from napari_micromri.widgets.ivim.model import Network

TRAIN = "train on this scan"


class NetworkChooser(QWidget):
    """Lists the networks; ``said`` brings sentences."""

    said = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._networks: list[Network] = [None]
        self.box = Chooser("Train a network on slices of this scan, or use one that is trained.", (TRAIN,))
        self.load = small_button("…", "Open a trained network: model.safetensors of 'micromri ivim-train'.")
        self.epochs = QSpinBox()
        self.epochs.setRange(1, 5000)
        self.epochs.setValue(150)
        self.epochs.setSuffix(" epochs")
        self.epochs.setToolTip("The largest number of epochs.")
        self.save = button("Save…", "Save the network that was trained here, for other scans with the same b-values.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(self.box, self.load))
        layout.addWidget(row(self.epochs, self.save))
        self.box.currentIndexChanged.connect(lambda _: self._update())
        self.load.clicked.connect(self._ask_to_open)
        self.save.clicked.connect(self._ask_to_save)
        self._update()

    @property
    def chosen(self) -> Network:
        """The trained network or its file; None to train one."""
        return self._networks[self.box.currentIndex()]

    def add(self, label: str, network: Network) -> None:
        """List a network and choose it."""
        self._networks.append(network)
        self.box.addItem(label)
        self.box.setCurrentIndex(len(self._networks) - 1)

    def save_to(self, path: Path) -> None:
        """Save the network that is chosen; the dialog has asked before it replaces a file."""
        from napari_micromri.ivim.estimators.network import save_network

        trained: Any = self.chosen
        try:
            provenance = {"trained_on": self.box.currentText()}
            save_network(path, trained.network, trained.name, provenance, overwrite=path.exists())
        except MicroMRIError as error:
            self.said.emit(str(error))
            return
        self.said.emit(f"Saved {path}")

    def _update(self) -> None:
        self.epochs.setEnabled(self.chosen is None)
        self.save.setEnabled(not isinstance(self.chosen, Path | None))

    def _ask_to_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Trained network", "", "Models (*.safetensors)")
        if path:
            self.add(f"{Path(path).parent.name}/{Path(path).name}", Path(path))

    def _ask_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the network as", "ivim.safetensors", "Models (*.safetensors)")
        if path:
            self.save_to(Path(path))
