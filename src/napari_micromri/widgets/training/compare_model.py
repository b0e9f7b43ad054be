"""Which runs can be compared, and what is said of each; made for a thread, without Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import RunReader
from napari_micromri.widgets.training.run_model import STATE_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_micromri.training.run import Run

COLUMNS = ("Run", "State", "Best", "PSNR", "SSIM")


class RunsLook:
    """Reads all runs in some folders again and again, each time only what is new; newest first."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(dict.fromkeys(folders))
        self._readers: dict[Path, RunReader] = {}

    def __call__(self) -> list[Run]:
        """Read them; what is gone or damaged is left out."""
        runs = []
        for path in self._paths():
            reader = self._readers.setdefault(path, RunReader(path))
            try:
                runs.append(reader.read())
            except TrainingError:
                continue
        return sorted(runs, key=lambda run: float(run.settings["created"]), reverse=True)

    def _paths(self) -> list[Path]:
        found: dict[Path, None] = {}
        for folder in self._folders:
            try:
                inside = sorted(path for path in folder.iterdir() if path.is_dir())
            except OSError:
                continue
            found |= dict.fromkeys(path for path in (folder, *inside) if RunFolder(path).exists)
        return list(found)


def cells(run: Run) -> tuple[str, ...]:
    """Say the main things of a run, one for each of `COLUMNS`."""
    best = run.best
    if best is None:
        return run.name, STATE_WORDS[run.state], "", "", ""
    figures = best.validation
    psnr = f"{figures.psnr:.2f}" if math.isfinite(figures.psnr) else ""
    ssim = f"{figures.ssim:.3f}" if math.isfinite(figures.ssim) else ""
    return run.name, STATE_WORDS[run.state], str(best.epoch), psnr, ssim
