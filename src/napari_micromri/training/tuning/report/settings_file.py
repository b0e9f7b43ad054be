"""The settings of a trial as a file, to train with them again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_micromri.io.atomic import atomic_output
from napari_micromri.training.config import parse_config
from napari_micromri.training.tuning.report.facts import settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.training.tuning.state import TrialRow, TuneState


def write_settings(path: Path, state: TuneState, row: TrialRow, *, overwrite: bool = False) -> None:
    """Write all settings of a trial as JSON, for ``micromri train --config``.

    Raises
    ------
    InputError
        Nothing says what they were, or this version can't train with them.
    OutputExistsError, WriteError
        The file is there already, or the system refused.
    """
    config = parse_config(settings_of(state, row))
    with atomic_output(path, overwrite=overwrite) as temporary:
        text = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")
