"""What a study's files say at one moment, read again only where they changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import StudyError, describe_os_error
from napari_micromri.study.files import LEVELS, ZARR_JSON, pair_folders, read_json, stamp_of
from napari_micromri.study.metadata import PAIR_KEY, ROOT_KEY, pair_from_json, section, split_from_json
from napari_micromri.study.naming import natural_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_micromri.study.files import Stamp
    from napari_micromri.study.model import Pair, Set


@dataclass(frozen=True)
class Snapshot:
    """Pairs, and what is wrong with damaged ones, by key in natural order; ``root`` is our part of the root's JSON."""

    root: Mapping[str, Any]
    split: Mapping[str, Set]
    pairs: Mapping[str, Pair]
    damaged: Mapping[str, str]
    stamps: Mapping[str, Stamp | None] = field(repr=False)
    """Of each pair's file by key, and of the root's under ``""``."""


def take_snapshot(path: Path, before: Snapshot | None = None) -> Snapshot:
    """Read a study; gives ``before`` itself when nothing has changed since.

    Raises
    ------
    StudyError
        It isn't there, isn't a study, is damaged, or was written by a newer version.
    """
    try:
        files = dict(pair_folders(path))
        # The stamps come before the contents: what changes in between is read again the next time.
        stamps = {"": stamp_of(path / ZARR_JSON)} | {key: stamp_of(file) for key, file in files.items()}
        if before is not None and before.stamps == stamps:
            return before
        root = _read_root(path)
        pairs: dict[str, Pair] = {}
        damaged: dict[str, str] = {}
        for key in sorted(files, key=natural_key):
            known = before is not None and before.stamps.get(key) == stamps[key] is not None
            read = _known(key, before) if known and before is not None else _read_pair(key, files[key])
            if isinstance(read, str):
                damaged[key] = read
            elif read is not None:
                pairs[key] = read
    except OSError as error:
        raise StudyError(describe_os_error(error, error.filename or path)) from error
    return Snapshot(root, split_from_json(root), pairs, damaged, stamps)


def _read_root(path: Path) -> dict[str, Any]:
    try:
        return section(read_json(path / ZARR_JSON), ROOT_KEY)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StudyError(
            f"{path} isn't a study: it has no {ZARR_JSON}. Choose a folder that ends in .mri.zarr."
        ) from error
    except StudyError as error:
        raise StudyError(f"{path} can't be opened. {error}") from error
    except ValueError as error:
        raise StudyError(f"{path} isn't a study, or its {ZARR_JSON} is damaged: {error}.") from error


def _known(key: str, before: Snapshot) -> Pair | str | None:
    return before.pairs.get(key) or before.damaged.get(key)


def _read_pair(key: str, file: Path) -> Pair | str | None:
    """Give the pair, or a sentence that says how it is damaged; None when the folder is something else's."""
    if link := next((place for place in (file, *islice(file.parents, LEVELS)) if place.is_symlink()), None):
        return f"{link} is a link to elsewhere, where marks would be set outside of the study. Put a copy in its place."
    try:
        return pair_from_json(key, section(read_json(file), PAIR_KEY))
    except FileNotFoundError:
        sentence = f"{file} is missing"
    except OSError as error:
        sentence = describe_os_error(error, file).rstrip(".")
    except (ValueError, StudyError) as error:
        sentence = f"{file} can't be read: {error}".rstrip(".")
    looks_like_one = any((file.parent / scan).is_dir() for scan in ("lr", "hr"))
    return f"{sentence}. Bring it back from a copy, or build this pair again." if looks_like_one else None
