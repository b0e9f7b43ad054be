"""Either all is written under the final name, or nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from napari_micromri.errors import OutputExistsError, WriteError
from napari_micromri.io.atomic import atomic_output


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_file(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "a.nii.gz") as temporary:
        assert temporary.name.endswith("a.nii.gz") and temporary.parent == tmp_path
        temporary.write_text("new")
        assert not (tmp_path / "a.nii.gz").exists()
    assert (tmp_path / "a.nii.gz").read_text() == "new"
    assert names(tmp_path) == ["a.nii.gz"]


@pytest.mark.parametrize("old_is_folder", [True, False])
@pytest.mark.parametrize("new_is_folder", [True, False])
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

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(WriteError, match="full"), atomic_output(tmp_path / "a", overwrite=True) as temporary:
        temporary.mkdir()
    assert names(tmp_path / "a") == ["old"]
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(WriteError, match="file stands"), atomic_output(tmp_path / "a" / "b"):
        pass
