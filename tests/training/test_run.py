"""Every state of a run is read from its folder, whatever its process did or didn't write."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import TrainingError
from napari_micromri.runs.events import Event, Failed, to_line
from napari_micromri.runs.presence import SILENCE_SECONDS, Presence, read_presence, write_presence
from napari_micromri.runs.reading import EventReader
from napari_micromri.training.events import Done, Epoch, Metrics, Resumed, Started, Stopped
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import RunReader, find_runs, read_run

if TYPE_CHECKING:
    from pathlib import Path

METRICS = Metrics(loss=0.5, mse=0.25, mae=0.125, psnr=20.0, ssim=0.75)
BEGAN = {
    "epochs": 5,
    "batches": 4,
    "train_slices": 30,
    "validation_slices": 6,
    "parameters": 100,
    "device": "cpu",
    "precision": "float32",
    "baseline": METRICS,
}


def epoch(number: int, *, best: bool = True, loss: float = 0.5) -> Epoch:
    return Epoch(
        epoch=number, train_loss=loss, validation=METRICS, baseline=METRICS, learning_rate=0.1, seconds=2, best=best
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.create({"study": "study", "config": {"epochs": 5}})
    return folder


@pytest.fixture
def dead() -> Presence:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        presence = Presence.of(process.pid)
        assert presence.alive
    return presence


def write(folder: RunFolder, presence: Presence | None, *events: Event) -> None:
    if presence is not None:
        write_presence(folder.presence, presence)
    for event in events:
        folder.append(event)


def test_a_run_starts_and_runs(folder: RunFolder) -> None:
    write(folder, Presence.of(os.getpid()))
    assert read_run(folder.path).state == "starting"
    write(folder, None, Started(**BEGAN), epoch(1), epoch(2, best=False))
    run = read_run(folder.path)
    assert (run.state, len(run.epochs), run.planned, run.live) == ("running", 2, 5, True)
    assert run.best is not None
    assert run.best.epoch == 1
    assert run.fraction == 0.4
    assert "2 of 5" in run.message


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (Done(epoch=1, message="All done."), "done"),
        (Failed(message="The loss is not a number."), "failed"),
        (Stopped(epoch=1, batch=2, message="Stopped."), "stopped"),
    ],
)
def test_a_run_ends_by_its_last_event_while_its_process_is_still_there(
    folder: RunFolder, end: Done | Failed | Stopped, state: str
) -> None:
    write(folder, Presence.of(os.getpid()), Started(**BEGAN), epoch(1), end)
    run = read_run(folder.path)
    assert (run.state, run.message, run.end) == (state, end.message, end)


def test_a_process_without_an_end_died_and_its_log_tells(folder: RunFolder, dead: Presence) -> None:
    write(folder, dead, Started(**BEGAN), epoch(1))
    folder.write_log("Segmentation fault")
    run = read_run(folder.path)
    assert run.state == "died"
    assert "Segmentation fault" in run.message
    assert "can be resumed" in run.message
    assert run.resumable


def test_a_process_that_never_said_anything_died(folder: RunFolder, dead: Presence) -> None:
    assert read_run(folder.path).state == "died"
    write(folder, dead)
    assert read_run(folder.path).state == "died"


def test_a_process_number_that_was_used_again_is_not_taken_for_the_trainer(folder: RunFolder) -> None:
    own = Presence.of(os.getpid())
    write(folder, replace(own, start=(own.start or 0) - 1000), Started(**BEGAN))
    assert read_run(folder.path).state == "died"


def test_a_process_on_another_machine_is_known_by_its_heartbeat(folder: RunFolder) -> None:
    there = replace(Presence.of(os.getpid()), host="another-machine", pid=1)
    write(folder, there, Started(**BEGAN))
    assert read_run(folder.path).state == "running"
    write(folder, replace(there, time=time.time() - SILENCE_SECONDS - 1))
    assert read_run(folder.path).state == "died"


def test_a_resumed_run_is_new_again_until_it_speaks(folder: RunFolder, dead: Presence) -> None:
    write(folder, dead, Started(**BEGAN), epoch(1), epoch(2), Stopped(epoch=2, batch=4, message="Stopped."))
    write(folder, Presence.of(os.getpid()))
    assert read_run(folder.path).state == "starting"
    write(folder, None, Resumed(**BEGAN, epoch=2, batch=0))
    run = read_run(folder.path)
    assert (run.state, run.end) == ("running", None)
    assert [e.epoch for e in run.epochs] == [1]  # the second is trained again


def test_a_resumed_process_that_died_before_it_spoke_is_not_shown_as_stopped(folder: RunFolder, dead: Presence) -> None:
    write(folder, None, Started(**BEGAN), Stopped(epoch=1, batch=4, message="Stopped."))
    write(folder, replace(dead, claimed=time.time() + 1))
    assert read_run(folder.path).state == "died"


def test_an_epoch_that_was_trained_twice_counts_once(folder: RunFolder) -> None:
    write(folder, Presence.of(os.getpid()), Started(**BEGAN), epoch(1), epoch(1, loss=0.25))
    [only] = read_run(folder.path).epochs
    assert only.train_loss == 0.25


def test_a_half_written_line_waits_and_is_read_when_it_is_whole(folder: RunFolder) -> None:
    reader = EventReader(folder)
    assert reader.poll() == []
    folder.append(epoch(1))
    line = to_line(epoch(2)).encode()
    with folder.events.open("ab") as file:
        file.write(line[:40])
    assert [e.epoch for e in reader.poll()] == [1]
    with folder.events.open("ab") as file:
        file.write(line[40:] + b"\n")
    assert [e.epoch for e in reader.poll()] == [2]
    assert reader.poll() == []


def test_an_event_after_a_half_written_line_is_a_line_of_its_own(folder: RunFolder) -> None:
    with folder.events.open("ab") as file:
        file.write(to_line(epoch(1)).encode()[:30])
    folder.append(epoch(2))
    assert [e.epoch for e in EventReader(folder).poll()] == [2]


def test_a_reader_sees_that_a_run_was_overwritten(folder: RunFolder) -> None:
    reader = RunReader(folder.path)
    write(folder, None, Started(**BEGAN), epoch(1), epoch(2), Done(epoch=2, message="Done."))
    assert reader.read().state == "done"
    folder.create({"study": "study", "config": {"epochs": 3}}, overwrite=True)
    write(folder, Presence.of(os.getpid()), Started(**BEGAN), epoch(1))
    run = reader.read()
    assert (run.state, len(run.epochs), run.planned) == ("running", 1, 3)


def test_a_folder_with_a_run_is_never_written_over_unasked(folder: RunFolder) -> None:
    with pytest.raises(TrainingError, match="already"):
        folder.create({})


def test_a_folder_with_other_files_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(TrainingError, match="other files"):
        RunFolder(tmp_path).create({}, overwrite=True)
    assert (tmp_path / "thesis.docx").exists()


def test_runs_are_found_newest_first_and_damaged_ones_hide_none(tmp_path: Path) -> None:
    for name in ("b", "a", "damaged"):
        RunFolder(tmp_path / name).create({"study": "study", "config": {"epochs": 1}})
    (tmp_path / "damaged" / "config.json").write_text("{")
    (tmp_path / "other").mkdir()
    assert [run.name for run in find_runs(tmp_path)] == ["a", "b"]
    assert [run.name for run in find_runs(tmp_path / "a")] == ["a"]
    with pytest.raises(TrainingError, match="does not exist"):
        find_runs(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"micromri-run": 99, "study": "", "config": {}, "created": 1}'])
def test_what_is_no_run_is_said_in_a_sentence(tmp_path: Path, content: str) -> None:
    with pytest.raises(TrainingError, match="no training run"):
        read_run(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError, match=r"damaged|not the configuration|later version"):
        read_run(tmp_path)


def test_a_damaged_process_file_is_as_good_as_none(folder: RunFolder) -> None:
    for content in ("", "{", "[]", '{"pid": 3}'):
        folder.presence.write_text(content)
        assert read_presence(folder.presence) is None
    assert read_run(folder.path).state == "died"


def test_the_end_can_be_written_on_a_full_disk(folder: RunFolder) -> None:
    assert (folder.path / ".reserve").stat().st_size > 10_000
    folder.append_last(Failed(message="The disk is full."))
    assert not (folder.path / ".reserve").exists()
    assert read_run(folder.path).state == "failed"
    folder.clean()
    assert (folder.path / ".reserve").exists()
