"""Persistence towards a storage that is away for a while: a database that restarts, a journal that somebody holds."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from napari_micromri.errors import TrainingError
from napari_micromri.tuning.address import label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from optuna.storages import BaseStorage

    from napari_micromri.progress import ShouldStop
    from napari_micromri.tuning.folder import TuneFolder

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
LIMIT_SECONDS = 30 * 60.0

REPEATABLE = (
    "get_trial",
    "get_all_trials",
    "set_trial_intermediate_value",
    "set_trial_param",
    "set_trial_system_attr",
    "set_trial_user_attr",
)
"""Calls of a database that a restart may interrupt on their way, and that do the same when they are made again.
Beginning and ending a trial are none: whether they got through is for Optuna to find out."""


class StorageAwayError(TrainingError):
    """The storage stayed away."""


class Persistence:
    """Makes a call, and makes it again for half an hour while the storage can't be reached.

    Parameters
    ----------
    tell
        Is told that the storage is away, and with an empty text that it is back.
    should_stop
        Ends it.
    """

    def __init__(self, tell: Callable[[str], None], should_stop: ShouldStop) -> None:
        self._tell, self._should_stop = tell, should_stop

    def __call__(self, call: Callable[[], T]) -> T:
        """Make a call.

        Raises
        ------
        StorageAwayError
            The storage stayed away.
        """
        pause, until, away = FIRST_PAUSE, time.monotonic() + LIMIT_SECONDS, False
        while True:
            try:
                result = call()
            except Exception as error:
                if not is_unreachable(error):
                    raise
                words = f"The storage can't be reached: {reason_of(error)}."
                if self._should_stop() or time.monotonic() > until:
                    raise StorageAwayError(words) from error
                away = True
                self._tell(f"{words} Trying again.")
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if away:
                    self._tell("")
                return result


def make_persistent(storage: BaseStorage, patiently: Persistence) -> None:
    """Let calls of Optuna's wait where they would fail: for a database's connections, for a journal's lock.

    A gRPC proxy gives no such place; its calls fail, and the worker waits before it takes the next trial.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy import event

    from napari_micromri.tuning.journal import TrialJournal

    if isinstance(storage, TrialJournal):
        storage.journal.patiently = patiently
    if isinstance(storage, RDBStorage):

        def connect(dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
            return patiently(partial(_connect, dialect, arguments, options))

        event.listen(storage.engine, "do_connect", connect)
        for name in REPEATABLE:
            setattr(storage, name, partial(_repeated, patiently, getattr(storage, name)))


def _repeated(patiently: Persistence, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
    return patiently(partial(call, *arguments, **named))


def _connect(dialect: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
    try:
        return dialect.connect(*arguments, **options)
    except dialect.loaded_dbapi.OperationalError as error:
        raise ConnectionError(str(error).strip().splitlines()[0]) from error


@contextmanager
def reachable(where: TuneFolder | Path | str) -> Iterator[None]:
    """Turn what a storage says when it can't be reached into one sentence."""
    try:
        yield
    except Exception as error:
        if not is_unreachable(error):
            raise
        raise TrainingError(f"The storage {label(where)} can't be reached: {reason_of(error)}.") from error


def is_unreachable(error: BaseException) -> bool:
    """Tell whether a storage is away, perhaps only for a while."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, DBAPIError):  # others of its kind say that a statement makes no sense
        return isinstance(cause, OperationalError | InterfaceError) or cause.connection_invalidated
    return cause is None or isinstance(cause, ConnectionError) or type(cause).__module__.startswith("grpc")


def reason_of(error: Exception) -> str:
    """Say in a few words why a storage can't be reached."""
    from sqlalchemy.exc import DBAPIError

    cause: BaseException = error.__cause__ or error
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[0] if lines else type(cause).__name__).rstrip(".")
