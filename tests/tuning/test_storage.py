"""Storages: what is shown of their URLs, a journal that mends itself, and what is said when there is none."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError
from optuna.storages import JournalStorage
from sqlalchemy.exc import DataError, OperationalError

from napari_micromri.errors import InputError, TrainingError
from napari_micromri.tuning.address import VARIABLE, full_url, hide_password, remember
from napari_micromri.tuning.config import TuneConfig, make_tune_config
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.journal import Journal
from napari_micromri.tuning.persistence import is_unreachable
from napari_micromri.tuning.storage import close_storage, create_study, open_storage, open_tuning

if TYPE_CHECKING:
    from pathlib import Path


# Tests ask Optuna for single trials, outside of `optimize`.
pytestmark = [pytest.mark.filterwarnings("ignore:Heartbeat"), pytest.mark.filterwarnings("ignore:.*experimental")]


@pytest.fixture
def config() -> TuneConfig:
    return make_tune_config(name="blobs", study="mice.mri.zarr")


@pytest.fixture
def folder(tmp_path: Path, config: TuneConfig) -> TuneFolder:
    folder = TuneFolder(tmp_path / "tuning")
    folder.make()
    folder.tell(config, None)
    return folder


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me:se%40cret@host/db?sslmode=require", "postgresql://me@host/db?sslmode=require"),
        ("postgresql://me:se/cr@et@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me"),
        ("postgresql://host/db?sslPassword=secret&user=me", "postgresql://host/db?user=me"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////tmp/a:b@c.db", "sqlite:////tmp/a:b@c.db"),
        ("grpc://host:13000", "grpc://host:13000"),
    ],
)
def test_passwords_are_left_out(url: str, shown: str) -> None:
    assert hide_password(url) == shown
    assert hide_password(shown) == shown


@given(st.text(st.characters(exclude_characters="@", codec="utf-8", exclude_categories=["Cc"]), min_size=4))
def test_no_password_is_left_in(secret: str) -> None:
    assert f":{secret}@" not in hide_password(f"postgresql+psycopg://me:{secret}@host:5432/db")


def test_a_password_comes_back_from_memory_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://me:told@host/one")
    assert full_url("postgresql://me@host/one") == "postgresql://me:told@host/one"
    assert full_url("postgresql://me@host/two") == "postgresql://me@host/two"
    assert remember("postgresql://me:kept@host/two") == "postgresql://me@host/two"
    assert full_url("postgresql://me@host/two") == "postgresql://me:kept@host/two"
    assert full_url("postgresql://me:given@host/two") == "postgresql://me:given@host/two"


def test_a_tuning_is_opened_by_its_folder_wherever_that_is(folder: TuneFolder, config: TuneConfig) -> None:
    create_study(folder, config, folder)
    moved = folder.path.rename(folder.path.with_name("moved"))
    tuning = open_tuning(moved)
    assert (tuning.config, tuning.folder.path, tuning.folder.exists) == (config, moved, True)
    create_study(TuneFolder(moved), config, TuneFolder(moved))
    assert len(open_storage(TuneFolder(moved)).get_all_studies()) == 1


def test_any_database_of_sqlalchemy_will_do(tmp_path: Path, folder: TuneFolder, config: TuneConfig) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    close_storage(create_study(url, config, folder).storage)
    with open_tuning(url) as tuning:
        assert tuning.config == config
        assert tuning.folder.path == folder.path


def test_a_study_of_somebody_else_is_left_alone(tmp_path: Path, folder: TuneFolder, config: TuneConfig) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    storage = open_storage(url)
    theirs = optuna.create_study(study_name=config.name, storage=storage)
    theirs.add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(TrainingError, match="holds another Optuna study 'blobs'"):
        create_study(url, config, folder)
    for name in (None, "blobs"):
        with pytest.raises(TrainingError, match=r"'blobs' .* no tuning"):
            open_tuning(url, name)
    storage.remove_session()
    storage.engine.dispose()


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:1/db", TrainingError, "postgresql://me@127.0.0.1:1/db can't be reached"),
        ("oracle+nothing://me:secret@host/db", InputError, "isn't the address of a storage"),
        ("://", InputError, "isn't the address of a storage"),
        ("mysql://me:secret@host/db", TrainingError, "is not installed"),
    ],
)
def test_a_storage_that_is_not_there_is_said_without_its_password(url: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        open_storage(url)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_comes_back_and_what_does_not() -> None:
    lost = OperationalError("SELECT 1", None, Exception("server closed the connection unexpectedly"))
    senseless = DataError("INSERT 1", None, Exception("value too long"))
    wrapped = [StorageInternalError("commit"), StorageInternalError("commit")]
    wrapped[0].__cause__, wrapped[1].__cause__ = lost, senseless
    assert [is_unreachable(error) for error in (lost, wrapped[0], ConnectionError())] == [True, True, True]
    assert [is_unreachable(error) for error in (senseless, wrapped[1], KeyError())] == [False, False, False]


def test_a_half_written_line_is_dropped(folder: TuneFolder, config: TuneConfig) -> None:
    tuning = create_study(folder, config, folder)
    tuning.optuna.ask()
    whole = folder.journal.read_bytes()
    folder.journal.write_bytes(whole + b'{"op_code": 4, "wor')
    open_tuning(folder.path).optuna.ask()
    assert folder.journal.read_bytes().startswith(whole + b'{"op_code":4')
    assert [trial.number for trial in open_tuning(folder.path).optuna.trials] == [0, 1]


def test_a_full_disk_leaves_the_journal_whole(
    folder: TuneFolder, config: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = create_study(folder, config, folder)
    size = folder.journal.stat().st_size

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TrainingError, match=r"disk .* is full"):
            tuning.optuna.ask()
    assert folder.journal.stat().st_size == size
    assert open_tuning(folder.path).optuna.ask().number == 0


def test_a_damaged_journal_is_said(folder: TuneFolder) -> None:
    folder.journal.write_bytes(b"nonsense\nmore of it\n")
    with pytest.raises(TrainingError, match=r"journal\.log is damaged"):
        open_tuning(folder.path)


def test_many_writers_at_once_leave_whole_lines(tmp_path: Path) -> None:
    path, lines = tmp_path / "journal.log", 20
    path.touch()
    barrier = threading.Barrier(4)

    def write(number: int) -> None:
        journal = Journal(path)
        barrier.wait()
        for _ in range(lines):
            journal.append_logs([{"op_code": number, "text": "x" * 500}])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert len(list(Journal(path).read_logs(0))) == 4 * lines


def test_the_lock_of_a_dead_process_holds_nobody_up(folder: TuneFolder, config: TuneConfig) -> None:
    create_study(folder, config, folder)
    folder.journal.with_name("journal.log.lock").touch()  # as a killed process leaves it
    storage = open_storage(folder)
    assert isinstance(storage, JournalStorage)
    assert open_tuning(folder.path).optuna.ask().number == 0
