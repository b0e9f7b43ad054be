"""What the commands share: progress bars, choosing a scan, checking an output, JSON."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_micromri.errors import InputError, WriteError
from napari_micromri.io.formats import SAVED_ENDINGS, is_zarr, names_of_formats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_micromri.progress import Progress
    from napari_micromri.scan import Scan

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

INPUT_HELP = f"scan to read: {names_of_formats()}"


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add IN and what it may leave unsaid."""
    parser.add_argument("input", metavar="IN", help=INPUT_HELP)
    add_voxel_size(parser)


def add_voxel_size(parser: argparse.ArgumentParser) -> None:
    """Add what a file may leave unsaid."""
    parser.add_argument(
        "--voxel-size", type=_millimetres, metavar="Z,Y,X", help="in mm, instead of what the file says (e.g. a TIFF)"
    )


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add IN and the choice of one of its scans."""
    add_source(parser)
    add_scan(parser)


def add_scan(parser: argparse.ArgumentParser) -> None:
    """Add the choice of one scan of several."""
    parser.add_argument("--scan", metavar="NAME", help="which scan, by name or by its number in 'micromri info IN'")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add OUT and what to do when it is there."""
    parser.add_argument("output", metavar="OUT", help=f"file to write, with the extension {', '.join(SAVED_ENDINGS)}")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")


def _millimetres(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a voxel size such as 0.6,0.1,0.1") from None


def first_given(options: argparse.Namespace, defaults: Mapping[str, Any]) -> str | None:
    """Name the first of some options that was given another value than its default, as it is typed."""
    given = (name for name, default in defaults.items() if getattr(options, name) != default)
    return next((f"--{name.replace('_', '-')}" for name in given), None)


def open_one(options: argparse.Namespace) -> Scan:
    """Open the scan of IN that ``--scan`` names, or the only one."""
    from napari_micromri.io import open_scan

    return choose_scan(open_scan(options.input, voxel_size=options.voxel_size), options.scan, options.input)


def choose_scan(scans: Sequence[Scan], wanted: str | None, path: str) -> Scan:
    """Choose by name, else by number counted from 1."""
    if wanted is None:
        if len(scans) == 1:
            return scans[0]
        raise InputError(f"{path} holds {len(scans)} scans. Choose one with --scan: {_numbered(scans)}.")
    named = [scan for scan in scans if scan.info.name == wanted]
    if len(named) == 1:
        return named[0]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(scans):
        return scans[int(wanted) - 1]
    raise InputError(f"{path} has no scan '{wanted}', but {_numbered(scans)}.")


def _numbered(scans: Sequence[Scan]) -> str:
    shown = ", ".join(f"{k} '{scan.info.name}'" for k, scan in enumerate(scans[:20], 1))
    return shown if len(scans) <= 20 else f"{shown} and {len(scans) - 20} more"


def check_output(output: str, source: str, *, overwrite: bool) -> Path:
    """Refuse an output that can't be meant, before any work is done.

    Raises
    ------
    WriteError
        The file extension is unknown; the output exists, is the input or holds it, or is a folder but not a Zarr store.
    """
    path = Path(output)
    if path.resolve() in (Path(source).resolve(), *Path(source).resolve().parents) and path.exists():
        raise WriteError(f"{output} is or holds the input. Choose another name for the output.")
    if path.is_dir() and not is_zarr(path):
        raise WriteError(f"{output} is a folder. Name a file in it, for example {path / 'result.ome.zarr'}.")
    if not path.name.lower().endswith(SAVED_ENDINGS):
        raise WriteError(f"{output} has no known file extension. Use {', '.join(SAVED_ENDINGS)}.")
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise WriteError(f"{output} already exists. Choose another name, or replace it with --overwrite.")
    return path


@contextmanager
def progress_bar(label: str, unit: str = "slice") -> Iterator[Progress]:
    """Give a progress callback that draws a bar on standard error when that is a terminal."""
    from tqdm import tqdm

    with tqdm(desc=label, unit=unit, file=sys.stderr, disable=None, leave=False) as bar:

        def show(done: int, total: int, /) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def print_json(value: Any) -> None:
    """Print ``value`` as the only thing on standard output."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not unicode, allow_nan=False))
