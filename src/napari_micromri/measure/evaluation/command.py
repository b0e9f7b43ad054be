"""The command that does an evaluation again; it stands in the report."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_micromri.measure.evaluation.evaluator import EvaluationOptions


def command_line(
    study: Path | str, models: Iterable[Path | str], split: str, out: Path | str, options: EvaluationOptions
) -> str:
    """Give the ``micromri evaluate`` that does the same; replacing what is there is left to whoever types it."""
    words = ["micromri", "evaluate", str(study)]
    words += [word for model in models for word in ("--model", str(model))]
    words += ["--split", split, "--out", str(out)]
    words += [word for path in options.rois for word in ("--rois", str(path))]
    words += ["--device", options.device, "--precision", options.precision]
    words += ["--quality", options.quality] if options.quality != "fast" else []
    words += ["--dark-air"] if options.dark_air else []
    for name, value in (("--steps", options.steps), ("--draws", options.draws)):
        words += [name, str(value)] if value is not None else []
    return shlex.join(words)
