"""Reading a tuning and one of its trials for the dock; made for threads, and without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.errors import TrainingError
from napari_micromri.training.folder import RunFolder
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.points import searched
from napari_micromri.widgets.training.tuning.status import AT_WORK, TuneStatus, describe_tuning
from napari_micromri.widgets.training.tuning.trial_rows import Table, make_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_micromri.tuning.reading import TuneReader
    from napari_micromri.tuning.state import TrialRow, TuneState


@dataclass(frozen=True)
class TuneLook:
    """A tuning as it was when it was looked at, with all that is shown of it but the plots.

    ``models`` are the numbers of the best trials whose model files are within reach.
    """

    state: TuneState
    status: TuneStatus
    table: Table
    searched: tuple[str, ...]
    models: frozenset[int]


class TuneWatch:
    """Looks at the same tuning again and again, each time only at what is new."""

    def __init__(self, path: Path) -> None:
        self._folder = TuneFolder(path)
        self._reader: TuneReader | None = None

    def __call__(self) -> TuneLook:
        """Look.

        Raises
        ------
        TrainingError
            It isn't a tuning, or can't be read.
        """
        from napari_micromri.tuning.reading import TuneReader

        self._reader = self._reader or TuneReader(self._folder.path)
        state = self._reader.read()
        status = describe_tuning(state, paused=self._folder.pause.exists(), stopping=self._folder.stop.exists())
        models = frozenset(row.number for row in state.best_rows if model_of(row) is not None)
        return TuneLook(state, status, make_table(state), tuple(searched(state)), models)


def model_of(row: TrialRow) -> Path | None:
    """Give the model of a trial's best epoch, if it is within reach."""
    if row.run is None:
        return None
    path = RunFolder(row.run).best
    return path if path.is_file() else None


def has_storage(path: Path) -> bool:
    """Tell whether a tuning's trials are noted in a database."""
    try:
        return TuneFolder(path).read().storage is not None
    except TrainingError:
        return False


def which_live(paths: Iterable[Path]) -> dict[Path, bool]:
    """Say of each tuning whether a worker is running; those that are gone or damaged are left out."""
    from napari_micromri.tuning.process import read_workers

    found = {}
    for path in paths:
        try:
            found[path] = any(worker.state in AT_WORK for worker in read_workers(path))
        except TrainingError:
            continue
    return found
