"""What opening napari and the dock must not cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPEN_DOCKS = """
import sys, time
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
import numpy as np
from napari_micromri.widgets.denoise import DenoiseWidget
from napari_micromri.widgets.measuring.dock import MeasureWidget
from napari_micromri.widgets.training.dock import TrainingWidget
viewer = ViewerModel()
viewer.add_image(np.ones((3, 8, 8)))
docks = [kind(viewer) for kind in (DenoiseWidget, MeasureWidget, TrainingWidget)]
for dock in docks:
    dock.show()
until = time.monotonic() + 60
hints = docks[0].form.hint, docks[1].form.hint, docks[2].setup.form.hint
while not all(hint.text() for hint in hints):
    assert time.monotonic() < until, [hint.text() for hint in hints]
    application.processEvents()
"""
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
        (
            OPEN_DOCKS,
            {"torch", "zarr", "nibabel", "pydicom", "brukerapi", "pyqtgraph", "roifile", "lightning_fabric"},
        ),
        (READ_MANIFEST, {"torch", "napari", "qtpy", "dask", "zarr", "nibabel", "pydicom", "brukerapi"}),
    ],
)
def test_nothing_heavy_is_imported(script, unwanted):
    script += "\nprint(*(name for name in sys.modules if '.' not in name))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    assert unwanted & set(found.stdout.split()) == set()
