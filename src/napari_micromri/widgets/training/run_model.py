"""What the tab "Run" says of a run and what can be clicked, without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.runs.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.runs.reading import State
    from napari_micromri.training.run import Run
    from napari_micromri.widgets.training.watching import WatchedRun

STATE_WORDS: Mapping[State, str] = {
    "starting": "Starting",
    "running": "Running",
    "stopped": "Stopped",
    "failed": "Failed",
    "died": "Died",
    "done": "Done",
}
COLOURS: Mapping[State, str] = {
    "starting": "#8da0cb",
    "running": "#6db3f2",
    "stopped": "#e0a33a",
    "failed": "#ff6b6b",
    "died": "#ff6b6b",
    "done": "#66c2a5",
}
PER_MILLE = 1000


@dataclass(frozen=True)
class RunStatus:
    """What is shown of a run.

    ``whole`` and ``epoch`` are how much of all epochs and of the present one is done, in thousandths; ``epoch`` is
    None when none is under way.
    """

    title: str
    colour: str
    sentence: str
    whole: int
    epoch: int | None
    where: str
    figures: str
    log: str
    can_stop: bool
    can_kill: bool
    can_resume: bool
    can_use: bool


def describe_run(snapshot: WatchedRun) -> RunStatus:
    """Say how a run stands."""
    run, stopping = snapshot.run, snapshot.stopping
    return RunStatus(
        title="Stopping after this batch…" if stopping else STATE_WORDS[run.state],
        colour=COLOURS["stopped" if stopping else run.state],
        sentence=_sentence(run),
        whole=round(PER_MILLE * run.fraction),
        epoch=_epoch_part(run),
        where=_where(run),
        figures=figures(run),
        log=snapshot.log,
        can_stop=run.live and not stopping,
        can_kill=stopping and run.presence is not None and run.presence.here,
        can_resume=run.resumable,
        can_use=run.model is not None,
    )


def _sentence(run: Run) -> str:
    if run.state == "starting":
        return "The process is starting; the first batch takes some seconds."
    if run.state != "running":
        return run.message.partition(" The last line of its log:")[0]
    at, done = run.batch, len(run.epochs)
    parts = [f"Epoch {min(done + 1, run.planned)} of {run.planned}"]
    if at is not None and at.epoch > done:
        parts.append(f"batch {at.batch} of {at.batches}" if at.batch < at.batches else "judging")
    if run.seconds_left is not None:
        parts.append(f"{duration(run.seconds_left)} left")
    return ", ".join(parts)


def _epoch_part(run: Run) -> int | None:
    at = run.batch
    return round(PER_MILLE * at.batch / at.batches) if run.live and at is not None else None


def _where(run: Run) -> str:
    began = run.began
    if began is None:
        return ""
    at = run.presence
    elsewhere = f" on {at.host}" if at is not None and not at.here else ""
    together = f", {began.processes} processes" if began.processes > 1 else ""
    return (
        f"{began.train_slices} slices to learn from, {began.validation_slices} to judge by; "
        f"{began.parameters / 1e6:.2f} million weights; {began.device}, {began.precision}{together}{elsewhere}"
    )


def figures(run: Run) -> str:
    """Say how good the best epoch is beside the input; nothing before the first epoch is over."""
    best = run.best
    if best is None:
        return ""
    judged, given = best.validation, best.baseline
    text = f"Best: epoch {best.epoch}"
    if math.isfinite(judged.psnr) and math.isfinite(given.psnr):
        text += f", PSNR {judged.psnr:.2f} dB (input {given.psnr:.2f})"
    if math.isfinite(judged.ssim) and math.isfinite(given.ssim):
        text += f", SSIM {judged.ssim:.3f} ({given.ssim:.3f})"
    return text + (f". {verdict}" if (verdict := _verdict(run)) else "")


def _verdict(run: Run) -> str:
    best = run.best
    if best is None or run.live:
        return ""
    if best.validation.mse < best.baseline.mse:
        gain = 100 * (1 - best.validation.mse / best.baseline.mse)
        return f"Its squared error is {gain:.0f} % below that of the input."
    return "It isn't better than its input yet."


def choice_label(run: Run) -> str:
    """Name a run in a list: its folder and its state."""
    return f"{run.name} ({STATE_WORDS[run.state].lower()})"
