"""Take the pictures of the study dock: docs/images/study_*.png.

Needs a display: ``xvfb-run -a python docs/make_study_screenshots.py``. A study is simulated in a temporary folder from
the real mouse trunk and rat head where MICROMRI_DATA (or ../shared/data) has them, from digital mice otherwise.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from make_screenshots import DATA, ROOT, SIZE, lab_folder, save, wait
from napari.settings import get_settings

from napari_micromri.io import save_scan
from napari_micromri.scan import Scan
from napari_micromri.simulation.faults import ghost, noise_burst
from napari_micromri.study.build import build
from napari_micromri.study.plan import Plan, PlannedPair, Simulation, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.widgets.study.dock import StudyWidget

FOLDERS = {"mouse": "t2w_mouse_trunk", "rat": "t2w_rat_head"}
NOISY, GHOST = (9, 17), 21


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    get_settings().appearance.theme = "dark"
    with lab_folder() as folder:
        os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # napari's icons
        os.environ["HOME"] = str(folder)  # so that paths are shown as ~/mice.mri.zarr
        study = make_study(folder)
        viewer = napari.Viewer(title="napari")
        viewer.window.resize(*SIZE)
        take_new_study(viewer, folder, output)
        take_dock(viewer, study, output)
        viewer.close()


def take_dock(viewer: napari.Viewer, study: Path, output: Path) -> None:
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Study and slice curation")
    dock.open_study(study)
    wait(lambda: dock.curator.session is not None)
    session = dock.curator.session
    first = session.pairs[0]
    dock.pairs.tree.select(first.key)
    dock._show_report(first.key)
    save(viewer, output / "study_tree.png")

    show(dock, first.key, first.slice_count // 2)
    dock.side_by_side.setChecked(True)
    save(viewer, output / "study_pair.png")
    dock.side_by_side.setChecked(False)

    dock.tabs.setCurrentWidget(dock.slices)
    show(dock, first.key, NOISY[0])
    dock.curator.toggle()
    save(viewer, output / "study_excluded.png")

    dock.tabs.setCurrentWidget(dock.suspicious)
    save(viewer, output / "study_suspicious.png")

    dock.tabs.setCurrentWidget(dock.crop)
    last = session.pairs[-1]
    show(dock, last.key, last.slice_count // 2)
    dock.cropping.suggest()
    wait(lambda: dock.curator.pair is not None and dock.curator.pair.marks.crop is not None)
    dock.cropping.draw()
    save(viewer, output / "study_crop.png")
    dock.cropping.cancel()

    dock.tabs.setCurrentWidget(dock.split)
    dock.splitting.as_in_the_report()
    save(viewer, output / "study_split.png")


def take_new_study(viewer: napari.Viewer, folder: Path, output: Path) -> None:
    from napari_micromri.widgets.study.new_study import NewStudyDialog

    dialog = NewStudyDialog(viewer.window._qt_window)
    dialog.add_sources(folder / "scans")
    dialog.form.simulate.setChecked(True)
    dialog.show()
    dialog.find_pairs()
    wait(lambda: dialog.form.pairs.rows_model.rowCount() > 0)
    wait(lambda: dialog._job is None)
    dialog.form.source_list.item(0).setText("~/scans")
    dialog.form.target.setText("~/mice.mri.zarr")
    save(viewer, output / "unused.png", settle=0.3)
    dialog.grab().save(str(output / "study_new.png"))
    (output / "unused.png").unlink()
    print(f"Wrote {output / 'study_new.png'}")
    dialog.close()


def show(dock: StudyWidget, key: str, index: int) -> None:
    """Show a slice of a pair and wait until it is there."""
    dock.curator.open_pair(key, index)
    wait(lambda: dock.curator.loading is None and dock.curator.pair is not None and dock.curator.index == index)


def make_study(folder: Path) -> Path:
    """Build a study of five animals, three slices of the first spoiled: two by a burst of noise, one by a ghost."""
    scans = folder / "scans"
    scans.mkdir()
    pairs = []
    for number, (subject, region) in enumerate(
        (("mouse 05", "trunk"), ("mouse 06", "trunk"), ("mouse 07", "trunk"), ("rat 16", "head"), ("rat 22", "head"))
    ):
        good = real_scan(FOLDERS[subject.split()[0]])
        data = good.read().astype(np.float32)
        if number == 0:
            spoil(data)
        path = save_scan(Scan(data, good.info), scans / f"{subject} {region}.nii.gz")
        simulation = Simulation(snr=12, seed=number)
        plane = good.info.plane or "transaxial"
        pairs.append(PlannedPair(subject=subject, region=region, plane=plane, lr=simulation, hr=Source(str(path))))
    target = folder / "mice.mri.zarr"
    build(Plan(tuple(pairs)), target)
    return target


def spoil(data: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(0)
    for k in NOISY:
        data[k] = noise_burst(data[k], 0.2 * float(np.percentile(data, 99)), rng)
    data[GHOST] = ghost(data[GHOST], 0.3, parts=2, axis=0)


def real_scan(name: str) -> Scan:
    from napari_micromri.io import open_scan
    from napari_micromri.simulation.samples import digital_mouse

    files = sorted((DATA / name).glob("*.nii*"))
    return open_scan(files[0])[0] if files else digital_mouse()[1]


if __name__ == "__main__":
    main()
