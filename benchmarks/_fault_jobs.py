"""The jobs that `faults.py` disturbs: how each is begun and continued, and what it has to show for it.

An *outcome* is a text that is the same for the same pixels, weights, marks or rows; it names what can't be read.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tqdm

from napari_micromri.cli import main
from napari_micromri.errors import MicroMRIError
from napari_micromri.io import open_scan, save_scan
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.model import Assign, Exclude
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from collections.abc import Callable

tqdm.tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which killed processes leave behind

NOTHING = "nothing"
SLICES, SIZE = 6, 24
STUDY, KEY = "mice.mri.zarr", "mouse 1/trunk/coronal"
MARKS = 40
SMALL = ("network.features_main=2,3", "epochs=4", "batch_size=2", "device=cpu", "threads=1", "workers=0")
TRAIN = (STUDY, "run", *(word for setting in SMALL for word in ("--set", setting)), "--set", "checkpoint_minutes=0")


@dataclass(frozen=True)
class Job:
    """Something that a person starts in a folder.

    Parameters
    ----------
    begin, resume
        Work that a process does in its working folder; the second is what a person does after a fault.
    outcome
        Of the folder.
    resumable
        Whether the outcome may be in between after a fault, as long as it can be read. Otherwise it is all or nothing.
    """

    begin: Callable[[], int]
    resume: Callable[[], int]
    outcome: Callable[[Path], str]
    resumable: bool = False


@dataclass(frozen=True)
class Command:
    """A call of `micromri`, as its program makes it."""

    arguments: tuple[str, ...]

    def __call__(self) -> int:
        """Run it and give its exit code."""
        sys.argv = ["micromri", *self.arguments]
        return main()


def make_inputs() -> int:
    """Make the scans, the study and the table that the jobs need, in the working folder."""
    folder = Path()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(1, 4):
        lr, hr = _pair(rng, f"mouse {number}")
        names = [str(save_scan(scan, folder / f"{number}{what}.nii")) for scan, what in ((lr, "lr"), (hr, "hr"))]
        rows.append((f"mouse {number}", "trunk", "coronal", *(Path(name).name for name in names)))
    with (folder / "plan.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("subject", "region", "plane", "lr", "hr"), *rows])
    b_values = (0.0, 20.0, 50.0, 100.0, 400.0, 800.0)
    decay = np.exp(-1e-3 * np.array(b_values))[:, None, None, None]
    signal = 1000 * decay * rng.uniform(0.8, 1.2, (len(b_values), SLICES, SIZE, SIZE))
    info = ScanInfo(name="dwi", axes="bzyx", voxel_size=(0.6, 0.2, 0.2), b_values=b_values)
    save_scan(Scan(signal.astype(np.float32), info), folder / "dwi.ome.zarr")
    save_scan(open_scan(folder / "2lr.nii")[0], folder / "old.ome.zarr")
    Command(("study", "build", str(folder / "plan.csv"), str(folder / STUDY)))()
    study = Study.open(folder / STUDY)
    study.apply([Assign("mouse 2", "validation"), Assign("mouse 3", "test")])
    return 0


def _pair(rng: np.random.Generator, subject: str) -> tuple[Scan, Scan]:
    """Blobs that are other ones for each animal; LR is HR at half the resolution."""
    y, x = np.mgrid[-1 : 1 : 2j * SIZE, -1 : 1 : 2j * SIZE]
    places = rng.uniform(-0.5, 0.5, (8, 3))
    body = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (0.02 + 0.05 * abs(c))) for a, b, c in places)
    hr = 500 * body * np.linspace(0.8, 1.2, SLICES)[:, None, None] + rng.uniform(0, 60, (SLICES, 2 * SIZE, 2 * SIZE))
    info = ScanInfo(name="T2", axes="zyx", voxel_size=(0.6, 0.1, 0.1), subject=subject, plane="coronal")
    lr = hr.reshape(SLICES, SIZE, 2, SIZE, 2).mean((2, 4))
    return Scan(lr.astype(np.float32), info.resampled({"y": 0.5, "x": 0.5})), Scan(hr.astype(np.float32), info)


def mark() -> int:
    """Exclude slice after slice, back and forth, and tell of each mark once the study has it."""
    study = Study.open(STUDY)
    try:
        for number in range(MARKS):
            study.apply([Exclude(KEY, number % SLICES, "noise" if number // SLICES % 2 == 0 else "ghost")])
            print(number, flush=True)
    except MicroMRIError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def told_marks(folder: Path, told: str) -> list[str]:
    """Say which of the marks that the process told of aren't in the study."""
    numbers = [int(line) for line in told.splitlines() if line.isdecimal()]
    if not numbers:
        return []
    excluded = Study.open(folder / STUDY).pairs_by_key[KEY].marks.excluded
    wanted = {number % SLICES: "noise" if number // SLICES % 2 == 0 else "ghost" for number in numbers}
    coming = (numbers[-1] + 1) % SLICES  # made, but not told of any more
    return [f"slice {k} isn't {why}" for k, why in wanted.items() if k != coming and excluded.get(k) != why]


def _scan(name: str) -> Callable[[Path], str]:
    def outcome(folder: Path) -> str:
        if not (folder / name).exists():
            return NOTHING
        [scan] = open_scan(folder / name)
        return f"{scan.shape} {_hash(scan.read().tobytes())}"

    return outcome


def _maps(folder: Path) -> str:
    return ", ".join(f"{file.name} {_scan(file.name)(file.parent)}" for file in sorted(folder.glob("maps/*.nii.gz")))


def _many(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("results/*.ome.zarr"))
    return ", ".join(_scan(name)(folder / "results") for name in names)


def _study(folder: Path) -> str:
    from napari_micromri.study.check import check

    if not (folder / "new.mri.zarr").exists():
        return NOTHING
    study = Study.open(folder / "new.mri.zarr")
    found = check(study, pixels=True)
    broken = [f"{one.pair.key}: {finding.text}" for one in found.pairs for finding in one.findings if finding.error]
    if found.damaged or broken:
        raise MicroMRIError(f"damaged: {found.damaged or broken}")
    return str(sorted((key, pair.digest) for key, pair in study.pairs_by_key.items()))


def _marks(folder: Path) -> str:
    return str(sorted(Study.open(folder / STUDY).pairs_by_key[KEY].marks.excluded.items()))


def _run(folder: Path) -> str:
    from safetensors.numpy import load_file

    weights = [load_file(file) for file in sorted(folder.glob("run/[!.]*.safetensors"))]
    return _hash(b"".join(model[key].tobytes() for model in weights for key in sorted(model))) if weights else NOTHING


def _evaluation(folder: Path) -> str:
    table, summary = folder / "judged/evaluation.csv", folder / "judged/summary.json"
    if not (table.exists() and summary.exists() and (folder / "judged/report.html").exists()):
        return NOTHING
    json.loads(summary.read_bytes())
    return _hash(table.read_bytes())


def _tuning(folder: Path) -> str:
    from napari_micromri.tuning.storage import open_tuning

    if not (folder / "tuning").exists():
        return NOTHING
    with open_tuning(folder / "tuning") as tuning:
        done = [trial for trial in tuning.optuna.get_trials() if trial.state.name in ("COMPLETE", "PRUNED")]
    return f"{len(done)} trials in {len({trial.user_attrs['run'] for trial in done})} runs"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _again(outcome: Callable[[Path], str], *arguments: str, resumable: bool = False) -> Job:
    """Make a job whose command is given again after a fault."""
    return Job(Command(arguments), Command(arguments), outcome, resumable)


def resume_training() -> int:
    """Resume the run, or begin it where the fault came before there was one."""
    return Command(("resume", "run") if Path("run/config.json").exists() else ("train", *TRAIN))()


def resume_tuning() -> int:
    """Continue the tuning, or begin it where the fault came before there was one."""
    return Command(("tune-worker", "tuning"))() if Path("tuning/tune.json").exists() else tune()


def tune() -> int:
    """Search in this process: a worker that its starter would start."""
    from napari_micromri.training.config import make_config
    from napari_micromri.tuning.config import make_tune_config
    from napari_micromri.tuning.process import create_tuning

    base = make_config(None, None, SMALL)
    space = {"parameters": {"learning_rate": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True}}}
    content = {"name": "t", "study": str(Path(STUDY).resolve()), "trials": 3, "base": base.model_dump(), "space": space}
    create_tuning("tuning", make_tune_config(**content))
    return Command(("tune-worker", "tuning"))()


_CONVERT = ("convert", "1hr.nii", "out.ome.zarr")
_DENOISE = ("denoise", "1lr.nii", "out.ome.zarr")
_REPLACE = Command(("convert", "1hr.nii", "old.ome.zarr", "--overwrite"))

JOBS = {
    "convert": Job(Command(_CONVERT), Command((*_CONVERT, "--overwrite")), _scan("out.ome.zarr")),
    "replace a scan": Job(_REPLACE, _REPLACE, _scan("old.ome.zarr")),
    "denoise": Job(Command(_DENOISE), Command((*_DENOISE, "--overwrite")), _scan("out.ome.zarr")),
    "denoise many": _again(_many, "denoise", "1lr.nii", "2lr.nii", "3lr.nii", "--out", "results", resumable=True),
    "ivim": _again(_maps, "ivim", "dwi.ome.zarr", "maps", "--method", "lsq", resumable=True),
    "study build": _again(_study, "study", "build", "plan.csv", "new.mri.zarr", resumable=True),
    "marks": Job(mark, mark, _marks, resumable=True),
    "train": Job(Command(("train", *TRAIN)), resume_training, _run, resumable=True),
    "evaluate": _again(_evaluation, "evaluate", STUDY, "--split", "test", "--out", "judged"),
    "tune": Job(tune, resume_tuning, _tuning, resumable=True),
}
