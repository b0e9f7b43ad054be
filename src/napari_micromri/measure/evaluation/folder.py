"""The folder of an evaluation: what is done is kept, so that it can be resumed, and nothing else is touched.

``slices.jsonl`` grows by a line for every slice that is done; its first line says what is evaluated on what. The other
files are written whole at the end.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import WriteError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.folders import make_folder
from napari_micromri.measure.evaluation.rows import SliceRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_micromri.measure.evaluation.rows import Setup

JOURNAL, TABLE, SUMMARY, PAGE, ROIS = "slices.jsonl", "evaluation.csv", "summary.json", "report.html", "rois.csv"
FILES = (JOURNAL, TABLE, SUMMARY, PAGE, ROIS)
LOCK = ".evaluation.lock"


@dataclass(frozen=True)
class SliceResult:
    """All that was found for one slice: a row per method, and a row of a table per region and image."""

    key: str
    index: int
    rows: tuple[SliceRow, ...]
    rois: tuple[dict[str, Any], ...] = ()

    def to_line(self) -> str:
        """Give one line of JSON."""
        document = {
            "key": self.key,
            "index": self.index,
            "rows": [row.to_json() for row in self.rows],
            "rois": self.rois,
        }
        return json.dumps(document, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_line(cls, line: str) -> SliceResult:
        """Read what `to_line` gave.

        Raises
        ------
        ValueError, TypeError, KeyError
            The line is something else, or torn.
        """
        found = json.loads(line)
        rows = tuple(SliceRow.from_json(row) for row in found["rows"])
        return cls(str(found["key"]), int(found["index"]), rows, tuple(dict(row) for row in found["rois"]))


@dataclass
class Journal:
    """What is done so far, in a file that only grows.

    With a ``header`` the file is begun with the first result: an evaluation that comes to nothing replaces nothing.
    """

    path: Path
    results: dict[tuple[str, int], SliceResult] = field(default_factory=dict)
    header: str | None = None

    def add(self, result: SliceResult) -> None:
        """Keep a result, also if the program dies right after.

        Raises
        ------
        WriteError
            The system refused, e.g. a full disk; what was kept before is still good.
        """
        try:
            if self.header is not None:
                self._begin(self.header)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(result.to_line() + "\n")
        except OSError as error:
            raise WriteError(describe_os_error(error, self.path)) from error
        self.results[result.key, result.index] = result

    def _begin(self, header: str) -> None:
        with atomic_output(self.path, overwrite=True, lock=False) as temporary:
            temporary.write_text(header + "\n", encoding="utf-8")
        for name in FILES:
            if name != JOURNAL:
                (self.path.parent / name).unlink(missing_ok=True)
        self.header = None


@contextmanager
def open_journal(folder: Path, setup: Setup, *, overwrite: bool = False) -> Iterator[Journal]:
    """Hold a folder for one evaluation, with what an earlier, equal one left there.

    Raises
    ------
    WriteError
        The folder holds another evaluation and overwriting wasn't asked for, is in use, or can't be written to.
    """
    with _held(folder):
        journal = folder / JOURNAL
        if not overwrite:
            _check_foreign_files(folder)
        there = journal.exists() and not overwrite
        yield Journal(journal, _read(journal, setup)) if there else Journal(journal, header=_header(setup))


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file whole; it belongs to this evaluation, so it may be there."""
    with atomic_output(path, overwrite=True) as temporary:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _header(setup: Setup) -> str:
    return json.dumps({"evaluation": setup.to_json()}, ensure_ascii=False)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        make_folder(folder)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise WriteError(f"Another evaluation is writing into {folder}. Wait for it, or choose another.") from error
    except NotImplementedError as error:
        raise WriteError(f"The disk of {folder} can't lock files. Choose a folder on another disk.") from error
    except OSError as error:
        raise WriteError(describe_os_error(error, folder)) from error
    try:
        yield
    finally:
        lock.release()


def _check_foreign_files(folder: Path) -> None:
    there = [name for name in FILES if (folder / name).exists()]
    if there and JOURNAL not in there:
        raise WriteError(
            f"{folder} already holds {', '.join(there)}, which isn't an evaluation that can be continued. "
            "Choose another folder, or overwrite it."
        )


def _read(path: Path, setup: Setup) -> dict[tuple[str, int], SliceResult]:
    """Read all whole lines; a torn last one, left by a program that died, is cut off."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WriteError(describe_os_error(error, path)) from error
    whole = content[: content.rfind(b"\n") + 1]
    header, *lines = whole.decode("utf-8", errors="replace").split("\n")[:-1] or [""]
    _check_setup(path, header, setup)
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    results: dict[tuple[str, int], SliceResult] = {}
    for number, line in enumerate(lines, 2):
        try:
            result = SliceResult.from_line(line)
        except (ValueError, TypeError, KeyError) as error:
            raise WriteError(
                f"Line {number} of {path} is damaged. Choose another folder, or ask for it to be overwritten."
            ) from error
        results[result.key, result.index] = result
    return results


def _check_setup(path: Path, header: str, setup: Setup) -> None:
    try:
        found = json.loads(header)["evaluation"]
    except (ValueError, TypeError, KeyError):
        found = None
    wanted = json.loads(_header(setup))["evaluation"]
    if found == wanted:
        return
    what = _difference(found, wanted) if isinstance(found, dict) else "something else"
    raise WriteError(
        f"{path.parent} already holds an evaluation of {what}. Choose another folder, or ask for it to be overwritten."
    )


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    words = {
        "study": "another study",
        "split": "another set",
        "study_fingerprint": "this study as it was before its pairs, marks or split changed",
        "models": "other models",
        "precision": "another precision",
        "rois": "other regions",
    }
    if found.get("models") != wanted["models"] and _without_sampling(found) == _without_sampling(wanted):
        return "the same models with other steps, draws, quality or dark air"
    return next((text for name, text in words.items() if found.get(name) != wanted[name]), "another version")


def _without_sampling(setup: Mapping[str, Any]) -> list[Any]:
    models = setup.get("models")
    unset = {"sampling": None, "quality": None, "dark_air": None}
    return [model | unset for model in models] if isinstance(models, list) else []
