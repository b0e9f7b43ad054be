"""A study on the disk: pairs, marks and sets, safe to be changed by several programs.

Layout
------
``NAME.mri.zarr`` is a Zarr 3 group whose attribute ``micromri-study`` says which subject belongs to which set;
``<subject>/<region>/<plane>`` in it is a pair: a group with the OME-Zarr images ``lr`` and ``hr``, and with names,
measurements and marks in the attribute ``micromri-pair``. Names that begin with a dot are locks and unfinished work.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import StudyError, WriteError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.progress import never
from napari_micromri.study import placing, reading
from napari_micromri.study.changes import change_pair, change_root, check_edit
from napari_micromri.study.files import ZARR_JSON, read_json, write_json
from napari_micromri.study.locking import study_lock
from napari_micromri.study.metadata import FORMAT, PAIR_KEY, ROOT_KEY, group_document, marks_to_json, section
from napari_micromri.study.model import DEFAULT_SET, Assign
from napari_micromri.study.naming import composed, natural_key, text_of
from napari_micromri.study.snapshot import take_snapshot
from napari_micromri.study.writing import write_pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_micromri.progress import ShouldStop
    from napari_micromri.scan import Scan
    from napari_micromri.study.model import Edit, Pair, Set
    from napari_micromri.study.snapshot import Snapshot

ENDING = ".mri.zarr"
UNFINISHED = ".unfinished-"
"""How the names of pairs begin that are being written."""


class Study:
    """An open study; made by `Study.create` and `Study.open`.

    What it says is a snapshot, brought up to date by `reload` and by every change.
    """

    def __init__(self, path: Path, snapshot: Snapshot) -> None:
        self.path = path
        self._snapshot = snapshot
        self._seen_by_reload = snapshot

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
    def open(cls, path: Path | str) -> Study:
        """Open a study; only its small JSON files are read.

        Raises
        ------
        StudyError
            It isn't there, is no study, is damaged, or was written by a newer version.
        """
        path = Path(path).absolute()
        if not path.is_dir():
            raise StudyError(f"{path} does not exist. Check the spelling, and that the disk is connected.")
        return cls(path, take_snapshot(path))

    @property
    def name(self) -> str:
        """Name of the folder without its ending."""
        return self.path.name.removesuffix(ENDING)

    @property
    def read_only(self) -> bool:
        """Whether this place can't be written to."""
        return not os.access(self.path, os.W_OK)

    @property
    def pairs_by_key(self) -> Mapping[str, Pair]:
        """All pairs, in natural order."""
        return self._snapshot.pairs

    @property
    def damaged(self) -> Mapping[str, str]:
        """What is wrong with the pairs that can't be used, by key."""
        return self._snapshot.damaged

    @property
    def split(self) -> Mapping[str, Set]:
        """The set of each subject that was assigned to one."""
        return self._snapshot.split

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, in natural order."""
        return tuple(sorted({pair.subject for pair in self.pairs_by_key.values()}, key=natural_key))

    @property
    def planned(self) -> tuple[Mapping[str, Any], ...]:
        """JSON-like descriptions of the pairs that the study was to have; see `set_planned`."""
        return tuple(self._snapshot.root.get("planned", ()))

    def set_of(self, subject: str) -> Set:
        """Give the set of a subject, `DEFAULT_SET` when nobody assigned it."""
        return self.split.get(subject, DEFAULT_SET)

    def pairs(self, split: Set | None = None) -> list[Pair]:
        """List the pairs of a set, or all."""
        return [p for p in self.pairs_by_key.values() if split is None or self.set_of(p.subject) == split]

    def slices(self, split: Set | None = None, *, include_excluded: bool = False) -> reading.PairedSlices:
        """Give the slices of a set, or all, cropped and aligned; each is read when it is asked for."""
        pairs = tuple(self.pairs(split))
        indices = tuple(tuple(range(p.slice_count)) if include_excluded else p.kept for p in pairs)
        return reading.PairedSlices(self.path, pairs, indices)

    def read_slice(self, key: str, index: int, *, crop: bool = True, align: bool = True) -> reading.PairedSlice:
        """Read one slice of both scans of a pair; see `napari_micromri.study.reading.read_slice`."""
        return reading.read_slice(self.path, self._pair(key), index, crop=crop, align=align)

    def scans(self, key: str) -> tuple[Scan, Scan]:
        """Give the LR and the HR scan of a pair as stored, lazily, with their geometry."""
        pair = self._pair(key)
        return reading.lazy_scan(self.path, pair, "lr"), reading.lazy_scan(self.path, pair, "hr")

    def missing_chunks(self, key: str) -> list[tuple[reading.Which, int]]:
        """List the slices of a pair whose pixels aren't there, by scan and index."""
        return reading.missing_chunks(self.path, self._pair(key))

    def fingerprint(self, split: Set | None = None) -> str:
        """SHA-256 over pixels, marks, alignment and sets of the pairs: all that training on them depends on."""
        told = [
            [pair.key, pair.subject, pair.digest, pair.shift, marks_to_json(pair.marks), self.set_of(pair.subject)]
            for pair in sorted(self.pairs(split), key=lambda pair: pair.key)
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def reload(self) -> bool:
        """Read again what others changed; tells whether there was something since the last time."""
        self._refresh()
        changed = self._snapshot is not self._seen_by_reload
        self._seen_by_reload = self._snapshot
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
        with self._changing():
            for edit in edits:
                check_edit(edit, self.pairs_by_key, self.subjects)
            documents: dict[Path, dict[str, Any]] = {}
            undo = [self._change(edit, documents) for edit in edits]
            write_json(documents)
        return undo[::-1]

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
        with self._changing():
            document = read_json(self.path / ZARR_JSON)
            section(document, ROOT_KEY)["planned"] = [dict(entry) for entry in planned]
            write_json({self.path / ZARR_JSON: document})

    @property
    def _taken(self) -> list[str]:
        return [*self.pairs_by_key, *self.damaged]

    def _pair(self, key: str) -> Pair:
        pair = self.pairs_by_key.get(key)
        if pair is None:
            raise StudyError(self.damaged.get(key, f"There is no pair '{key}' in {self.path}."))
        return pair

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

    def _refresh(self) -> None:
        self._snapshot = take_snapshot(self.path, self._snapshot)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock while the block changes the newest state, and read the result."""
        self._refuse_read_only()
        with study_lock(self.path):
            self._refresh()
            others_changed = self._snapshot is not self._seen_by_reload
            yield
            self._refresh()
            if not others_changed:
                self._seen_by_reload = self._snapshot
