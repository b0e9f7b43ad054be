"""What the window "New study" decides: find a plan, edit it, say what it holds; without Qt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import CancelledError, StudyError
from napari_micromri.study.plan import Plan, Simulation
from napari_micromri.widgets.shared.places import place

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.build import BuildResult
    from napari_micromri.study.plan import PlannedPair

FIELDS = ("subject", "region", "plane")
ENDING = ".mri.zarr"


def find_plan(
    sources: Sequence[Path], simulation: Simulation | None, progress: Progress, should_stop: ShouldStop
) -> Plan:
    """Look for pairs in folders, files and CSV tables; with ``simulation`` each good scan becomes a pair.

    Raises
    ------
    StudyError
        A table or path is wrong, or tables are mixed with simulation.
    CancelledError
        The person asked to stop.
    """
    from napari_micromri.study.pairing import plan_from_folders
    from napari_micromri.study.simulated import plan_simulated
    from napari_micromri.study.table import plan_from_csv

    tables = [path for path in sources if path.suffix.lower() == ".csv"]
    scans = [path for path in sources if path not in tables]
    if tables and simulation is not None:
        raise StudyError(f"{tables[0].name} already names fast scans. Remove it, or find pairs instead.")
    plans = []
    for done, table in enumerate(tables):
        progress(done, len(sources))
        plans.append(plan_from_csv(table))
        if should_stop():
            raise CancelledError("The search for pairs was stopped.")
    if scans:
        progress(len(tables), len(sources))
        plans.append(plan_from_folders(scans) if simulation is None else plan_simulated(scans, simulation))
    return Plan(
        tuple(pair for plan in plans for pair in plan.pairs), tuple(entry for plan in plans for entry in plan.rejected)
    )


def edited(plan: Plan, number: int, field: str, text: str) -> Plan:
    """Change subject, region or plane of one planned pair; an empty text changes nothing."""
    if field not in FIELDS or not text.strip():
        return plan
    pairs = list(plan.pairs)
    pairs[number] = replace(pairs[number], **{field: text.strip()})  # type: ignore[arg-type]
    return replace(plan, pairs=tuple(pairs))


def without(plan: Plan, numbers: Collection[int]) -> Plan:
    """Leave out some of the planned pairs."""
    return replace(plan, pairs=tuple(pair for k, pair in enumerate(plan.pairs) if k not in numbers))


def repeated(plan: Plan) -> frozenset[int]:
    """List the planned pairs that share subject, region, plane and session with another."""
    counts = Counter(pair.identity for pair in plan.pairs)
    return frozenset(k for k, pair in enumerate(plan.pairs) if counts[pair.identity] > 1)


def no_fast_scans(plan: Plan) -> bool:
    """Tell whether there may be good scans only: scans were found, but no two that belong together."""
    return not plan.pairs and bool(plan.rejected)


def plan_sentence(plan: Plan) -> str:
    """Say what a plan holds and whether it can be built."""
    count, left_out = len(plan.pairs), len(plan.rejected)
    subjects = len({pair.subject for pair in plan.pairs})
    text = f"{count} pair{'s' * (count != 1)} of {subjects} subject{'s' * (subjects != 1)}"
    if not count:
        text = "No pairs were found"
    if left_out:
        text += f"; {left_out} scan{'s' * (left_out != 1)} left out (reasons below)"
    if repeated(plan):
        text += ". Pairs in red share their names: double-click a name to change it"
    elif count:
        text += ". Double-click a name to change it"
    return f"{text}."


def sources_text(pair: PlannedPair) -> str:
    """Say where both scans of a planned pair come from."""
    lr = str(pair.lr) if isinstance(pair.lr, Simulation) else place(pair.lr)
    return f"{lr} / {place(pair.hr)}"


def study_path(text: str) -> Path | None:
    """Turn what was typed as the study's place into a path with the right ending; None for nothing."""
    text = text.strip()
    if not text:
        return None
    path = Path(text).expanduser()
    return path if path.name.endswith(ENDING) else path.with_name(path.name + ENDING)


def build_sentence(result: BuildResult) -> str:
    """Say what became of a plan."""
    added, there, failed = len(result.added), len(result.already_there), len(result.failed)
    parts = [f"{added} pair{'s' * (added != 1)} built"]
    if there:
        parts.append(f"{there} already there")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts) + "."
