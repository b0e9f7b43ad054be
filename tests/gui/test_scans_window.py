"""File > Open Folder in a real napari window."""

from __future__ import annotations

import numpy as np
import pytest

from bruker_files import Reconstruction

pytestmark = pytest.mark.gui

DOCK = "Scans (napari-micromri)"


def test_a_study_opens_as_one_layer_beside_the_list_of_all(make_napari_viewer, qtbot, tmp_path):
    stored = np.arange(60, dtype="i2").reshape(3, 4, 5)
    for number, (protocol, width) in enumerate((("Localizer", 5.0), ("T2_RARE", 10.0), ("T2_fast", 20.0)), 1):
        Reconstruction(stored, protocol=protocol, extent=(width, 0.8 * width)).write(tmp_path / "study", number)
    viewer = make_napari_viewer()

    assert viewer.open(str(tmp_path / "study"), plugin="napari-micromri") == []
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert viewer.layers[0].name.startswith("T2_RARE")
    assert viewer.canvas.overlays["micromri_left"].visible

    docks = viewer.window.dock_widgets
    assert DOCK in docks
    dock = docks[DOCK]
    assert len(dock.finding.found) == 3
    stream = dock.finding._stream
    viewer.window.remove_dock_widget(dock)
    assert not stream.busy
    assert dock.finding is None
