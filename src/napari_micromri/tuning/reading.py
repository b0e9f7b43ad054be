"""Read a tuning again and again, from its folder or from a storage: cheap, and never in the way of those who write.

Looking makes no file and no table, and takes no lock.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from napari_micromri.errors import TrainingError
from napari_micromri.tuning.address import hide_password, is_url
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.persistence import reachable
from napari_micromri.tuning.rows import Rows
from napari_micromri.tuning.state import TrialRow, TrialState, TuneState, best_trials
from napari_micromri.tuning.storage import close_storage, find_study, open_storage, told
from napari_micromri.tuning.trials import wanted
from napari_micromri.tuning.workers import rows_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

    from napari_micromri.tuning.config import Direction, TuneConfig

__all__ = ["TrialRow", "TrialState", "TuneReader", "TuneState", "read_tuning"]


class TuneReader:
    """Reads a tuning, each time only what is new; may be called from any thread.

    Parameters
    ----------
    where
        Folder of the tuning, or URL of its storage.
    name
        Of the tuning, where a storage holds several.

    Raises
    ------
    TrainingError
        The folder isn't a tuning.
    """

    def __init__(self, where: Path | str, *, name: str | None = None) -> None:
        self._lock = threading.RLock()
        self._folder: TuneFolder | None = None
        self._config: TuneConfig | None = None
        self._where: TuneFolder | str = str(where)
        self._name, self._label = name, hide_password(str(where))
        if not is_url(where):
            self._where = self._folder = TuneFolder(Path(where).absolute())
            settings = self._folder.read()
            self._config, self._name = settings.config, settings.config.name
            self._label = settings.storage or str(self._folder.journal)
        self._is_journal = not is_url(self._label)
        self._storage: BaseStorage | None = None
        self._study: Study | None = None
        self._rows = Rows(self._folder.path if self._folder else None)

    def read(self) -> TuneState:
        """Read the tuning as it is now.

        Raises
        ------
        TrainingError
            It is damaged, gone, or its storage can't be reached.
        """
        with self._lock, reachable(self._label):
            study = self._find()
            if self._config is None and study is not None and (content := told(study)) is not None:
                self._config, self._folder = content
                self._rows = Rows(self._folder.path)
            return self._state(study)

    def close(self) -> None:
        """Close the connection to a storage; the next `read` opens it again."""
        with self._lock:
            if self._storage is not None:
                close_storage(self._storage)
            self._study = self._storage = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find(self) -> Study | None:
        """Find the study again, or for the first time; None when there is none yet, or when somebody has deleted it."""
        from napari_micromri.tuning.journal import TrialJournal

        if isinstance(self._storage, TrialJournal) and self._storage.journal.replaced:
            self.close()
        if self._storage is None:
            _refuse_missing_file(self._where)
            self._storage = open_storage(self._where, look_only=True)
        names = [study.study_name for study in self._storage.get_all_studies()]
        if self._study is None or self._study.study_name not in names:
            self._study = find_study(self._storage, self._name, self._label)
        return self._study

    def _state(self, study: Study | None) -> TuneState:
        now, config = time.time(), self._config
        objectives, directions = _judged_by(config, study)
        trials = tuple(study.get_trials(deepcopy=False)) if study is not None else ()
        rows = self._rows.take(trials, config, now)
        far = () if self._is_journal else trials
        otherwise = config.trials if config is not None else 0
        return TuneState(
            path=self._folder.path if self._folder else None,
            source=self._label,
            name=config.name if config else (study.study_name if study is not None else ""),
            config=config,
            objectives=objectives,
            directions=directions,
            planned=wanted(study, otherwise) if study is not None else otherwise,
            trials=rows,
            best=best_trials(rows, directions),
            workers=rows_of(self._folder, far),
            time=now,
            frozen=trials,
        )


def read_tuning(where: Path | str, *, name: str | None = None) -> TuneState:
    """Read a tuning once.

    Parameters
    ----------
    where
        Its folder, or the URL of its storage.
    name
        Of the tuning, where a storage holds several.

    Raises
    ------
    TrainingError
        The folder isn't a tuning, it is damaged, or its storage can't be reached.
    """
    with TuneReader(where, name=name) as reader:
        return reader.read()


def _judged_by(config: TuneConfig | None, study: Study | None) -> tuple[tuple[str, ...], tuple[Direction, ...]]:
    if study is None:
        return (config.objectives, config.directions) if config is not None else ((), ())
    directions = tuple(cast("Direction", direction.name.lower()) for direction in study.directions)
    names = config.objectives if config is not None else tuple(study.metric_names or ())
    return names or tuple(f"objective {k}" for k in range(1, len(directions) + 1)), directions


def _refuse_missing_file(where: TuneFolder | str) -> None:
    """SQLite would make the file that it doesn't find."""
    url = where if isinstance(where, str) else where.read().storage or ""
    file = url.partition("///")[2].partition("?")[0]
    if url.startswith("sqlite") and not Path(file).is_file():
        raise TrainingError(f"There is no file {file or url}, so there is no tuning in it.")
