"""Where a run or a tuning goes: a new folder beside the study; without Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_micromri.errors import describe_os_error


@dataclass(frozen=True)
class NewFolder:
    """The folder that one kind of work needs.

    Parameters
    ----------
    what
        What goes there, as a person calls it.
    parent
        Name of the folder beside the study in which such folders are proposed.
    mark
        File by which one that is taken is known.
    instead
        What to do with one that is taken.
    """

    what: str
    parent: str
    mark: str
    instead: str

    def propose(self, study: Path, *parts: str) -> Path:
        """Name the first one that isn't there yet: ``runs/mice-quick-1``."""
        name = re.sub(r"[^\w.-]+", "-", study.name.removesuffix(".mri.zarr")).strip("-") or self.what
        beginning = "-".join([name, *parts])
        number, folder = 1, study.parent / self.parent
        while (folder / f"{beginning}-{number}").exists():
            number += 1
        return folder / f"{beginning}-{number}"

    def problem(self, text: str) -> str | None:
        """Say why it can't go into a folder; what only the disk knows is found out at the start."""
        if not text.strip():
            return f"Choose a folder for the {self.what}."
        try:
            path = Path(text.strip()).expanduser()
            taken, filled = (path / self.mark).exists(), path.is_dir() and any(path.iterdir())
        except OSError as error:
            return describe_os_error(error, text.strip())
        except RuntimeError:
            return f"There is no home folder for '{text.strip()}'."
        if not path.is_absolute():
            return f"Enter the full path of the {self.what}'s folder."
        if taken:
            return f"That folder already contains a {self.what}. Choose another, or {self.instead}."
        if filled:
            return "That folder contains other files. Choose a new one."
        if path.name.endswith(".zarr"):
            return f"The {self.what} needs a folder of its own, without the extension .zarr."
        return None


RUN = NewFolder("run", "runs", "config.json", "open that run in the tab Run")
TUNING = NewFolder("tuning", "tunings", "tune.json", "open that one above")
