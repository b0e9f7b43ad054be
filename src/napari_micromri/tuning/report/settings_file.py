"""The settings of a trial, and a file of them, to train with them again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.training.config import parse_config

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.state import TrialRow, TuneState


def write_settings(path: Path, state: TuneState, row: TrialRow, *, overwrite: bool = False) -> None:
    """Write all settings of a trial as JSON, for ``micromri train --config``.

    Raises
    ------
    InputError
        Nothing says what they were, or this version can't train with them.
    OutputExistsError, WriteError
        The file is there already, or the system refused.
    """
    settings = settings_of(state, row)
    if settings is None:
        raise InputError(f"Nothing says what the settings of trial {row.number} were besides those searched.")
    config = parse_config(settings)
    with atomic_output(path, overwrite=overwrite) as temporary:
        text = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def settings_of(state: TuneState, row: TrialRow) -> dict[str, Any] | None:
    """Give all settings of a trial's training, to train with them again: see `napari_micromri.training.config`.

    Name and threads are those that the tuning was told, since workers give their own. None where nothing says what the
    settings were.
    """
    from napari_micromri.training.folder import RunFolder

    base = state.config.base.model_dump(mode="json") if state.config is not None else {}
    if row.settings is not None:
        found = dict(row.settings)
    elif row.run is not None and RunFolder(row.run).exists:
        found = dict(RunFolder(row.run).read_settings()["config"])
    elif state.config is not None:
        found = state.config.space.settings(row.parameters, base)
    else:
        return None
    return found | {"name": base.get("name", ""), "threads": base.get("threads")}
