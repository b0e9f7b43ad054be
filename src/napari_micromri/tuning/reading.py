"""Read a tuning again and again, from its folder or from a storage: cheap, and never in the way of those who write."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_micromri.errors import TrainingError
from napari_micromri.tuning.address import is_url
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.roster import merge, records_in, records_of
from napari_micromri.tuning.rows import Rows
from napari_micromri.tuning.slots import TRIALS
from napari_micromri.tuning.sources import JournalSource, Snapshot, UrlSource
from napari_micromri.tuning.state import TrialRow, TrialState, TuneState, best_trials
from napari_micromri.tuning.storage import ATTRIBUTE

if TYPE_CHECKING:
    from napari_micromri.tuning.config import TuneConfig
    from napari_micromri.tuning.roster import WorkerRow
    from napari_micromri.tuning.sources import Source
    from napari_micromri.tuning.state import Direction

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
        The folder is no tuning.
    """

    def __init__(self, where: Path | str, *, name: str | None = None) -> None:
        self._lock = threading.Lock()
        self._folder: TuneFolder | None = None
        self._config: TuneConfig | None = None
        self._source: Source
        if is_url(where):
            self._source = UrlSource(str(where), name)
        else:
            self._folder = TuneFolder(Path(where).absolute())
            settings = self._folder.read()
            self._config = settings.config
            self._source = (
                JournalSource(self._folder.journal)
                if settings.storage is None
                else UrlSource(settings.storage, settings.config.name)
            )
        self._rows = Rows(self._folder.path if self._folder else None)

    def read(self) -> TuneState:
        """Read the tuning as it is now.

        Raises
        ------
        TrainingError
            It is damaged, gone, or its storage can't be reached.
        """
        with self._lock:
            snapshot = self._source.read()
            if self._config is None and snapshot is not None:
                self._config, self._folder = _told(snapshot)
                self._rows = Rows(self._folder.path if self._folder else None)
            return self._state(snapshot)

    def close(self) -> None:
        """Close the connection to a storage; the next `read` opens it again."""
        with self._lock:
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _state(self, snapshot: Snapshot | None) -> TuneState:
        now, config = time.time(), self._config
        objectives, directions = _judged_by(config, snapshot)
        trials = tuple(snapshot.trials) if snapshot is not None else ()
        rows = self._rows.take(trials, config, now)
        return TuneState(
            path=self._folder.path if self._folder else None,
            source=self._source.label,
            name=config.name if config else (snapshot.name if snapshot else ""),
            config=config,
            objectives=objectives,
            directions=directions,
            planned=_planned(snapshot, config),
            trials=rows,
            best=best_trials(rows, directions),
            workers=_workers(snapshot, self._folder),
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
        The folder is no tuning, it is damaged, or its storage can't be reached.
    """
    with TuneReader(where, name=name) as reader:
        return reader.read()


def _workers(snapshot: Snapshot | None, folder: TuneFolder | None) -> tuple[WorkerRow, ...]:
    """Read what workers tell of themselves, in the storage and in the folder."""
    far = records_of(snapshot.user_attrs) if snapshot is not None else {}
    near = records_in(folder) if folder is not None else {}
    return tuple(record.row() for _, record in sorted(merge(far, near).items()))


def _planned(snapshot: Snapshot | None, config: TuneConfig | None) -> int:
    wanted = snapshot.user_attrs.get(TRIALS) if snapshot is not None else None
    return wanted if isinstance(wanted, int) else (config.trials if config is not None else 0)


def _told(snapshot: Snapshot) -> tuple[TuneConfig | None, TuneFolder | None]:
    """Read from the storage, which is all that other machines know, what was told and where the folder is."""
    from pydantic import ValidationError

    from napari_micromri.tuning.config import TuneConfig

    content: Any = snapshot.user_attrs.get(ATTRIBUTE)
    if content is None:  # a study of somebody else's; its trials can be looked at all the same
        return None, None
    try:
        return TuneConfig.model_validate(content["config"]), TuneFolder(content["folder"])
    except (KeyError, TypeError, ValidationError) as error:
        raise TrainingError(
            f"What the storage says of the tuning '{snapshot.name}' makes no sense; perhaps it was made by a later "
            "version of napari-micromri."
        ) from error


def _judged_by(config: TuneConfig | None, snapshot: Snapshot | None) -> tuple[tuple[str, ...], tuple[Direction, ...]]:
    if snapshot is not None:
        directions = snapshot.directions
        names = config.objectives if config else snapshot.metric_names
        return tuple(names or (f"objective {k}" for k in range(1, len(directions) + 1))), directions
    if config is not None:
        from napari_micromri.tuning.config import DIRECTIONS

        return config.objectives, tuple(DIRECTIONS[objective] for objective in config.objectives)
    return (), ()
