"""Take the pictures of the docks: docs/images/scans.png, and those of denoise, apddm, measure, training, tuning.

Needs a display: ``xvfb-run -a python docs/make_screenshots.py``. A fast scan is simulated from the real mouse trunk
where MICROMRI_DATA (or ../shared/data) has it, from the digital mouse otherwise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication, QToolButton

from napari_micromri.io import open_scan
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan
from napari_micromri.simulation.acquisition import simulate_fast_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MICROMRI_DATA", ROOT.parent / "shared" / "data"))
SIZE = (1280, 800)
SNR = 10.0
PATIENCE = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    docks = ("scans", "denoise", "apddm", "measure", "ivim", "training", "tuning")
    parser.add_argument("--only", choices=docks, help="only these pictures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    get_settings().appearance.theme = "dark"
    if options.only in (None, "scans"):
        import scans_screenshots

        scans_screenshots.take(options.output)
    if options.only in (None, "denoise"):
        take_denoising(options.output)
    if options.only in (None, "apddm"):
        import apddm_screenshots

        apddm_screenshots.take(options.output)
    if options.only in (None, "measure"):
        import measure_screenshots

        measure_screenshots.take(options.output)
    if options.only in (None, "ivim"):
        import ivim_screenshots

        ivim_screenshots.take(options.output)
    if options.only in (None, "training"):
        import training_screenshots

        training_screenshots.take(options.output)
    if options.only in (None, "tuning"):
        import tuning_screenshots

        tuning_screenshots.take(options.output)


def take_denoising(output: Path) -> None:
    viewer = napari.Viewer(title="napari")
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Denoise with UNet/APDDM")
    data, attributes, _ = scan_to_layer(fast_scan())
    viewer.add_image(data, **attributes)
    viewer.scene.camera.zoom *= 1.5  # the mouse rather than the air around it
    dock.form.more.setChecked(True)
    dock.form.residual.setChecked(True)
    save(viewer, output / "denoise_before.png")

    activity = dock.window().findChild(QToolButton, "QtActivityButton")
    activity.click()
    dock.form.denoise.click()
    progress = dock.form.progress
    wait(lambda: progress.maximum() > 1 and progress.value() > 0.4 * progress.maximum())
    save(viewer, output / "denoise_during.png", settle=0.0)
    wait(lambda: dock.form.denoise.isEnabled())
    activity.click()
    save(viewer, output / "denoise_after.png")
    viewer.close()


def fast_scan() -> Scan:
    """Simulate the fast scan and read it, so that the run shows the model's pace and not the simulation's."""
    files = sorted((DATA / "t2w_mouse_trunk").glob("*.nii*"))
    if files:
        good = open_scan(files[0])[0]
    else:
        from napari_micromri.simulation.samples import digital_mouse

        _, good = digital_mouse()
    fast = simulate_fast_scan(good, snr=SNR)
    return Scan(fast.read(), fast.info)


@contextmanager
def lab_folder() -> Iterator[Path]:
    """Give an empty folder whose path is one that a lab could have: pictures show it. It is gone afterwards."""
    folder = Path(tempfile.gettempdir()) / "lab"
    folder.mkdir()  # not one that is there already
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def wait(until: Callable[[], bool]) -> None:
    """Let the window work until something is so."""
    end = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > end:
            raise TimeoutError("The run took too long for a picture.")
        QApplication.processEvents()
        time.sleep(0.005)


def save(viewer: napari.Viewer, path: Path, settle: float = 1.0) -> None:
    """Take the picture of the whole window once it has settled."""
    began = time.monotonic()
    wait(lambda: time.monotonic() - began >= settle)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(f"Wrote {path}")


if __name__ == "__main__":
    main()
