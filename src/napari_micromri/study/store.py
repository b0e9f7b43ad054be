"""A study on the disk: pairs, marks and sets, safe to be changed by several programs.

Layout
------
``NAME.mri.zarr`` is a Zarr 3 group whose attribute ``micromri-study`` says which subject belongs to which set;
``<subject>/<region>/<plane>`` in it is a pair: a group with the OME-Zarr images ``lr`` and ``hr``, and with names,
measurements and marks in the attribute ``micromri-pair``. Names that begin with a dot are locks and unfinished work.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import StudyError, WriteError, describe_os_error
from napari_micromri.io.atomic import atomic_output, sync
from napari_micromri.progress import never
from napari_micromri.study import placing
from napari_micromri.study.changes import change_pair, change_root, check_edit
from napari_micromri.study.files import ZARR_JSON, read_json, write_json
from napari_micromri.study.locking import study_lock
from napari_micromri.study.metadata import FORMAT, PAIR_KEY, ROOT_KEY, group_document, section
from napari_micromri.study.model import Assign
from napari_micromri.study.naming import composed, group_name, text_of
from napari_micromri.study.snapshot import take_snapshot
from napari_micromri.study.unsaved import UnsavedMarks
from napari_micromri.study.view import ENDING, StudyView
from napari_micromri.study.writing import write_pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_micromri.progress import ShouldStop
    from napari_micromri.scan import Scan
    from napari_micromri.study.model import Edit, Pair
    from napari_micromri.study.snapshot import Snapshot

UNFINISHED = ".unfinished-"
"""How the names of pairs begin that are being written."""


class Study(StudyView):
    """An open study; made by `Study.create` and `Study.open`.

    What it says is a snapshot, brought up to date by `reload` and by every change.
    """

    def __init__(self, path: Path, disk: Snapshot, unsaved: UnsavedMarks | None) -> None:
        super().__init__(path, disk)
        self._unsaved = unsaved
        self._disk = self._seen_by_reload = disk

    @classmethod
    def create(cls, path: Path | str) -> Study:
        """Make an empty study where nothing stands yet.

        Raises
        ------
        StudyError
            The name doesn't end in ``.mri.zarr``, something stands there, or it can't be written.
        """
        path = Path(path).absolute()
        if not path.name.endswith(ENDING) or path.name == ENDING:
            raise StudyError(f"The name of a study ends in {ENDING}, e.g. mice{ENDING}, not '{path.name}'.")
        root = {"format": FORMAT, "split": {}, "planned": []}
        try:
            with atomic_output(path) as temporary:
                temporary.mkdir()
                write_json({temporary / ZARR_JSON: group_document({ROOT_KEY: root})})
        except WriteError as error:
            raise StudyError(str(error)) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str, *, keep_marks_in_memory: bool = False) -> Study:
        """Open a study; only its small JSON files are read.

        Parameters
        ----------
        keep_marks_in_memory
            Where the study can't be written to, let `apply` change the marks of this object alone, so that they can be
            exported; see `has_unsaved_marks`. Elsewhere it means nothing.

        Raises
        ------
        StudyError
            It isn't there, isn't a study, is damaged, or was written by a newer version.
        """
        path = Path(path).absolute()
        if path.is_file():
            raise StudyError(f"{path} is a file, not a study. Choose a folder that ends in .mri.zarr.")
        if not path.is_dir():
            raise StudyError(f"{path} does not exist. Check the spelling, and that the disk is connected.")
        unsaved = UnsavedMarks() if keep_marks_in_memory and not _is_writable(path) else None
        return cls(path, take_snapshot(path), unsaved)

    @property
    def read_only(self) -> bool:
        """Whether this place can't be written to."""
        return not _is_writable(self.path)

    @property
    def has_unsaved_marks(self) -> bool:
        """Whether marks were set that this place can't keep; export them before they are lost."""
        return self._unsaved is not None and self._unsaved.differ_from(self._disk)

    def refresh(self) -> None:
        """Read again what others changed; `reload` will still tell of it."""
        disk = take_snapshot(self.path, self._disk)
        if disk is not self._disk:
            self._disk = disk
            self._snapshot = disk if self._unsaved is None else self._unsaved.over(disk)

    def reload(self) -> bool:
        """Read again what others changed; tells whether there was something since the last time."""
        self.refresh()
        changed = self._disk is not self._seen_by_reload
        self._seen_by_reload = self._disk
        return changed

    def apply(self, edits: Sequence[Edit]) -> list[Edit]:
        """Change marks and sets on the disk, on top of what others changed meanwhile.

        Parameters
        ----------
        edits
            In the order in which they are meant; all of them are checked before the first is done.

        Returns
        -------
        The edits that undo them, in the order in which to apply them.

        Raises
        ------
        StudyError
            An edit doesn't fit, the study is read-only, or the disk is full; then nothing has changed.
        """
        if self._unsaved is not None:
            self._check(edits)
            undo = self._unsaved.apply(edits, self._snapshot)
            self._snapshot = self._unsaved.over(self._disk)
            return undo[::-1]
        with self._changing():
            self._check(edits)
            documents: dict[Path, dict[str, Any]] = {}
            undo = [self._change(edit, documents) for edit in edits]
            write_json(documents)
        return undo[::-1]

    def relabel(
        self, key: str, *, subject: str | None = None, region: str | None = None, plane: str | None = None
    ) -> str:
        """Rename the subject, region or plane of a pair; gives its new key.

        A new subject takes over the set of the old one; one that is there already keeps its own.

        Raises
        ------
        StudyError
            There is another pair of these names, a name can't be used, or the study is read-only.
        """
        with self._changing():
            pair = self._pair(key)
            names = composed(subject or pair.subject), composed(region or pair.region), composed(plane or pair.plane)
            if names == (pair.subject, pair.region, pair.plane):
                return key
            new = "/".join(map(group_name, names))
            placing.check_key(new, [other for other in self._taken if other != key])
            others = [other for other in self.pairs_by_key.values() if other.key != key]
            try:
                placing.relabel_pair(self.path, pair, names, new, others)
            except OSError as error:
                raise StudyError(describe_os_error(error, self.path / key)) from error
        return new

    def free_key(self, subject: str, region: str, plane: str) -> str:
        """Give the key under which one more pair of these names can be added.

        Raises
        ------
        StudyError
            A name is empty, too long, or differs from one that stands there only by upper and lower case.
        """
        return placing.free_key(subject, region, plane, self._taken)

    def add_pair(self, pair: Pair, lr: Scan, hr: Scan, *, should_stop: ShouldStop = never) -> Pair:
        """Write a pair into the study, whole or not at all.

        Parameters
        ----------
        pair
            Its key as `free_key` gave it; names are taken from there. The digest is computed from the pixels.
        lr, hr
            Axes ``zyx``, of the shape and type that the pair says; read a few slices at a time.

        Raises
        ------
        StudyError
            The key is taken, the scans aren't those of the pair, the study is read-only, or the disk is full.
        CancelledError
            ``should_stop`` said so.
        """
        placing.check_key(pair.key, self._taken)
        self._refuse_read_only()
        subject, region, _ = map(text_of, pair.key.split("/"))
        pair = replace(pair, subject=subject, region=region, plane=composed(pair.plane))
        unfinished = self.path / f"{UNFINISHED}{uuid.uuid4().hex[:8]}"
        try:
            pair = write_pair(unfinished, pair, lr, hr, should_stop=should_stop)
            sync(unfinished)
            with self._changing():
                placing.check_key(pair.key, self._taken)
                unfinished.rename(placing.make_parents(self.path, pair.key))
        except OSError as error:
            raise StudyError(describe_os_error(error, self.path)) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return self._pair(pair.key)

    def set_planned(self, planned: Sequence[Mapping[str, Any]]) -> None:
        """Note which pairs the study is to have, as JSON-like descriptions, so that missing ones can be told."""
        with self._changing(), placing.changed_root(self.path) as root:
            root["planned"] = [dict(entry) for entry in planned]

    @property
    def _taken(self) -> list[str]:
        return [*self.pairs_by_key, *self.damaged]

    def _check(self, edits: Sequence[Edit]) -> None:
        for edit in edits:
            check_edit(edit, self.pairs_by_key, self.subjects)

    def _change(self, edit: Edit, documents: dict[Path, dict[str, Any]]) -> Edit:
        """Change one of the documents, which are read when they are first needed."""
        folder = self.path if isinstance(edit, Assign) else self.path / edit.key
        file = folder / ZARR_JSON
        if file not in documents:
            documents[file] = read_json(file)
        if isinstance(edit, Assign):
            return change_root(section(documents[file], ROOT_KEY), edit)
        return change_pair(section(documents[file], PAIR_KEY), edit)

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise StudyError(f"{self.path} is read-only here, so nothing was saved. Copy the study to change it.")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock while the block changes the newest state, and read the result."""
        self._refuse_read_only()
        with study_lock(self.path):
            self.refresh()
            others_changed = self._disk is not self._seen_by_reload
            try:
                yield
            finally:
                self.refresh()
                if not others_changed:
                    self._seen_by_reload = self._disk


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK)
