"""Begin a tuning, and what can be done to one that runs; made for threads, without Qt.

A password stays in this process and those that it starts, and in no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.tuning import process
from napari_micromri.widgets.training.tuning.new_model import with_password

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.config import TuneConfig
    from napari_micromri.tuning.state import TuneState

REPORT = "report.html"


def begin(path: Path, config: TuneConfig, workers: int, storage: str | None) -> Path:
    """Make a tuning and start its workers; gives its folder.

    Raises
    ------
    MicroMRIError
        The folder is taken, the storage can't be reached, a worker can't be started.
    """
    process.create_tuning(path, config, storage=storage)
    process.start_workers(path, workers)
    return path


def resume(path: Path, workers: int) -> None:
    """Resume after a pause or a stop; ``workers`` is how many to start, 0 when they are there and wait."""
    process.resume_tuning(path)
    if workers:
        process.start_workers(path, workers)


def write_report(state: TuneState, path: Path) -> Path:
    """Write the report of a tuning into its folder, over the one that is there; gives the page.

    Raises
    ------
    MicroMRIError
        It can't be written.
    """
    from napari_micromri.tuning.report.page import write_page

    page = path / REPORT
    write_page(page, state, overwrite=True)
    return page


def give_password(path: Path, password: str) -> None:
    """Take the password of a tuning's storage from the person.

    Raises
    ------
    TrainingError
        The folder is no tuning.
    """
    from napari_micromri.tuning.address import remember
    from napari_micromri.tuning.folder import TuneFolder

    url = TuneFolder(path).read().storage
    if url is not None:
        remember(with_password(url, password))
