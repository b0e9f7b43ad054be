"""A denoiser that needs no network and does its slices when the test lets it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_micromri.errors import CancelledError
from napari_micromri.scan import Scan


@dataclass(frozen=True)
class Entry:
    name: str = "unet-default"
    kind: str = "unet"
    path: Path = Path("unet-default.safetensors")
    summary: str = "For fast scans of any kind"
    factor: int = 2
    parameters: int = 590_000
    most_steps: int = 1
    takes_noise: bool = False
    has_errors: bool = False


class Denoiser:
    """Doubles each pixel of each slice; ``hold`` makes it wait before its second slice until told to stop or go on."""

    def __init__(self) -> None:
        self.calls: list[dict[str, object]] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self.threads: set[threading.Thread] = set()

    def hold(self) -> None:
        self.gate.clear()

    def go_on(self) -> None:
        self.gate.set()

    def denoise(self, scan, model, options, *, progress, should_stop, keep_finished):
        self.calls.append({"model": model, "options": options, "keep_finished": keep_finished, "scan": scan})
        self.threads.add(threading.current_thread())
        if self.error is not None:
            raise self.error
        axes = scan.info.axes
        chosen = tuple(options.select.get(axis, range(n)) for axis, n in zip(axes, scan.shape, strict=True))
        part = np.asarray(scan.data)[np.ix_(*chosen)]
        in_plane = [axis for axis in scan.info.spatial if axis != options.slice_axis]
        total = part.size // int(np.prod([part.shape[axes.index(axis)] for axis in in_plane]))
        for done in range(total):
            if done == 1 and self.pause(should_stop):
                if keep_finished:
                    break
                raise CancelledError("The run was stopped.")
            progress(done + 1, total)
        for axis in in_plane:
            part = part.repeat(2, axes.index(axis))
        return Scan(part.astype(np.float32), scan.info.resampled(dict.fromkeys(in_plane, 2)))

    def denoise_with_uncertainty(self, scan, model, options, **how):
        result = self.denoise(scan, model, options, **how)
        return result, Scan(np.sqrt(np.abs(result.data)), result.info)

    def denoise_to_file(self, scan, model, path, options, **how):
        from napari_micromri.io import save_scan

        uncertainty = how.pop("uncertainty", None)
        result = self.denoise(scan, model, options, **how)
        if uncertainty is not None:
            save_scan(result, uncertainty)
        return save_scan(result, path)

    def pause(self, should_stop) -> bool:
        self.waiting.set()
        while not self.gate.wait(0.005):
            if should_stop():
                return True
        return should_stop()


@pytest.fixture
def make_entry():
    return Entry


@pytest.fixture
def denoiser(monkeypatch):
    fake = Denoiser()
    monkeypatch.setattr("napari_micromri.inference.denoise", fake.denoise)
    monkeypatch.setattr("napari_micromri.inference.denoise_to_file", fake.denoise_to_file)
    monkeypatch.setattr("napari_micromri.inference.denoise_with_uncertainty", fake.denoise_with_uncertainty)
    monkeypatch.setattr("napari_micromri.inference.available_devices", lambda: ["cpu", "cuda:0"])
    monkeypatch.setattr("napari_micromri.widgets.shared.torch_loading.load_torch", lambda: None)
    monkeypatch.setattr("napari_micromri.widgets.shared.model_chooser.available_models", lambda: [Entry()])
    yield fake
    fake.go_on()


@pytest.fixture
def shown(monkeypatch):
    """Collect the notifications."""
    from napari.utils.notifications import notification_manager

    del notification_manager.records[:]
    yield notification_manager.records
    del notification_manager.records[:]
