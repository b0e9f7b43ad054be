"""What is lost when work is disturbed: processes killed, interrupted, or on a full disk, at random moments.

Each try begins a job in a fresh folder, disturbs it, looks at what lies there, then continues as a person would and
compares the outcome with that of a job left in peace. Nothing may be damaged, nothing that was told of may be lost,
nothing may be left over, and what the program says must be one sentence. The random moments follow from the seed.

    python benchmarks/faults.py                              # some five minutes
    python benchmarks/faults.py --tries 30 --jobs train marks --faults kill

Full disks are small file systems in memory: they need Linux, and a system that lets a user mount them for himself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _fault_jobs import JOBS, NOTHING, make_inputs, told_marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAULTS = ("kill", "interrupt", "full disk")
EXPECTED = {"kill": {-signal.SIGKILL, 0}, "interrupt": {130, 0}, "full disk": {2, 1, 0}}
DISK_MB = 64
PATIENCE = 120.0
SEED = 0
_LEFT = re.compile(r"\.(partial|old)-|\.reserve$")
_PRELOADED = [
    "_fault_jobs",
    "napari_micromri.cli.program",
    "napari_micromri.inference.many.task",
    "napari_micromri.inference.trust",
    "napari_micromri.io.paravision",
    "napari_micromri.io.zarr_reader",
    "napari_micromri.io.zarr_writer",
    "napari_micromri.ivim.methods",
    "napari_micromri.measure.evaluation.command",
    "napari_micromri.training.engine.loop",
    "napari_micromri.tuning.worker",
    *("dask.array", "nibabel", "optuna", "pydicom", "scipy.ndimage", "scipy.optimize", "skimage.metrics", "tqdm"),
]
"""Imported once, so that the moments fall into the work and not into the start."""


@dataclass(frozen=True)
class Done:
    """A job's process after its end; ``seconds`` of its work."""

    code: int
    seconds: float
    output: str
    errors: str


class Place:
    """A folder to work in on a file system of its own, which can be filled, and processes in it."""

    def __init__(self, inputs: Path, disk: Path, logs: Path) -> None:
        self.inputs, self.disk, self.logs = inputs, disk, logs
        self.work, self.filler = disk / "work", disk / "filler"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)

    def renew(self) -> None:
        """Begin with nothing but the inputs."""
        self.free()
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.inputs, self.work)

    def fill(self, room: int) -> None:
        """Leave so many bytes free."""
        found = os.statvfs(self.disk)
        with self.filler.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(1, found.f_bavail * found.f_frsize - room))

    def free(self) -> None:
        """Make room again."""
        self.filler.unlink(missing_ok=True)

    @property
    def used(self) -> int:
        """Bytes on the disk."""
        found = os.statvfs(self.disk)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def run(
        self, work: Callable[[], int], number: int | None = None, after: float = 0.0, folder: Path | None = None
    ) -> Done:
        """Run in a process of its own, and send it a signal some seconds after its work began."""
        ready, ours = self._context.Pipe(duplex=False)[::-1]
        process = self._context.Process(target=_inside, args=(work, folder or self.work, self.logs, ready))
        process.start()
        ready.close()
        ours.recv()
        began = time.perf_counter()
        if number is not None:
            process.join(after)
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)
        process.join(PATIENCE)
        code, seconds = process.exitcode, time.perf_counter() - began
        if code is None:
            process.kill()
            process.join()
        texts = [(self.logs / name).read_text(errors="replace") for name in ("output", "errors")]
        return Done(-1000 if code is None else code, seconds, *texts)


def _inside(work: Callable[[], int], folder: Path, logs: Path, ready: Any) -> None:
    for number, name in ((1, "output"), (2, "errors")):
        os.dup2(os.open(logs / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(folder)
    ready.send("begun")
    os._exit(_code_of(work))  # as a program ends whose threads are done, but without multiprocessing's own clearing up


def _code_of(work: Callable[[], int]) -> int:
    try:
        return int(work())
    except SystemExit as ending:
        return int(ending.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


class _Look:
    """Prints the outcome of a folder; a class, since it goes to another process."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> int:
        print(JOBS[self.name].outcome(Path()))
        return 0


class _Told:
    def __init__(self, told: str) -> None:
        self.told = told

    def __call__(self) -> int:
        print("\n".join(told_marks(Path(), self.told)))
        return 0


class Disturbed:
    """One kind of job, first left in peace, then disturbed again and again."""

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place, self.job = name, place, JOBS[name]
        place.renew()
        self.before, used = self._outcome(), place.used
        self.peaceful = place.run(self.job.begin)
        self.after, self.need = self._outcome(), place.used - used
        if self.peaceful.code != 0:
            raise SystemExit(f"{name} fails when it is left in peace: {self.peaceful.errors}")

    def try_once(self, fault: str, chance: random.Random) -> list[str]:
        """Disturb it once, and say what is wrong then."""
        self.place.renew()
        if fault == "full disk":
            self.place.fill(int(chance.uniform(0, 1.2) * self.need))
            done = self.place.run(self.job.begin)
        else:
            number = signal.SIGKILL if fault == "kill" else signal.SIGINT
            done = self.place.run(self.job.begin, number, chance.random() * self.peaceful.seconds)
        wrong = [*_said(fault, done)]
        self.place.free()
        found = self._outcome()
        allowed = found.startswith("!") is False if self.job.resumable else found in (self.before, self.after)
        if not allowed:
            wrong.append(f"left {found}, which is neither the old nor the new")
        if self.name == "marks":
            wrong += self.place.run(_Told(done.output)).output.strip().splitlines()
        again = self.place.run(self.job.resume) if found != self.after else None
        if again is not None and again.code != 0:
            wrong.append(f"can't be continued ({again.code}): {again.errors.strip()[-300:]}")
        elif (end := self._outcome()) != self.after:
            wrong.append(f"ends otherwise: {end} instead of {self.after}")
        left = [
            str(path.relative_to(self.place.work)) for path in self.place.work.rglob("*") if _LEFT.search(path.name)
        ]
        return wrong + [f"left over: {name}" for name in left]

    def _outcome(self) -> str:
        done = self.place.run(_Look(self.name))
        return done.output.strip() or NOTHING if done.code == 0 else f"! {done.errors.strip().splitlines()[-1]}"


def _said(fault: str, done: Done) -> list[str]:
    """Say what is wrong with how a disturbed process ended and what it told."""
    if done.code == -1000:
        return [f"didn't end within {PATIENCE:.0f} s"]
    wrong = []
    if done.code not in EXPECTED[fault]:
        wrong.append(f"ended with {done.code}: {done.errors.strip()[-300:]}")
    if "Traceback" in done.errors or "unexpected" in done.errors:
        wrong.append(f"told of the inside: {done.errors.strip()[-300:]}")
    if fault == "full disk" and done.code != 0 and "full" not in done.output + done.errors:
        wrong.append(f"didn't say that the disk is full: {done.errors.strip()[-300:]}")
    return wrong


def _in_own_namespace() -> bool:
    """Start this program again where it may mount file systems for itself; False where the system doesn't let it."""
    if sys.platform != "linux" or "MICROMRI_FAULTS" in os.environ:
        return "MICROMRI_FAULTS" in os.environ
    own = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], check=False).returncode != 0:
        return False
    os.execvpe("unshare", [*own, sys.executable, *sys.argv], os.environ | {"MICROMRI_FAULTS": "1"})  # noqa: S606, S607


def main() -> None:
    """Disturb all jobs in all ways and print a table; the exit code is 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=6, help="of each fault on each job")
    parser.add_argument("--jobs", nargs="+", choices=tuple(JOBS), default=list(JOBS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    full = _in_own_namespace()
    faults = [fault for fault in options.faults if full or fault != "full disk"]
    with tempfile.TemporaryDirectory() as folder:
        bad = _table(Path(folder), options, faults, full)
    if not full:
        print("Full disks were not tried: this system mounts none for a user.")
    sys.exit(1 if bad else 0)


def _table(folder: Path, options: argparse.Namespace, faults: list[str], full: bool) -> int:
    inputs, disk, logs = (folder / name for name in ("inputs", "disk", "logs"))
    for path in (inputs, disk, logs):
        path.mkdir()
    with _small_disk(disk) if full else nullcontext():
        place = Place(inputs, disk, logs)
        place.run(make_inputs, folder=inputs)
        print(f"{'job':<16}{'seconds':>8}" + "".join(f"{fault:>14}" for fault in faults) + "  (failed / tries)")
        return sum(_row(Disturbed(name, place), options, faults) for name in options.jobs)


def _row(job: Disturbed, options: argparse.Namespace, faults: list[str]) -> int:
    bad, told, cells = 0, [], f"{job.name:<16}{job.peaceful.seconds:>8.2f}"
    for fault in faults:
        chance = random.Random(f"{options.seed} {job.name} {fault}")  # noqa: S311 (no secret)
        wrong = [found for _ in range(options.tries) if (found := job.try_once(fault, chance))]
        cells += f"{f'{len(wrong)} / {options.tries}':>14}"
        told += [f"  {fault}: {text}" for found in wrong for text in found]
        bad += len(wrong)
    print("\n".join([cells, *dict.fromkeys(told)]), flush=True)
    return bad


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", folder], check=True)  # noqa: S607
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607


if __name__ == "__main__":
    main()
