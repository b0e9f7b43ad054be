"""Where Optuna keeps the trials: a journal in the tuning's folder, a database, or a gRPC proxy in front of one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from napari_micromri.errors import InputError, TrainingError
from napari_micromri.quiet import quiet
from napari_micromri.tuning.address import full_url, hide_password, is_url, label
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.persistence import reachable

if TYPE_CHECKING:
    from pathlib import Path

    from optuna import Study
    from optuna.storages import BaseStorage

    from napari_micromri.tuning.config import TuneConfig

CONNECT_SECONDS = 10
ATTRIBUTE = "micromri"
"""User attribute of the Optuna study that holds all that a worker needs: the configuration and the folder."""

WISH = "wish"
"""User attribute that tells workers which don't see the folder to ``pause`` or ``stop``."""


@dataclass(frozen=True)
class Tuning:
    """A tuning as a worker has it: the Optuna study, its storage, what it is told, and its folder if there is one."""

    optuna: Study
    storage: BaseStorage
    config: TuneConfig
    folder: TuneFolder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close_storage(self.storage)


def open_storage(where: TuneFolder | str, *, look_only: bool = False) -> BaseStorage:
    """Open the storage of a tuning, by its folder or by URL.

    Parameters
    ----------
    look_only
        Make no tables in a database that has none; it then can't be read.

    Raises
    ------
    TrainingError
        It can't be reached, or a library that it needs is not installed.
    InputError
        The URL makes no sense.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if isinstance(where, TuneFolder):
        url = where.read().storage
        return _open_journal(where) if url is None else open_storage(url, look_only=look_only)
    url = full_url(where)
    return _open_grpc(url) if url.startswith("grpc://") else _open_database(url, look_only=look_only)


def close_storage(storage: BaseStorage) -> None:
    """Close the connections to a database; a journal has none."""
    from optuna.storages import GrpcStorageProxy, RDBStorage

    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()
    elif isinstance(storage, GrpcStorageProxy):
        storage.close()


def create_study(where: TuneFolder | str, config: TuneConfig, folder: TuneFolder) -> Tuning:
    """Make the Optuna study of a tuning, or find the one that is there.

    Raises
    ------
    TrainingError
        The storage holds another tuning of that name, or see `open_storage`.
    """
    import optuna

    if is_journal := isinstance(where, TuneFolder) and where.read().storage is None:
        folder.journal.touch()
    storage = open_storage(where)
    with ExitStack() as stack, reachable(where):
        stack.callback(close_storage, storage)
        study = optuna.create_study(
            study_name=config.name, storage=storage, directions=list(config.directions), load_if_exists=True
        )
        known = study.user_attrs.get(ATTRIBUTE)
        content = {"config": config.model_dump(mode="json"), "folder": str(folder.path.resolve())}
        if known is None and study.get_trials(deepcopy=False):
            raise TrainingError(f"The storage holds another Optuna study '{config.name}'. Choose another name.")
        # A journal belongs to its own folder, moved or not.
        if known is not None and not is_journal and known["folder"] != content["folder"]:
            raise TrainingError(
                f"The storage holds a tuning '{config.name}' already, of {known['folder']}. Choose another name."
            )
        if known != content:
            study.set_user_attr(ATTRIBUTE, content)
        stack.pop_all()
        return Tuning(study, storage, config, folder)


def open_tuning(where: Path | str, name: str | None = None) -> Tuning:
    """Open a tuning by its folder, or by the URL of its storage alone.

    Parameters
    ----------
    name
        Of the tuning; needed where a storage holds several.

    Raises
    ------
    TrainingError
        There is none, or its storage can't be reached.
    """
    if not is_url(where):
        folder = TuneFolder(where)
        name = folder.read().config.name
        storage = open_storage(folder)
    else:
        storage = open_storage(str(where))
    with ExitStack() as stack, reachable(where):
        stack.callback(close_storage, storage)
        study = find_study(storage, name, label(where))
        if study is None:
            raise TrainingError(f"{label(where)} holds no tuning{f' {name!r}' if name else ''}.")
        content = told(study)
        if content is None:
            raise TrainingError(f"'{study.study_name}' in {label(where)} is a study of Optuna's, but no tuning.")
        config, folder = content
        stack.pop_all()
        return Tuning(study, storage, config, folder if is_url(where) else TuneFolder(where))


def find_study(storage: BaseStorage, name: str | None, where: str) -> Study | None:
    """Find the tuning in a storage, or the Optuna study of somebody else if that is the only one; None without any.

    Raises
    ------
    TrainingError
        There are several, and no name says which one.
    """
    import optuna

    studies = {study.study_name: ATTRIBUTE in study.user_attrs for study in storage.get_all_studies()}
    names = [one for one, is_ours in studies.items() if is_ours] or list(studies)
    if name is None and len(names) > 1:
        listed = ", ".join(f"'{one}'" for one in names)
        raise TrainingError(f"{where} holds several tunings, {listed}. Choose one by its name.")
    chosen = name if name is not None else next(iter(names), None)
    if chosen not in studies:
        return None
    # A sampler that costs nothing: workers set their own.
    return optuna.load_study(study_name=chosen, storage=storage, sampler=optuna.samplers.RandomSampler())


def told(study: Study) -> tuple[TuneConfig, TuneFolder] | None:
    """Read what a tuning was told from its storage, which is all that other machines know; None of others' studies.

    Raises
    ------
    TrainingError
        It makes no sense.
    """
    from pydantic import ValidationError

    from napari_micromri.tuning.config import TuneConfig

    content: Any = study.user_attrs.get(ATTRIBUTE)
    if content is None:
        return None
    try:
        return TuneConfig.model_validate(content["config"]), TuneFolder(content["folder"])
    except (KeyError, TypeError, ValidationError) as error:
        raise TrainingError(
            f"What the storage says of the tuning '{study.study_name}' makes no sense; perhaps it was made by a later "
            "version of napari-micromri."
        ) from error


def _open_journal(folder: TuneFolder) -> BaseStorage:
    from napari_micromri.tuning.journal import Journal, TrialJournal
    from napari_micromri.tuning.workers import has_died

    return TrialJournal(Journal(folder.journal), lambda trial: has_died(folder, trial))


def _open_database(url: str, *, look_only: bool) -> BaseStorage:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    from napari_micromri.tuning.journal import BEAT_SECONDS, GRACE_SECONDS
    from napari_micromri.tuning.trials import retry

    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        limits = {"connect_timeout": CONNECT_SECONDS} if parsed.get_backend_name() in ("postgresql", "mysql") else {}
        options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": limits}
        with reachable(url), quiet():  # Optuna calls the heartbeat experimental
            return RDBStorage(
                parsed.render_as_string(hide_password=False),
                engine_kwargs=options,
                skip_table_creation=look_only,
                heartbeat_interval=BEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=retry,
            )
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(
            f"{hide_password(url)} isn't the address of a storage. Write, for example, postgresql://user@host/database."
        ) from error
    except ImportError as error:
        raise TrainingError(
            f"The driver for {hide_password(url)} is not installed. For PostgreSQL: pip install "
            "'napari-micromri[postgres]'."
        ) from error


def _open_grpc(url: str) -> BaseStorage:
    from napari_micromri.tuning.proxy import BeatingProxy

    parts = urlsplit(url)
    try:
        with quiet():  # Optuna calls it experimental
            storage = BeatingProxy(host=parts.hostname or "localhost", port=parts.port or 13000)
        storage.wait_server_ready(timeout=CONNECT_SECONDS)
    except ImportError as error:
        raise TrainingError("gRPC is not installed: pip install 'napari-micromri[grpc]'.") from error
    except ValueError as error:
        raise InputError(f"{hide_password(url)} isn't a gRPC address, such as grpc://host:13000.") from error
    except ConnectionError as error:
        raise TrainingError(f"No gRPC proxy answers at {hide_password(url)}.") from error
    return storage
