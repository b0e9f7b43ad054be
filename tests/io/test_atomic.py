"""Either all is written under the final name, or nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from napari_micromri.errors import OutputExistsError, WriteError
from napari_micromri.io import atomic, folders
from napari_micromri.io.atomic import atomic_output, claimed, recover
from napari_micromri.io.folders import make_folder


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_file(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "a.nii.gz") as temporary:
        assert temporary.name.endswith("a.nii.gz") and temporary.parent == tmp_path
        temporary.write_text("new")
        assert not (tmp_path / "a.nii.gz").exists()
    assert (tmp_path / "a.nii.gz").read_text() == "new"
    assert names(tmp_path) == ["a.nii.gz"]


@pytest.mark.parametrize(("old_is_folder", "new_is_folder"), [(True, True), (False, True), (False, False)])
def test_overwriting_files_and_folders(tmp_path: Path, old_is_folder: bool, new_is_folder: bool) -> None:
    path = tmp_path / "a"
    for is_folder, content in ((old_is_folder, "old"), (new_is_folder, "new")):
        with atomic_output(path, overwrite=True) as temporary:
            if is_folder:
                temporary.mkdir()
                (temporary / content).touch()
            else:
                temporary.write_text(content)
    assert names(tmp_path) == ["a"]
    assert (names(path) if new_is_folder else [path.read_text()]) == ["new"]


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    """A table with --overwrite, under the name of a folder, removed all that was in it."""
    path = tmp_path / "a.csv"
    path.mkdir()
    (path / "mine").touch()
    with pytest.raises(WriteError, match="is a folder"), atomic_output(path, overwrite=True) as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == ["a.csv"]
    assert names(path) == ["mine"]


def test_failure_leaves_the_old_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_output(tmp_path / "a", overwrite=True) as temporary:
        temporary.mkdir()
        (temporary / "half").touch()
        raise ZeroDivisionError
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_what_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError), atomic_output(tmp_path / "a") as temporary:
        temporary.write_text("mine")
        (tmp_path / "a").write_text("another program's")
    assert (tmp_path / "a").read_text() == "another program's"
    assert names(tmp_path) == ["a"]


def test_a_dangling_link_counts_as_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError), atomic_output(tmp_path / "a"):
        pass


def test_rename_that_fails_brings_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old").touch()
    original = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if "partial" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, target)

    monkeypatch.setattr("napari_micromri.io.atomic.exchange_names", lambda *_: False)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(WriteError, match="full"), atomic_output(tmp_path / "a", overwrite=True) as temporary:
        temporary.mkdir()
    assert names(tmp_path / "a") == ["old"]
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(WriteError, match="a file"), atomic_output(tmp_path / "a" / "b"):
        pass


KILLED = """
import os, sys
from pathlib import Path
from napari_micromri.io.atomic import atomic_output
with atomic_output(Path(sys.argv[1]), overwrite=True) as temporary:
    temporary.mkdir()
    (temporary / "half").touch()
    print("at work", flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def test_a_writer_keeps_others_away_and_leaves_nothing_for_ever(tmp_path: Path) -> None:
    """While it works nobody else writes there; once it was killed, the next writer in the folder cleans up."""
    path = tmp_path / "a.ome.zarr"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "at work\n"
        with pytest.raises(WriteError, match="Another program"), atomic_output(path):
            pass
        with atomic_output(tmp_path / "b") as temporary:  # another name is free, and what is at work stays
            temporary.touch()
        assert len(names(tmp_path)) == 2
        other.stdin.close()
    assert other.returncode == 9
    with atomic_output(tmp_path / "c") as temporary:
        temporary.touch()
    assert names(tmp_path) == ["b", "c"]


def test_the_same_name_written_again_clears_what_a_killed_writer_left(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic._sibling(path, "partial").mkdir()
    with atomic_output(path, overwrite=True) as temporary, atomic_output(path, overwrite=True) as nested:
        temporary.touch()
        nested.touch()
    assert names(tmp_path) == ["a"]


def test_another_thread_is_another_writer(tmp_path: Path) -> None:
    said: list[str] = []

    def write() -> None:
        try:
            with claimed(tmp_path / "a"):
                said.append("written")
        except WriteError as error:
            said.append(str(error))

    with claimed(tmp_path / "a"), claimed(tmp_path / "a"):  # twice in one thread is one writer
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "Another program" in said[0]


def test_leftovers_of_other_machines_stay_until_they_are_old(tmp_path: Path) -> None:
    young, old = tmp_path / ".00001234abcd.partial-a", tmp_path / ".00001234.partial-b"
    for leftover in (young, old):
        leftover.touch()
    os.utime(old, (1, 1))
    with atomic_output(tmp_path / "c") as temporary:
        temporary.touch()
    assert names(tmp_path) == [young.name, "c"]


@pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="Windows can't exchange names")
def test_a_folder_is_overwritten_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is moved aside first, so at no moment nothing stands under the name."""
    path = tmp_path / "a"
    path.mkdir()
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("it was renamed in two steps"))
    with atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert names(path) == ["new"]
    assert names(tmp_path) == ["a"]


def test_a_folder_put_aside_by_a_writer_that_was_killed_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    monkeypatch.setattr(atomic, "exchange_names", lambda *_: False)
    path.rename(atomic._sibling(path, "old"))
    recover(path)
    assert names(tmp_path) == ["a"]
    assert names(path) == ["old"]


def test_threads_that_still_write_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "QUIET_SECONDS", 1.0)  # on a busy machine the thread may pause for long
    over = threading.Event()

    def write(folder: Path) -> None:
        for k in range(20):
            with suppress(FileNotFoundError, FileExistsError):  # removed in between
                folder.mkdir(exist_ok=True)
                (folder / str(k)).touch()
            over.wait(0.003)

    with pytest.raises(ZeroDivisionError), atomic_output(tmp_path / "a") as temporary:
        temporary.mkdir()
        thread = threading.Thread(target=write, args=(temporary,))
        thread.start()
        raise ZeroDivisionError
    thread.join()
    assert names(tmp_path) == []


@pytest.mark.parametrize("length", [200, 239, 250])
def test_a_long_name_that_the_disk_takes_is_taken(tmp_path: Path, length: int) -> None:
    name = "é" * 20 + "a" * (length - 40 - 9) + ".ome.zarr"
    with atomic_output(tmp_path / name) as temporary:
        assert temporary.name.endswith(".ome.zarr")
        temporary.mkdir()
    assert names(tmp_path) == [name]


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="too long"), atomic_output(tmp_path / ("a" * 300)):
        pass


def test_what_is_written_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = atomic._sync_one

    def note(path: Path) -> None:
        synced.append(path.relative_to(tmp_path).name)
        assert path == tmp_path or not (tmp_path / "a").exists()
        real(path)

    monkeypatch.setattr(atomic, "_sync_one", note)
    with atomic_output(tmp_path / "a") as temporary:
        (temporary / "0" / "c").mkdir(parents=True)
        (temporary / "0" / "c" / "chunk").write_text("x")
    assert sorted(synced[:-1]) == sorted([temporary.name, "0", "c", "chunk"])
    assert synced[-1] == ""


def test_no_folder_is_made_in_the_place_of_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnt").mkdir()
    (tmp_path / "planned").mkdir()
    table = tmp_path / "fstab"
    table.write_text(f"# disks\nserver:/x {tmp_path}/planned nfs defaults 0 0\nUUID=1 none swap sw 0 0\n")
    monkeypatch.setattr(folders, "_MOUNTS", (tmp_path / "mnt",))
    monkeypatch.setattr(folders, "FSTAB", table)
    for folder in ("mnt/nas/results", "planned/results"):
        with pytest.raises(WriteError, match="isn't connected"):
            make_folder(tmp_path / folder)
    (tmp_path / "mnt" / "nas").mkdir()
    make_folder(tmp_path / "mnt" / "nas" / "results")
    make_folder(tmp_path / "new" / "deep")
    assert names(tmp_path / "mnt" / "nas") == ["results"]
    assert names(tmp_path / "planned") == []
