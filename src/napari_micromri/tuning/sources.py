"""Where a tuning is read from: the journal in its folder, or any storage that Optuna reaches by URL.

A source is opened for looking on only: it makes no file and no table, and takes no lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.tuning.address import hide_password
from napari_micromri.tuning.storage import ATTRIBUTE, open_storage, reachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna import Study
    from optuna.storages import BaseStorage, JournalStorage
    from optuna.trial import FrozenTrial

    from napari_micromri.tuning.journal_tail import JournalTail
    from napari_micromri.tuning.state import Direction


@dataclass(frozen=True)
class Snapshot:
    """An Optuna study as it was when it was read; a trial that hasn't changed since is the same object as before."""

    name: str
    directions: tuple[Direction, ...]
    user_attrs: Mapping[str, Any]
    metric_names: tuple[str, ...]
    trials: Sequence[FrozenTrial]


class Source(Protocol):
    """What a tuning is read from."""

    label: str
    """For people; never with a password."""

    def read(self) -> Snapshot | None:
        """Read what there is now; None before the tuning has begun."""

    def close(self) -> None:
        """Let go of connections."""


class JournalSource:
    """The journal of a tuning's folder."""

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._tail: JournalTail | None = None
        self._storage: JournalStorage | None = None
        self._study: Study | None = None

    def read(self) -> Snapshot | None:
        """Read the lines that were added since; the whole journal when another one has taken its place.

        Raises
        ------
        TrainingError
            There is none, it can't be read, or is damaged.
        """
        from napari_micromri.tuning.journal_tail import damaged

        self._start_over_if_replaced()
        try:
            storage = self._open()
            self._study = _find(storage, self._study, None, self.label)
            return _snapshot(self._study) if self._study is not None else None
        except (KeyError, TypeError, ValueError, AssertionError) as error:  # valid JSON, but no journal of Optuna's
            line = self._tail.lines if self._tail is not None else 0
            raise TrainingError(damaged(self._path, line)) from error

    def close(self) -> None:
        """Forget what was read."""
        self._study = self._storage = self._tail = None

    def _open(self) -> JournalStorage:
        from optuna.storages import JournalStorage

        from napari_micromri.tuning.journal_tail import JournalTail

        if self._storage is None:
            self._tail = JournalTail(self._path)
            self._storage = JournalStorage(self._tail)
        return self._storage

    def _start_over_if_replaced(self) -> None:
        try:
            status = self._path.stat()
        except OSError as error:
            raise TrainingError(describe_os_error(error, self._path)) from error
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity or (self._tail is not None and status.st_size < self._tail.offset):
            self.close()
        self._identity = identity


class UrlSource:
    """A storage that others reach too, by URL.

    Parameters
    ----------
    name
        Of the tuning; needn't be given where the storage holds one only.
    """

    def __init__(self, url: str, name: str | None = None) -> None:
        self.label = hide_password(url)
        self._url, self._name = url, name
        self._storage: BaseStorage | None = None
        self._study: Study | None = None

    def read(self) -> Snapshot | None:
        """Read what has changed since.

        Raises
        ------
        TrainingError
            The storage can't be reached, or holds several tunings.
        InputError
            The URL makes no sense.
        """
        with reachable(self._url):
            if self._storage is None:
                _refuse_missing_file(self._url)
                self._storage = open_storage(self._url, look_only=True)
            self._study = _find(self._storage, self._study, self._name, self.label)
            return _snapshot(self._study) if self._study is not None else None

    def close(self) -> None:
        """Close the connection."""
        if self._storage is not None:
            self._storage.remove_session()
            if (engine := getattr(self._storage, "engine", None)) is not None:  # of a database
                engine.dispose()
        self._study = self._storage = None


def _find(storage: BaseStorage, known: Study | None, name: str | None, label: str) -> Study | None:
    """Find the study again, or for the first time; None when there is none yet, or when somebody has deleted it."""
    import optuna

    studies = {study.study_name: ATTRIBUTE in study.user_attrs for study in storage.get_all_studies()}
    if known is not None and known.study_name in studies:
        return known
    names = [one for one, is_ours in studies.items() if is_ours] or list(studies)
    if name is None and len(names) > 1:
        listed = ", ".join(f"'{one}'" for one in names)
        raise TrainingError(f"{label} holds several tunings, {listed}. Say which one.")
    chosen = name if name is not None else next(iter(names), None)
    if chosen not in studies:
        return None
    # A sampler that costs nothing: it is never asked.
    return optuna.load_study(study_name=chosen, storage=storage, sampler=optuna.samplers.RandomSampler())


def _snapshot(study: Study) -> Snapshot:
    return Snapshot(
        name=study.study_name,
        directions=tuple(_direction(direction.name) for direction in study.directions),
        user_attrs=study.user_attrs,
        metric_names=tuple(study.metric_names or ()),
        trials=study.get_trials(deepcopy=False),
    )


def _direction(name: str) -> Direction:
    return "maximize" if name == "MAXIMIZE" else "minimize"


def _refuse_missing_file(url: str) -> None:
    """SQLite would make the file that it doesn't find."""
    file = url.partition("///")[2].partition("?")[0]
    if url.startswith("sqlite") and not Path(file).is_file():
        raise TrainingError(f"There is no file {file or url}, so there is no tuning in it.")
