"""Build a study from a plan, pair by pair; what is there already stays, so a killed build resumes where it was."""

from __future__ import annotations

import shutil
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from napari_micromri.errors import CancelledError, MicroMRIError, StudyError, describe_os_error
from napari_micromri.measure.noise import noise_of_each
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan
from napari_micromri.study.agreement import alignment, check_comparable, compare, stated_shift
from napari_micromri.study.matching import on_one_view
from napari_micromri.study.model import Pair, StudyImage
from napari_micromri.study.origins import Existing, check_unchanged, identity, identity_of, sources_of
from napari_micromri.study.plan import UNKNOWN, PlannedPair, Simulation
from napari_micromri.study.quality import measure_slices
from napari_micromri.study.store import UNFINISHED, Study
from napari_micromri.threads import one_by_one

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator
    from concurrent.futures import Future

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import ScanInfo
    from napari_micromri.study.plan import Plan

    _Prepared: TypeAlias = "tuple[Pair, Scan | None, Scan | None]"

AT_ONCE = 2
"""Pairs that are prepared at the same time: one alone leaves cores idle while Python itself is busy."""

SLICES = 32
"""Slices that are read together: one by one, finding each takes longer than reading it."""

_LOCK = ".build-lock"


class Failure(NamedTuple):
    """A planned pair that isn't in the study as planned, and why."""

    pair: PlannedPair
    reason: str


@dataclass(frozen=True)
class BuildResult:
    """What a build did: keys of pairs that were added and that were there already, and what failed."""

    added: tuple[str, ...] = ()
    already_there: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()


def build(
    plan: Plan,
    study_path: str | os.PathLike[str],
    *,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> BuildResult:
    """Add the pairs of a plan to a study, which is made when it isn't there.

    Each pair is read, compared, measured and added whole or not at all; three pairs at most are in memory. A pair that
    is there from the same sources is left alone. One whose sources have changed, or are others, isn't overwritten but
    reported, like a pair that can't be read; the others continue.

    Parameters
    ----------
    plan
        See `plan_from_folders`, `plan_from_csv` and `plan_simulated`.
    study_path
        ``NAME.mri.zarr``, new or built before.
    progress
        Counts slices.
    should_stop
        Asked every `SLICES` slices and before a pair is written; the pairs that are done stay.

    Raises
    ------
    StudyError
        The plan is empty; the path isn't a study, can't be written to or is being built by another program; the disk is
        full.
    CancelledError
        ``should_stop`` said so.
    """
    path = Path(study_path)
    if not plan.pairs:
        raise StudyError(f"There are no pairs to build {path} from.")
    _check_distinct(plan)
    from threadpoolctl import threadpool_limits

    study = Study.open(path) if path.exists() else Study.create(path)
    # Threads of BLAS would help with nothing here, and wait for one another on cores that are busy.
    with _alone(path), threadpool_limits(1, "blas"):
        study.reload()
        _remove_leftovers(path)
        there = Existing(study, plan)
        _note_plan(study, plan, there)
        return _add_all(study, plan, there, _Reader(plan, progress, should_stop))


def _check_distinct(plan: Plan) -> None:
    seen: dict[tuple[str, ...], PlannedPair] = {}
    for pair in plan.pairs:
        if (other := seen.setdefault(identity(pair), pair)) is not pair:
            raise StudyError(
                f"'{pair}' is planned twice, from {other.hr} and from {pair.hr}. Give one another region or session."
            )


@contextmanager
def _alone(study: Path) -> Iterator[None]:
    """Keep a second build of the same study away; marks can still be set."""
    from filelock import FileLock, Timeout

    lock = FileLock(study / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StudyError(f"{study} is being built by another program. Wait until it is done.") from error
    except OSError as error:
        raise StudyError(describe_os_error(error, study)) from error
    try:
        yield
    finally:
        lock.release()


def _add_all(study: Study, plan: Plan, there: Existing, reader: _Reader) -> BuildResult:
    added, already, failed = [], [], []
    with closing(_prepared(plan, there, reader)) as prepared:
        for planned, waiting in prepared:
            try:
                pair, lr, hr = waiting.result()
                if lr is None or hr is None:
                    already.append(pair.key)
                    continue
                reader.check()
                pair = replace(pair, key=study.free_key(planned.subject, planned.region, planned.plane))
            except CancelledError:
                raise
            except MicroMRIError as error:
                failed.append(Failure(planned, str(error)))
            except OSError as error:
                failed.append(Failure(planned, describe_os_error(error, planned.hr.path)))
            else:
                # Outside of the try: what a full disk refuses now, it would refuse every pair after this one.
                added.append(study.add_pair(pair, lr, hr).key)
            finally:
                reader.finish(planned)
    return BuildResult(tuple(added), tuple(already), tuple(failed))


def _prepared(plan: Plan, there: Existing, reader: _Reader) -> Generator[tuple[PlannedPair, Future[_Prepared]]]:
    """Prepare pairs in threads, the next ones while one is written. When it is closed, it stops them."""
    waiting: deque[Any] = deque()
    with ThreadPoolExecutor(AT_ONCE, initializer=one_by_one) as pool, reader:
        for planned in plan.pairs:
            waiting.append((planned, pool.submit(_prepare, planned, there, reader)))
            if len(waiting) > AT_ONCE:
                yield waiting.popleft()
        yield from waiting


def _remove_leftovers(study: Path) -> None:
    """Remove what a killed build was writing; nobody else builds now."""
    for folder in study.glob(f"{UNFINISHED}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _note_plan(study: Study, plan: Plan, there: Existing) -> None:
    """Add the plan to what the study is to have, so that `check` can tell what is missing."""
    known = {identity_of(entry): entry for entry in study.planned}
    wanted = {
        identity(pair): {
            "subject": pair.subject,
            "region": pair.region,
            "plane": pair.plane,
            "session": pair.session,
            "lr": str(pair.lr),
            "hr": str(pair.hr),
        }
        for pair in plan.pairs
        if not there.renamed(pair)
    }
    if any(known.get(key) != entry for key, entry in wanted.items()):
        study.set_planned(list((known | wanted).values()))


class _Reader:
    """Reads scans into memory for several threads, tells how far it is, and stops when asked or left."""

    def __init__(self, plan: Plan, progress: Progress, should_stop: ShouldStop) -> None:
        self._progress, self._should_stop = progress, should_stop
        self._read: Counter[tuple[str, ...]] = Counter()
        self._total = sum(2 * pair.slice_count for pair in plan.pairs)
        self._lock, self._left = Lock(), False

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._left = True

    def check(self) -> None:
        if self._left or self._should_stop():
            raise CancelledError("The build was stopped; the pairs that were done are in the study.")

    def read(self, scan: Scan, planned: PlannedPair) -> Scan:
        data = np.empty(scan.shape, scan.dtype)
        for start in range(0, len(data), SLICES):
            self.check()
            part = data[start : start + SLICES]
            part[:] = scan.read(slice(start, start + SLICES), here=True)
            self._tell(planned, self._read[identity(planned)] + len(part))
        return Scan(data, scan.info)

    def finish(self, planned: PlannedPair) -> None:
        self._tell(planned, 2 * planned.slice_count)

    def _tell(self, planned: PlannedPair, slices: int) -> None:
        with self._lock:
            self._read[identity(planned)] = min(slices, 2 * planned.slice_count)
            self._progress(self._read.total(), self._total)


def _prepare(planned: PlannedPair, there: Existing, reader: _Reader) -> _Prepared:
    """Read, compare and measure a pair, or give the one that is there already, without its scans."""
    sources = sources_of(planned)
    if (old := there.find(planned, sources)) is not None:
        check_unchanged(old, sources)
        return old, None, None
    hr = planned.hr.open()
    if isinstance(planned.lr, Simulation):
        check_comparable(hr, hr)
        hr = _magnitudes(reader.read(hr, planned), "HR")
        lr = reader.read(planned.lr.apply(hr), planned)
    else:
        lr, hr = on_one_view(planned.lr.open(), hr)
        check_comparable(lr, hr)
        lr, hr = _magnitudes(reader.read(lr, planned), "LR"), _magnitudes(reader.read(hr, planned), "HR")
    noise = noise_of_each(lr.data), noise_of_each(hr.data)
    report = compare(lr, hr, noise)
    lr, hr = (Scan(scan.data, _told(scan.info, planned)) for scan in (lr, hr))
    pair = Pair(
        key="",
        subject=planned.subject,
        region=planned.region,
        plane=planned.plane,
        session=planned.session,
        lr=_image(lr),
        hr=_image(hr),
        shift=alignment(report, lr.info.voxel_size, stated_shift(lr, hr)),
        report=report,
        quality=measure_slices(lr.data, hr.data, noise),
        sources=sources,
        digest="",
    )
    return pair, lr, hr


def _magnitudes(scan: Scan, what: str) -> Scan:
    """Take an offset out of a scan, since networks learn from magnitudes.

    Raises
    ------
    StudyError
        The scan shows no magnitudes.
    """
    from napari_micromri.inference.domain import domain_of

    domain = domain_of(scan)
    if domain.problem is not None:
        raise StudyError(f"{what}: {domain.problem} A pair is made of magnitude images.")
    if not domain.offset:
        return scan
    data = (scan.read() - np.float64(domain.offset)).astype(np.float32)
    return Scan(data, scan.info.with_step({"step": "offset", "taken_out": domain.offset}))


def _image(scan: Scan) -> StudyImage:
    slices, rows, columns = scan.shape
    return StudyImage((slices, rows, columns), str(scan.dtype), scan.info)


def _told(info: ScanInfo, planned: PlannedPair) -> ScanInfo:
    """Let the scan say of itself what the plan says of the pair."""
    return replace(
        info,
        subject=planned.subject,
        region=info.region if planned.region == UNKNOWN else planned.region,
        plane=info.plane if planned.plane == UNKNOWN else planned.plane,
        session=planned.session or info.session,
    )
