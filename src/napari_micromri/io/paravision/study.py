"""Find the reconstructions below a path of a ParaVision study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.errors import InputError, ReadError, describe_os_error
from napari_micromri.io.naming import with_unique_names
from napari_micromri.io.paravision.reconstruction import read_reconstruction
from napari_micromri.io.telling import with_warnings

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.scan import Scan


def looks_like_paravision(folder: Path) -> bool:
    """Tell whether a folder is a study, a scan, ``pdata`` or a reconstruction."""
    if _is_reconstruction(folder) or folder.name == "pdata" or _is_scan(folder):
        return True
    return any(_is_scan(child) for child in _numbered(folder))


def read_paravision(path: Path) -> list[Scan]:
    """Open all scans below a study folder, a scan folder, ``pdata``, a reconstruction folder or a ``2dseq`` file.

    They come sorted by scan and reconstruction number; the number is added to names that would occur twice. What can't
    be opened is left out, and one warning says what and why.

    Raises
    ------
    ReadError
        Nothing is left; the message says why.
    """
    found = reconstructions(path if path.is_dir() else path.parent)
    scans: list[Scan] = []
    labels: list[str] = []
    problems: list[str] = []
    for label, folder in found:
        try:
            opened = read_reconstruction(folder)
        except (ReadError, InputError) as error:
            problems.append(f"scan {label}: {error}")
        except OSError as error:
            problems.append(f"scan {label}: {describe_os_error(error, folder)}")
        else:
            scans += opened
            labels += [label if len(opened) == 1 else f"{label}, package {k + 1}" for k in range(len(opened))]
    if not scans:
        raise ReadError(_none_left(path, problems))
    left_out = f"{len(problems)} of {len(found)} scans in {path} were left out: {' '.join(problems)}"
    return with_warnings(with_unique_names(scans, labels), [left_out] if problems else [])


def _none_left(path: Path, problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0].partition(": ")[2]
    if problems:
        return f"None of the {len(problems)} scans in {path} can be opened; {problems[0]}"
    return f"{path} has no reconstructed images (pdata). Reconstruct the scan in ParaVision, or copy it in full."


def reconstructions(folder: Path) -> list[tuple[str, Path]]:
    """List label and folder of all reconstructions at or below a folder; a scan without any is listed as its first."""
    if _is_reconstruction(folder):
        return [(_label(folder), folder)]
    if folder.name == "pdata":
        return [(_label(child), child) for child in _numbered(folder)]
    if _is_scan(folder):
        inside = _numbered(folder / "pdata") if (folder / "pdata").is_dir() else []
        return [(_label(child), child) for child in inside] or [(folder.name, folder / "pdata" / "1")]
    return [entry for child in _numbered(folder) if _is_scan(child) for entry in reconstructions(child)]


def _label(reconstruction: Path) -> str:
    """Scan number, and the number of the reconstruction when it isn't the first."""
    scan = reconstruction.parent.parent.name if reconstruction.parent.name == "pdata" else reconstruction.name
    return scan if reconstruction.name == "1" else f"{scan}, reconstruction {reconstruction.name}"


def _is_reconstruction(folder: Path) -> bool:
    return (folder / "2dseq").is_file() or ((folder / "visu_pars").is_file() and (folder / "reco").is_file())


def _is_scan(folder: Path) -> bool:
    return (folder / "pdata").is_dir() or ((folder / "acqp").is_file() and (folder / "method").is_file())


def _numbered(folder: Path) -> list[Path]:
    children = [c for c in folder.iterdir() if c.name.isascii() and c.name.isdigit() and c.is_dir()]
    return sorted(children, key=lambda child: int(child.name))
