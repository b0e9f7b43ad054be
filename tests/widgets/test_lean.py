"""What opening napari and the dock must not cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPEN_DOCK = """
import sys
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
import numpy as np
from napari_micromri.widgets.denoise import DenoiseWidget
viewer = ViewerModel()
viewer.add_image(np.ones((3, 8, 8)))
dock = DenoiseWidget(viewer)
dock.show()
application.processEvents()
assert dock.form.hint.text()
"""
OPEN_MEASURING = OPEN_DOCK.replace("denoise import DenoiseWidget", "measuring.dock import MeasureWidget").replace(
    "DenoiseWidget(", "MeasureWidget("
)
OPEN_TRAINING = (
    OPEN_DOCK.replace("denoise import DenoiseWidget", "training.dock import TrainingWidget")
    .replace("DenoiseWidget(", "TrainingWidget(")
    .replace("dock.form", "dock.setup.form")
)
READ_MANIFEST = """
import sys
from npe2 import PluginManifest
PluginManifest.from_distribution("napari-micromri")
import napari_micromri.plugin.reader, napari_micromri.plugin.writer, napari_micromri.plugin.sample_data
import napari_micromri.plugin.denoising, napari_micromri.widgets.denoise_model, napari_micromri.widgets.denoise_command
"""


@pytest.mark.parametrize(
    ("script", "unwanted"),
    [
        (OPEN_DOCK, {"torch", "zarr", "nibabel", "pydicom", "brukerapi"}),
        (OPEN_MEASURING, {"torch", "zarr", "nibabel", "pydicom", "brukerapi", "pyqtgraph", "roifile"}),
        (OPEN_TRAINING, {"torch", "zarr", "nibabel", "pydicom", "brukerapi", "pyqtgraph", "lightning_fabric"}),
        (READ_MANIFEST, {"torch", "napari", "qtpy", "dask", "zarr", "nibabel", "pydicom", "brukerapi"}),
    ],
)
def test_nothing_heavy_is_imported(script, unwanted):
    script += "\nprint(*(name for name in sys.modules if '.' not in name))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    assert unwanted & set(found.stdout.split()) == set()
