"""Estimate a run in a process of its own, which takes its memory and its libraries with it when it ends.

The process is ``python -m napari_micromri.training.forecast``: study and configuration come on its standard input, the
answer is the last line of its output, both as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import CancelledError, TrainingError, describe_os_error
from napari_micromri.progress import never

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.progress import ShouldStop
    from napari_micromri.training.config import TrainConfig

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Forecast:
    """What a run will need on this machine; see `napari_micromri.training.engine.estimate.Estimate`.

    ``memory`` is in bytes, on the device.
    """

    seconds_per_epoch: float
    memory: int
    device: str


def forecast(config: TrainConfig, study: Path | str, *, should_stop: ShouldStop = never) -> Forecast:
    """Learn from a few batches in another process and measure; nothing is written.

    Raises
    ------
    TrainingError
        Training would fail; the sentence says why.
    CancelledError
        ``should_stop`` said so.
    """
    question = json.dumps({"study": str(study), "config": config.model_dump(mode="json")})
    command = [sys.executable, "-m", "napari_micromri.training.forecast"]
    try:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
    except OSError as error:
        raise TrainingError(describe_os_error(error, command[0])) from error
    with process:
        return _understand(*_converse(process, question, should_stop))


def _converse(process: subprocess.Popen[str], question: str, should_stop: ShouldStop) -> tuple[str, str]:
    asked: str | None = question
    while True:
        try:
            return process.communicate(asked, timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            asked = None  # it is told only once
            if should_stop():
                process.kill()
                process.communicate()
                raise CancelledError("The estimate was stopped.") from None


def _understand(output: str, complaints: str) -> Forecast:
    try:
        answer = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError) as error:
        said = complaints.strip().splitlines()[-1:] or ["it was killed"]
        raise TrainingError(f"The estimate ended without an answer: {said[0]}.") from error
    if "error" in answer:
        raise TrainingError(answer["error"])
    return Forecast(**answer)


def main() -> int:
    """Answer the question on standard input."""
    from napari_micromri.runs.process import NICENESS

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    print(json.dumps(_answer(json.load(sys.stdin))))
    return 0


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    from pathlib import Path

    from napari_micromri.runs.record import explain
    from napari_micromri.study.store import Study
    from napari_micromri.training.config import parse_config
    from napari_micromri.training.data import TrainingData
    from napari_micromri.training.engine.estimate import estimate
    from napari_micromri.training.runner import advice

    study = Path(question["study"])
    try:
        found = estimate(parse_config(question["config"]), TrainingData.from_study(Study.open(study)))
    except Exception as error:
        sentence = explain(error, study, advice)
        if sentence is None:
            raise
        return {"error": sentence}
    return {"seconds_per_epoch": found.seconds_per_epoch, "memory": found.memory, "device": found.device}


if __name__ == "__main__":
    sys.exit(main())
