"""What the tab "Many scans" decides, without Qt: what can be clicked, what it says, what stands in its table."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError
from napari_micromri.inference.many.job import Many, ManyReader, ScanDone, ScanRefused, prepare_many
from napari_micromri.inference.many.request import ManyRequest
from napari_micromri.runs.process import start_job
from napari_micromri.runs.words import duration
from napari_micromri.study.plan import Source
from napari_micromri.widgets.shared.places import place
from napari_micromri.words import what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.progress import Progress, ShouldStop

LOG_LINES = 8


@dataclass(frozen=True)
class JobView:
    """The job as it was when it was read; ``stopping`` when it was asked to stop and hasn't answered yet."""

    job: Many
    stopping: bool = False
    log: str = ""


class ManyLook:
    """Reads the job of a folder again and again; made for a thread."""

    def __init__(self, path: Path) -> None:
        self._reader = ManyReader(path)
        self._folder = Many.folder_of(path)

    def __call__(self) -> JobView | None:
        """Read it; None when the folder holds no such job, or doesn't exist.

        Raises
        ------
        JobError
            The folder can't be read.
        """
        if not self._folder.exists:
            return None
        job = self._reader.read()
        wrong = job.state in ("failed", "died")
        return JobView(job, job.live and self._folder.stop.exists(), job.log_tail(LOG_LINES) if wrong else "")


@dataclass(frozen=True)
class ManyState:
    """What buttons and hint depend on.

    Parameters
    ----------
    inputs
        Number of files and folders in the list.
    has_folder
        A folder for the results is chosen.
    starting
        A process is about to start.
    """

    inputs: int
    has_folder: bool
    has_model: bool = True
    starting: bool = False
    snapshot: JobView | None = None

    @property
    def live(self) -> bool:
        """A process is running."""
        return self.snapshot is not None and self.snapshot.job.live

    @property
    def can_start(self) -> bool:
        """The work can begin or continue."""
        return self.inputs > 0 and self.has_folder and self.has_model and not self.live and not self.starting

    @property
    def can_stop(self) -> bool:
        """There is work to stop."""
        return self.live and self.snapshot is not None and not self.snapshot.stopping

    @property
    def start_label(self) -> str:
        """Say what the button does: what the folder holds already isn't made again."""
        return "Resume" if self.snapshot is not None and self.snapshot.job.resumable else "Denoise all"

    @property
    def hint(self) -> str:
        """Say what to do next."""
        if self.live:
            return "The work continues when you close this dock or napari. Open the same folder to see it again."
        if self.inputs == 0:
            return "Add folders, files, studies or tables of scans, or drop them here."
        if not self.has_model:
            return "Choose a model file with the … button beside Model."
        if not self.has_folder:
            return "Choose a folder for the results."
        return "Scans that are already in the folder aren't denoised again."


def make_request(inputs: Sequence[str], model: str, **fields: Any) -> ManyRequest:
    """Make the settings of the job.

    Raises
    ------
    InputError
        A field makes no sense.
    """
    from pydantic import ValidationError

    try:
        return ManyRequest(inputs=tuple(inputs), model=model, **fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{first['loc'][0]}: {what_is_wrong(first)}.") from error


def start(
    request: ManyRequest, folder: Path, overwrite: bool, _progress: Progress, _should_stop: ShouldStop, /
) -> None:
    """Make or reopen the job, and start its process; made for a thread."""
    start_job(prepare_many(request, folder, overwrite=overwrite))


def describe(snapshot: JobView) -> str:
    """Say how the work stands, in a sentence or two."""
    job = snapshot.job
    if snapshot.stopping:
        return "Stopping after the current slice…"
    if job.live:
        left = f" About {duration(job.seconds_left)} left." if job.seconds_left is not None else ""
        return f"{count(job)}. {job.message}{left}"
    return "\n".join(filter(None, [job.message, snapshot.log]))


COLUMNS = (
    ("Scan", "What was denoised. Double-click to open the result."),
    ("SNR", "Measured on the fast scan."),
    ("Verdict", "Whether the result fits the scan, or why it was left out."),
    ("Time", "Time to denoise it. Empty if it was denoised before."),
)


def cells(scan: ScanDone | ScanRefused) -> tuple[str, str, str, str]:
    """Write the line of a scan."""
    if isinstance(scan, ScanRefused):
        return scan.source, "", f"Left out: {scan.reason}", ""
    figures = (f"{scan.snr:.1f}" if math.isfinite(scan.snr) else "", duration(scan.seconds))
    return scan.source, figures[0], scan.verdict, figures[1] if math.isfinite(scan.seconds) else ""


def names_of(sources: Sequence[str]) -> list[str]:
    """Name scans as shortly as tells them apart: of those of one name, and of ParaVision's numbers, the folder too."""
    found = [Source.parse(source) for source in sources]
    names = Counter(map(place, found))
    return [place(one, folder=names[place(one)] > 1 or Path(one.path).parent.name == "pdata") for one in found]


def count(job: Many) -> str:
    """Count the scans that are done and those that were left out."""
    refused = sum(isinstance(scan, ScanRefused) for scan in job.scans.values())
    done = len(job.scans) - refused
    return f"{done} denoised" + (f", {refused} left out" if refused else "")
