"""What a reader leaves out, guesses or repairs is shown in the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_micromri.plugin.reader import read_layers

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_warning_of_a_reader_becomes_a_notification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", shown.append)
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("image", data=np.ones((2, 8, 8), "u2"))
    group.create_array("line", data=np.arange(4.0))
    layers = read_layers(str(tmp_path / "g.zarr"))
    assert len(layers) == 1
    [text] = shown
    assert "line" in text
