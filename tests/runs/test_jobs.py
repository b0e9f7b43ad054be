"""A job of any kind: a counter, which is created, interrupted, resumed, and never replaced while it works."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import psutil
import pytest
from filelock import FileLock

from napari_micromri.errors import JobError
from napari_micromri.runs import kinds
from napari_micromri.runs.events import Done, Event, Progress, Resumed, Started, Stopped, by_name
from napari_micromri.runs.folder import JobFolder
from napari_micromri.runs.kinds import JobKind, kind_of
from napari_micromri.runs.presence import Presence, read_presence, write_presence
from napari_micromri.runs.process import main, stop_job
from napari_micromri.runs.reading import Job, JobReader, find_jobs
from napari_micromri.runs.record import create_job, reopen_job, run_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_micromri.progress import ShouldStop


@dataclass(frozen=True, kw_only=True)
class Counted(Event):
    name: ClassVar[str] = "counted"
    number: int


class CountFolder(JobFolder):
    kind, label, results = "count", "count", ("sum.txt",)
    events_read = by_name(Counted)


class Count(Job):
    folder_of = CountFolder


class CountReader(JobReader[Count]):
    job = Count


def count(folder: CountFolder, should_stop: ShouldStop) -> Iterator[Event]:
    """Count to what was asked for, and continue where it was stopped."""

    def work(asked: ShouldStop) -> Iterator[Event]:
        total, file = folder.read_settings()["config"]["to"], folder.path / "sum.txt"
        done = len(file.read_text()) if file.exists() else 0
        before = done
        yield Resumed(note=f"{done} were counted.") if done else Started()
        while done < total:
            if asked():
                yield Stopped(message=f"Stopped at {done}.")
                return
            done += 1
            file.write_text("x" * done)
            yield Counted(number=done)
            yield Progress(done=done, total=total, before=before, text=f"number {done}")
        yield Done(message=f"Counted to {done}.")

    return run_job(folder, work, should_stop)


KIND = JobKind(CountReader, count)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountFolder:
    monkeypatch.setattr(kinds, "KINDS", {"count": f"{__name__}:KIND"})
    create_job(CountReader, tmp_path / "job", {"config": {"to": 4}})
    return CountFolder(tmp_path / "job")


def read(folder: CountFolder) -> Count:
    return CountReader(folder.path).read()


def test_a_job_is_stopped_resumed_and_done(folder: CountFolder) -> None:
    for event in count(folder, lambda: False):
        if event == Progress(done=2, total=4, text="number 2", time=event.time):
            stop_job(folder.path)
    job = read(folder)
    assert (job.state, job.message, job.fraction, job.resumable) == ("stopped", "Stopped at 2.", 0.5, True)
    reopen_job(job)
    list(count(folder, lambda: False))
    job = read(folder)
    assert (job.state, job.fraction, job.began) == ("done", 1.0, Resumed(note="2 were counted.", time=job.began.time))
    assert [line.split('"')[3] for line in folder.events.read_text().splitlines()] == [
        *("started", "counted", "counted", "stopped"),
        *("resumed", "counted", "counted", "done"),
    ]
    with pytest.raises(JobError, match="finished"):
        reopen_job(job)


def test_the_process_of_a_job_finds_out_what_to_do(folder: CountFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_micromri.runs.process.faulthandler.enable", lambda: None)
    monkeypatch.setattr("napari_micromri.runs.process.NICENESS", 0)
    assert kind_of(folder.path) is KIND
    assert main([str(folder.path)]) == 0
    assert read(folder).state == "done"
    assert main([str(folder.path.parent)]) == 2
    assert [job.name for job in find_jobs(folder.path.parent, CountReader)] == ["job"]


def test_the_time_left_counts_from_where_this_process_began(folder: CountFolder) -> None:
    now = time.time()
    at = Progress(done=6, total=10, before=4, time=now)
    job = replace(read(folder), state="running", began=Started(time=now - 10), at=at, presence=Presence.of(os.getpid()))
    assert job.seconds_left == pytest.approx(20, abs=1)


def _files(folder: CountFolder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.path.iterdir() if file != folder.lock}


@pytest.mark.parametrize("shown", ["alive", "silent"])
def test_a_job_at_work_is_not_replaced_and_loses_nothing(folder: CountFolder, shown: str) -> None:
    """Also one on another computer that wrote no sign of life for a while: its lock tells."""
    events = count(folder, lambda: False)
    for _ in range(3):
        next(events)
    if shown == "silent":
        write_presence(folder.presence, replace(read(folder).presence, host="elsewhere", time=1.0))
        assert read(folder).state == "died"
    before = _files(folder)
    with pytest.raises(JobError, match="Another process"):
        create_job(CountReader, folder.path, {"config": {"to": 9}}, overwrite=True)
    assert _files(folder) == before
    assert [event.name for event in events][-1] == "done"


def test_a_finished_job_is_replaced_when_asked(folder: CountFolder) -> None:
    list(count(folder, lambda: False))
    (folder.path / "notes.txt").write_text("mine")
    with pytest.raises(JobError, match="already"):
        create_job(CountReader, folder.path, {"config": {"to": 9}})
    create_job(CountReader, folder.path, {"config": {"to": 9}}, overwrite=True)
    assert not (folder.path / "sum.txt").exists()
    assert not folder.events.exists()
    assert (folder.path / "notes.txt").read_text() == "mine"
    assert read(folder).settings["config"] == {"to": 9}


@pytest.mark.parametrize("content", ['{"a": 1}', '{"micromri-run": 1, "config": {}, "created": 1}', "[]"])
def test_what_is_no_such_job_is_never_replaced(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(content)
    for overwrite in (False, True):
        with pytest.raises(JobError, match="something else"):
            create_job(CountReader, tmp_path, {"config": {"to": 4}}, overwrite=overwrite)
    assert config.read_text() == content
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_a_file_in_the_place_of_the_folder_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").write_bytes(b"scan")
    with pytest.raises(JobError, match=r"scan\.nii can't be created: a file has that name"):
        create_job(CountReader, tmp_path / "scan.nii", {"config": {"to": 4}})


def test_what_a_full_disk_left_is_no_reason_to_refuse_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "_write_settings", full)
        with pytest.raises(JobError, match="full"):
            create_job(CountReader, tmp_path, {"config": {"to": 4}})
    assert not (tmp_path / ".reserve").exists()
    (tmp_path / ".reserve").touch()  # as earlier versions left it
    create_job(CountReader, tmp_path, {"config": {"to": 4}})


def test_setting_the_clock_kills_nobody(folder: CountFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_presence(folder.presence, Presence.of(os.getpid(), events=folder.events))
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
    monkeypatch.setattr("psutil.boot_time", lambda: 3600.0 + real(psutil.Process(1)))
    assert read(folder).state == "starting"


def test_a_clock_that_was_set_back_hides_no_resumed_job(folder: CountFolder) -> None:
    list(count(folder, lambda: True))
    assert read(folder).state == "stopped"
    taken = Presence.of(os.getpid(), events=folder.events)
    write_presence(folder.presence, replace(taken, claimed=taken.claimed - 3600, time=taken.time - 3600))
    assert read(folder).state == "starting"
    folder.append(Resumed(time=time.time() - 3600))
    assert read(folder).state == "running"


def test_another_start_of_the_machine_is_another_process(folder: CountFolder) -> None:
    own = Presence.of(os.getpid())
    write_presence(folder.presence, replace(own, boot="another"))
    assert read(folder).state == "died"


def test_the_lock_of_a_job_is_the_one_that_other_programs_see(folder: CountFolder) -> None:
    with FileLock(folder.lock), pytest.raises(JobError, match="Another process"):
        next(count(folder, lambda: False))


@pytest.mark.parametrize("content", ["{", "[]", '{"micromri-count": 99, "config": {}, "created": 1}', "[" * 100_000])
def test_a_damaged_job_is_refused_with_a_sentence(folder: CountFolder, content: str) -> None:
    folder.config.write_text(content)
    with pytest.raises(JobError):
        read(folder)


def test_a_process_file_of_anything_else_is_as_good_as_none(folder: CountFolder) -> None:
    contents: list[Any] = ["", "[]", "3", '{"pid": 3}']
    for content in contents:
        folder.presence.write_text(content)
        assert read_presence(folder.presence) is None
