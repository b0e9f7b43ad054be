"""Find the scans below files and folders, and whose they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import CancelledError, MicroMRIError, ReadError, StudyError, describe_os_error
from napari_micromri.io import can_read, open_scan
from napari_micromri.io.formats import FORMATS, STUDY_ENDING, format_of, is_voxels_alone, is_zarr
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.paravision import looks_like_paravision, reconstructions
from napari_micromri.progress import never
from napari_micromri.study.plan import UNKNOWN, Rejected, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_micromri.progress import ShouldStop
    from napari_micromri.scan import Scan

_SAID = ("subject", "region", "plane")
_GLIMPSED = 16
"""Files that are looked at before all are read."""

_REMOTE = ("http://", "https://", "s3://")
_BIDS_SUBJECT, _BIDS_SESSION = re.compile(r"(?:^|_)sub-([^_/]+)"), re.compile(r"(?:^|_)ses-([^_/]+)")
_ENDINGS = sorted(
    {pattern[1:] for one in FORMATS for pattern in one.patterns if pattern.count("*") == 1} | {".ome.zarr"}, key=len
)[::-1]

_GRADES = frozenset(
    "fast default slow lr hr low high res resolution lowres highres hires lores good noisy clean reference".split()
)
"""Words that tell the two scans of a pair apart."""

# Words that say which scan it is, but not of whom.
_ROLES = _GRADES | frozenset(
    "t1 t2 t1w t2w pd pdw rare turborare fse tse scan scans image images img mri anat data pdata".split()
)
_ANIMAL = re.compile(r"(?:^|[\s_.-])(?:mouse|rat|animal|subject|m|r)[\s_.-]*\d+(?:$|[\s_.-])", re.IGNORECASE)
"""A name that counts animals: what the names below it say is of the scan."""

_NOBODY = frozenset({"anon", "anonym", "anonymous", "anonymized", "anonymised", "unknown", "none", "na", "patient"})
"""What programs write in the place of a name that they remove."""


@dataclass(frozen=True)
class Found:
    """A scan with what its header, or else its name, says of the animal.

    ``notes`` name what is from the name. ``place`` holds the words of its path but those for its grade, sorted: the two
    scans of a pair in trees that mirror each other (``HIGH RES/mouse 1/coronal``) have the same. ``inside`` is that
    path. ``whole`` is False where only one of several files was read.
    """

    scan: Scan
    source: Source
    subject: str
    session: str | None
    region: str
    plane: str
    notes: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    inside: str = ""
    whole: bool = True

    def reject(self, reason: str) -> Rejected:
        """Leave the scan out."""
        return Rejected(self.source.path, self.scan.info.name, reason)


def find_scans(
    paths: Iterable[str | os.PathLike[str]],
    *,
    subject: str | None = None,
    region: str | None = None,
    plane: str | None = None,
) -> tuple[list[Found], list[Rejected]]:
    """Open every scan at or below the paths, headers only, and list what looks like one but can't be opened.

    A folder that is a scan as a whole (a Zarr store, the DICOM files of a folder) isn't looked into. Hidden files and
    studies are passed by.

    Parameters
    ----------
    paths
        Files and folders of any readable format, also mixed; ``path#scan`` is one of several scans at a path.
    subject, region, plane
        Of all scans, whatever they say; None takes what they say.

    Raises
    ------
    StudyError
        A path doesn't exist.
    ReadError
        A folder may not be looked into.
    """
    found: list[Found] = []
    rejected: list[Rejected] = []
    for entry in each_scan(paths, subject=subject, region=region, plane=plane):
        if isinstance(entry, Found):
            found.append(entry)
        else:
            rejected.append(entry)
    return found, rejected


def each_scan(
    paths: Iterable[str | os.PathLike[str]],
    *,
    subject: str | None = None,
    region: str | None = None,
    plane: str | None = None,
    should_stop: ShouldStop = never,
) -> Iterator[Found | Rejected]:
    """Give what `find_scans` lists one by one, each as soon as its header was read.

    The first comes at once, however many there are. Only the DICOM files of one folder are read together, since their
    headers tell which of them make a scan.

    Parameters
    ----------
    should_stop
        Asked before each folder and each scan.

    Raises
    ------
    CancelledError
        It was asked to stop.
    """
    said = {key: value for key, value in zip(_SAID, (subject, region, plane), strict=True) if value is not None}
    seen: set[tuple[str, str]] = set()
    for start in [os.fspath(path) for path in paths]:
        remote = start.startswith(_REMOTE)
        asked = Source(start) if remote else Source.parse(start)
        for place in [start] if remote else _places(Path(asked.path), should_stop):
            _go_on(should_stop)
            for mark, entry in _entries(place, asked):
                if (key := (os.path.realpath(place), mark)) not in seen:
                    seen.add(key)
                    yield _told(entry, said) if isinstance(entry, Found) else entry


def glimpse(folder: str | os.PathLike[str]) -> Iterator[Found]:
    """Foretell what series a large folder of DICOM files holds, from a few of them: reading all headers takes a while.

    The scans aren't ``whole``: they have one slice. Nothing is given of other folders, nor of what can't be read.
    """
    if not os.path.isdir(folder):
        return
    try:
        files = sorted(entry.path for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))
    except OSError:
        return  # told by `each_scan`
    seen: set[tuple[str | None, ...]] = set()
    for file in files[:: max(1, len(files) // _GLIMPSED)] if len(files) > _GLIMPSED else ():
        if not _is_dicom(Path(file)):
            continue
        try:
            scan = open_scan(file)[0]
        except MicroMRIError:
            continue
        series = (scan.info.name, scan.info.subject, scan.info.protocol, scan.info.plane)
        if series not in seen:
            seen.add(series)
            yield replace(_identify(scan, Source(file), os.fspath(folder)), whole=False)


def _entries(place: str, asked: Source) -> Iterator[tuple[str, Found | Rejected]]:
    """Open what lies at a place, with what tells its entries apart; only one of them where its name was given."""
    try:
        scans = open_scan(place)
    except MicroMRIError as error:
        yield str(error), Rejected(place, None, str(error))
        return
    wanted = [number for number, scan in enumerate(scans, 1) if asked.scan in (None, str(number), scan.info.name)]
    for number in wanted:
        yield str(number), _identify(scans[number - 1], _source(place, scans, number), asked.path)
    if not wanted:
        yield f"#{asked.scan}", Rejected(place, asked.scan, f"{place} holds no scan '{asked.scan}'.")


def _go_on(should_stop: ShouldStop) -> None:
    if should_stop():
        raise CancelledError("Stopped.")


def _told(entry: Found, said: dict[str, str]) -> Found:
    return replace(entry, notes=() if "subject" in said else entry.notes, **said)  # type: ignore[arg-type]


def _source(place: str, scans: list[Scan], number: int) -> Source:
    if len(scans) == 1:
        return Source(place)
    name = scans[number - 1].info.name
    unique = sum(scan.info.name == name for scan in scans) == 1
    return Source(place, name if unique else str(number))


def _places(start: Path, should_stop: ShouldStop) -> Iterator[str]:
    if not start.exists():
        raise StudyError(f"{start} does not exist. Check the spelling, and that the disk is connected.")
    if start.is_file() or start.name.endswith(STUDY_ENDING):
        yield os.fspath(start)  # open_scan tells what can't be a source
        return
    try:
        yield from _walk(start, frozenset(), should_stop)
    except OSError as error:
        raise ReadError(describe_os_error(error, error.filename or start)) from error


def _walk(folder: Path, above: frozenset[str], should_stop: ShouldStop) -> Iterator[str]:
    """Give every path below a folder that `open_scan` should be given; links are followed, but never in a circle."""
    _go_on(should_stop)
    real = os.path.realpath(folder)
    if real in above or folder.name.endswith(STUDY_ENDING):
        return
    if looks_like_paravision(folder):
        # A scan without a reconstruction is told by open_scan, which is given the scan itself then.
        places = (place for _, place in reconstructions(folder))
        yield from (os.fspath(place if place.exists() else place.parents[1]) for place in places)
        return
    children = sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    files = [child for child in children if child.is_file()]
    dicom = any(_is_dicom(file) for file in files)
    if dicom or is_zarr(folder):
        yield os.fspath(folder)  # a Zarr store that can't be read is told by open_scan
    if is_zarr(folder):
        return
    yield from (os.fspath(file) for file in files if _opens_alone(file, dicom=dicom))
    for child in children:
        # Folders of DICOM files in a folder of DICOM files were read with it.
        if child.is_dir() and not (dicom and any(_is_dicom(file) for file in child.iterdir() if file.is_file())):
            yield from _walk(child, above | {real}, should_stop)


def _opens_alone(file: Path, *, dicom: bool) -> bool:
    return not (dicom and _is_dicom(file)) and not is_voxels_alone(file) and can_read(file)


def _is_dicom(file: Path) -> bool:
    if file.name == "DICOMDIR":
        return True
    try:
        found = format_of(file)
        return found is not None and found.name == "DICOM"
    except OSError:
        return False


def _identify(scan: Scan, source: Source, start: str) -> Found:
    # A scan in a group of a Zarr store lies deeper than the store, and the names of groups tell as folders do.
    inside = scan.info.source or ""
    inside = inside if inside.startswith(f"{source.path}{os.sep}") else source.path
    info, words = scan.info, _path_words(inside, start)
    said = next((match[1] for word in words if (match := _BIDS_SUBJECT.search(word))), None)
    session = next((match[1] for word in words if (match := _BIDS_SESSION.search(word))), None)
    notes = []
    subject = info.subject
    if not subject or subject.strip().lower() in _NOBODY:
        left = [left for word in words if (left := _without_roles(word))]
        subject = said or next(filter(_ANIMAL.search, left), (left or words)[0])
        notes.append(f"subject '{subject}' is from the name {source.path}, the header has none")
    # What protocols and folders say goes before what the geometry suggests, from which readers may make names, too.
    plane = plane_in([info.protocol, *words, info.name]) or info.plane or UNKNOWN
    if info.plane and info.plane != plane and plane_in([info.protocol]) is None:
        notes.append(f"plane '{plane}' is from the name {source.path}, by its geometry it is {info.plane}")
    region = info.region or region_in(words) or UNKNOWN
    place = tuple(sorted(filter(None, (_without(_GRADES, word).lower() for word in words[:-1]))))
    return Found(scan, source, subject, info.session or session, region, plane, tuple(notes), place, inside)


def _path_words(path: str, start: str) -> list[str]:
    """Names of the file and of the folders above it, innermost first, up to the one that was asked for."""
    place = Path(path)
    root = Path(start) if Path(start).is_dir() else Path(start).parent
    inside = place.relative_to(root).parts if place.is_relative_to(root) else (place.name,)
    names = [root.resolve().name, *inside]
    return [_without_ending(name) for name in reversed(names) if name] or [path]


def _without_ending(name: str) -> str:
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def _without_roles(name: str) -> str:
    """Take the words for the kind of scan, the plane and the region out of a name."""
    words = _without(_ROLES, name).split("_")
    return "_".join(w for w in words if not plane_in([w]) and not region_in([w]))


def _without(words: frozenset[str], name: str) -> str:
    return "_".join(word for word in re.split(r"[\s_.-]+", name) if word and word.lower() not in words)
