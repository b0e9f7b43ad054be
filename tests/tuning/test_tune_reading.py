"""A tuning is read as it is, whoever writes it meanwhile, and nothing is ever changed by looking."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.storages import RDBStorage

from napari_micromri.errors import TrainingError
from napari_micromri.tuning.reading import TuneReader, read_tuning
from napari_micromri.tuning.storage import open_tuning
from napari_micromri.tuning.trials import WORKER
from napari_micromri.tuning.workers import Sign
from tuning_samples import make_full_tuning, make_tuning, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage

WRITE = """
import sys
import optuna
from optuna.storages import JournalStorage
from napari_micromri.tuning.journal import Journal
from pathlib import Path
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="blobs", storage=JournalStorage(Journal(Path(sys.argv[1]))))
study.optimize(lambda trial: trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True), n_trials=12)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[tuple[str, BaseStorage]]:
    """URL of a database file, and the storage in it."""
    url = f"sqlite:///{tmp_path / 'tunings.db'}"
    with quiet():
        storage = RDBStorage(url)
    yield url, storage
    storage.remove_session()
    storage.engine.dispose()


def files(path: Path) -> dict[str, tuple[int, int]]:
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(path.rglob("*"))}


def test_a_tuning_without_trials(tmp_path: Path) -> None:
    make_tuning(tmp_path / "tuning", objectives=("mse", "latency"), trials=7)
    state = read_tuning(tmp_path / "tuning")
    assert (state.trials, state.best, state.finished, state.planned) == ((), (), 0, 7)
    assert (state.name, state.objectives, state.directions) == ("blobs", ("mse", "latency"), ("minimize", "minimize"))
    assert set(state.counts.values()) == {0}


def test_a_folder_whose_storage_has_not_heard_of_it_yet(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.folder.journal.write_bytes(b"")
    state = read_tuning(sample.folder.path)
    assert (state.trials, state.planned, state.objectives) == ((), 24, ("mse",))


def test_trials_of_all_kinds(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=20)
    state = read_tuning(sample.folder.path)
    assert state.counts == {"waiting": 1, "running": 1, "done": 17, "pruned": 4, "failed": 1}
    assert (state.finished, state.retried, len(state.trials)) == (21, 1, 23 + 1)
    assert [row.number for row in state.trials] == list(range(24))
    assert [state.trials[k].origin for k in (0, 1, 10)] == ["given", "random", "random"]

    [best] = state.best_rows
    assert best.values == (min(row.values[0] for row in state.done() if row.values),)
    assert best.parameters == sample.study.best_trial.params
    assert best.run == sample.folder.path / "runs" / f"trial-{best.number:04}"
    assert (best.epoch, best.epochs_planned, best.seconds) == (8, 8, 50.0)
    assert best.settings is not None
    assert best.settings["optimizer"] == best.parameters["optimizer"]

    failed, again, running, waiting = state.trials[-4:]
    assert (failed.state, failed.values, failed.reason) == ("failed", None, "The loss is no longer a number.")
    assert (again.state, again.retry_of, again.origin) == ("done", failed.number, failed.origin)
    assert [epoch for epoch, _ in running.curve] == [1, 2, 3, 4]
    assert running.started is not None
    assert running.seconds == pytest.approx(state.time - running.started)
    assert (waiting.started, waiting.seconds, waiting.epoch) == (None, None, 0)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=6)
    before = files(tmp_path)
    with TuneReader(sample.folder.path) as reader:
        reader.read()
        reader.read()
    assert files(tmp_path) == before


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=6)
    reader = TuneReader(sample.folder.path)
    first = reader.read()
    sample.add("done")
    second = reader.read()
    assert len(second.trials) == len(first.trials) + 1
    unchanged = [one is other for one, other in zip(first.trials, second.trials, strict=False)]
    assert [row.number for row, same in zip(first.trials, unchanged, strict=True) if not same] == [
        row.number for row in first.trials if row.state == "running"
    ]


def test_half_a_last_line_waits(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add()
    whole = sample.folder.journal.read_bytes()
    sample.add()
    both = sample.folder.journal.read_bytes()
    assert both.startswith(whole)
    sample.folder.journal.write_bytes(both[: len(whole) + 25])
    reader = TuneReader(sample.folder.path)
    assert len(reader.read().trials) == 1
    with sample.folder.journal.open("ab") as file:
        file.write(both[len(whole) + 25 :])
    assert len(reader.read().trials) == 2
    # Who writes next drops half a line that nobody finishes: the file gets shorter than it was when it was read.
    with sample.folder.journal.open("ab") as file:
        file.write(b'{"op_code":')
    assert len(reader.read().trials) == 2
    sample.folder.journal.write_bytes(both)
    assert len(reader.read().trials) == 2


def test_while_several_processes_write(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    command = [sys.executable, "-c", WRITE, str(sample.folder.journal)]
    reader, seen = TuneReader(sample.folder.path), []
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        while one.poll() is None or other.poll() is None:
            seen.append(reader.read())
    assert (one.returncode, other.returncode) == (0, 0)
    end = reader.read()
    counts = [state.counts["done"] for state in seen]
    assert counts == sorted(counts)
    assert end.counts["done"] == 24
    assert end.trials == read_tuning(sample.folder.path).trials


def test_from_several_threads(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=12)
    reader = TuneReader(sample.folder.path)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(reader.read) for _ in range(12)]
        for _ in range(4):
            sample.add()
        states = [future.result() for future in futures]
    assert all(len(state.trials) >= 16 for state in states)
    assert len(reader.read().trials) == 20


def test_a_folder_that_was_moved(tmp_path: Path) -> None:
    sample = make_full_tuning(tmp_path / "tuning", trials=6)
    outside = str(tmp_path / "scratch" / "trial-9999")
    inside = str(sample.folder.path / "runs" / "trial-0003")
    absolute = [sample.add(run=inside), sample.add(run=outside)]
    (sample.folder.runs / "trial-0003").mkdir(parents=True)
    moved = tmp_path / "elsewhere" / "tuning"
    moved.parent.mkdir()
    reader = TuneReader(sample.folder.path)
    reader.read()
    sample.folder.path.rename(moved)
    with pytest.raises(TrainingError, match="does not exist"):
        reader.read()
    state = read_tuning(moved)
    assert state.trials[0].run == moved / "runs" / "trial-0000"
    runs = [state.trials[trial.number].run for trial in absolute]
    assert runs == [moved / "runs" / "trial-0003", Path(outside)]


def test_another_journal_in_its_place(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add()
    shutil.copy(sample.folder.journal, tmp_path / "copy")
    sample.add()
    reader = TuneReader(sample.folder.path)
    assert len(reader.read().trials) == 2
    os.replace(tmp_path / "copy", sample.folder.journal)
    assert len(reader.read().trials) == 1


@pytest.mark.parametrize(
    "line", [b"garbage", b"\0" * 40, b"[]", b'{"op_code": 99}', b'{"op_code": 4, "study_id": 0}', b"[" * 100_000]
)
def test_a_damaged_journal_is_one_sentence(tmp_path: Path, line: bytes) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add()
    good = sample.folder.journal.read_bytes()
    number = good.count(b"\n") + 1
    sample.folder.journal.write_bytes(good + line + b"\n" + good)
    reader = TuneReader(sample.folder.path)
    for _ in range(2):
        with pytest.raises(TrainingError, match=f"journal.log is damaged in line {number}") as caught:
            reader.read()
        assert "\n" not in str(caught.value)
    with pytest.raises(TrainingError, match=f"journal.log is damaged in line {number}"):  # to workers as to readers
        open_tuning(sample.folder.path)
    sample.folder.journal.write_bytes(good)
    assert len(TuneReader(sample.folder.path).read().trials) == 1


def test_what_is_no_tuning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no tuning"):
        TuneReader(tmp_path)
    sample = make_tuning(tmp_path / "tuning")
    sample.folder.journal.unlink()
    with pytest.raises(TrainingError, match=r"journal\.log does not exist"):
        read_tuning(sample.folder.path)
    assert not sample.folder.journal.exists()


def test_a_database_by_url_and_by_folder(tmp_path: Path, database: tuple[str, BaseStorage]) -> None:
    url, storage = database
    sample = make_full_tuning(tmp_path / "tuning", trials=6, storage=storage)
    sample.folder.tell(sample.config, url)
    by_url, by_folder = read_tuning(url), read_tuning(sample.folder.path)
    assert [replace(row, seconds=None) for row in by_url.trials] == [
        replace(row, seconds=None) for row in by_folder.trials
    ]
    assert by_url.counts == {"waiting": 1, "running": 1, "done": 6, "pruned": 1, "failed": 1}
    assert (by_url.name, by_url.config, by_url.path) == ("blobs", sample.config, sample.folder.path)
    assert by_url.best_rows[0].run == sample.run_of(by_url.best[0])
    with TuneReader(url) as reader:
        first = reader.read()
        sample.add("running")
        second = reader.read()
        assert second.counts["running"] == 2
        assert second.trials[0] is first.trials[0]


def test_a_database_with_several_tunings_wants_a_name(tmp_path: Path, database: tuple[str, BaseStorage]) -> None:
    url, storage = database
    with quiet():
        optuna.create_study(study_name="theirs", storage=storage)
    make_tuning(tmp_path / "first", storage=storage, name="first")
    assert read_tuning(url).name == "first"
    make_tuning(tmp_path / "second", storage=storage, name="second")
    with pytest.raises(TrainingError, match=r"several tunings, 'first', 'second'"):
        read_tuning(url)
    assert read_tuning(url, name="second").name == "second"


def test_looking_into_a_database_makes_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(TrainingError, match="no file"):
        read_tuning(f"sqlite:///{missing}")
    assert not missing.exists()
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("create table mice (name text)")
    connection.commit()
    with pytest.raises(TrainingError, match="can't be re") as caught:
        read_tuning(f"sqlite:///{other}")
    assert "\n" not in str(caught.value)
    assert connection.execute("select name from sqlite_master").fetchall() == [("mice",)]
    connection.close()


def test_passwords_are_never_told() -> None:
    for url in ("postgresql://me:secret@127.0.0.1:1/tuning", "postgresql://me@127.0.0.1:1/t?password=secret"):
        reader = TuneReader(url)
        with pytest.raises(TrainingError) as caught:
            reader.read()
        assert "secret" not in str(caught.value)
        assert "127.0.0.1:1" in str(caught.value)


def test_workers_are_known_by_the_folder_and_those_elsewhere_by_their_trials(
    tmp_path: Path, database: tuple[str, BaseStorage]
) -> None:
    url, storage = database
    sample = make_tuning(tmp_path / "tuning", storage=storage)
    sample.add("running", **{WORKER: "worker-01"})
    far = sample.add("running", **{WORKER: "elsewhere-17"})
    sample.add("done", **{WORKER: "elsewhere-18"})
    sample.study.set_user_attr("trials", 99)
    sign = Sign(sample.folder, "worker-01")
    sign.say("working", trial=0)
    with sign:
        pass
    state = read_tuning(url)
    assert [(row.name, row.state, row.trial, row.pid) for row in state.workers] == [
        ("elsewhere-17", "working", far.number, 0),
        ("worker-01", "working", 0, os.getpid()),
    ]
    assert state.planned == 99


def test_a_study_of_somebody_else_can_be_looked_at(database: tuple[str, BaseStorage]) -> None:
    url, storage = database
    with quiet():
        study = optuna.create_study(study_name="theirs", storage=storage, direction="maximize")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    state = read_tuning(url)
    assert (state.config, state.path, state.objectives, state.directions) == (
        None,
        None,
        ("objective 1",),
        ("maximize",),
    )
    assert state.best == (study.best_trial.number,)


def test_a_study_that_somebody_deletes_is_gone(tmp_path: Path, database: tuple[str, BaseStorage]) -> None:
    url, storage = database
    for where, sample in (
        (tmp_path / "one", make_full_tuning(tmp_path / "one", trials=3)),
        (url, make_full_tuning(tmp_path / "two", trials=3, storage=storage)),
    ):
        with TuneReader(where) as reader:
            assert reader.read().best
            with quiet():
                optuna.delete_study(study_name=sample.study.study_name, storage=sample.study._storage)
            assert reader.read().trials == ()


def test_attributes_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    sample = make_tuning(tmp_path / "tuning")
    sample.add("waiting", epoch="many", config="none", run=7, worker=None, reason=["x"])
    sample.study.set_user_attr("trials", "many")
    state = read_tuning(tmp_path / "tuning")
    [row] = state.trials
    assert (row.epoch, row.settings, row.run, state.planned) == (0, None, None, 24)
