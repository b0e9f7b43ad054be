"""The search space as rows that a person ticks and edits: ranges as texts and back, without Qt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError
from napari_micromri.tuning.words import condition
from napari_micromri.tuning.words import parameter as parameter_text
from napari_micromri.widgets.training.settings import settings_of_kind, to_text
from napari_micromri.widgets.training.settings_words import GROUPS, ONLY_WITH
from napari_micromri.widgets.training.tuning.words import setting_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.tuning.space import Parameter, SearchSpace
    from napari_micromri.widgets.training.settings import Setting

RANGE = re.compile(r"^(?P<low>[^,\s]+)\s+to\s+(?P<high>[^,\s]+)(?:,\s*(?:(?P<log>log)|step\s+(?P<step>[^,\s]+)))?$")
SEARCHED_GROUPS = ("Network", "Slices", "Learning", "Learning rate")
CLUMSY = ("network.features_main", "normalisation.", "normalisation.kind", "balance", "cuts")
"""Lists are searched by their entries; errors of slices that are scaled otherwise can't be compared; the last two need
other settings beside them."""

FROM_MODEL = ("network.", "upsampling", "normalisation.")
"""What a model that training starts from brings along."""

PROPOSED = {
    "crop": "none, 64, 96, 128",
    "scaling": "0 to 0.5",
    "weight_decay": "1e-6 to 0.01, log",
    "momentum": "0 to 0.95",
    "clip": "0.5 to 5, log",
    "ema": "0, 0.99, 0.998",
    "warmup_epochs": "0 to 3",
}
"""For settings that are usually off."""

HOW = "Values with commas, as 32, 64, 128, or a range: 1 to 8; 0.1 to 0.9, step 0.1; 1e-6 to 0.01, log."


@dataclass(frozen=True)
class SpaceRow:
    """A setting that can be searched. ``text`` is what the person sees and edits, ``when`` on what it depends."""

    key: str
    text: str
    ticked: bool
    when: Mapping[str, tuple[Any, ...]]

    @property
    def label(self) -> str:
        """Its name for people."""
        return setting_label(self.key)

    @property
    def condition(self) -> str:
        """Say where it is searched; empty for everywhere."""
        return f"Only where {condition(self.when, setting_label)}" if self.when else ""


def rows_of(space: SearchSpace, kind: str = "unet") -> list[SpaceRow]:
    """List what can be searched: all that is on offer, ticked where the space has it, and whatever it has besides."""
    from napari_micromri.tuning.space import full_space

    offered = full_space(kind).parameters
    keys = [*offered, *(key for key in space.parameters if key not in offered)]
    return [_row(key, space.parameters.get(key) or offered[key], ticked=key in space.parameters) for key in keys]


def change_row(rows: Sequence[SpaceRow], key: str, **change: Any) -> list[SpaceRow]:
    """Change one row."""
    return [replace(row, **change) if row.key == key else row for row in rows]


def addable(rows: Iterable[SpaceRow], kind: str = "unet") -> list[str]:
    """List the settings that could be searched too: those of the network, the slices and the learning."""
    listed = {row.key for row in rows}
    return [key for key in _searchable(kind) if key not in listed]


def new_row(key: str, base: TrainConfig) -> SpaceRow:
    """Begin to search another setting: among its values, or from a half to twice what it is."""
    from napari_micromri.tuning.space import setting_of

    setting = _searchable(base.kind)[key]
    text = PROPOSED.get(key) or ", ".join(setting.choices)
    if setting.kind == "switch":
        text = "true, false"
    elif not text:
        now = setting_of(base.model_dump(), key)
        text = f"{_part(now, 0.5)} to {_part(now, 2)}" if now else to_text(now)
    other, values = ONLY_WITH.get(key, ("", ()))
    return SpaceRow(key, text, True, {other: values} if other else {})


def _searchable(kind: str) -> dict[str, Setting]:
    names = tuple(name for title in SEARCHED_GROUPS for name in GROUPS[title] if name not in CLUMSY)
    parts = tuple(name for name in names if name.endswith("."))
    return {
        key: setting
        for key, setting in settings_of_kind(kind).items()
        if key not in CLUMSY and (key in names or key.startswith(parts))
    }


def is_brought(key: str) -> bool:
    """Tell whether a model that training starts from brings this setting along."""
    return key.startswith(FROM_MODEL)


def space_of(rows: Iterable[SpaceRow], base: TrainConfig) -> SearchSpace:
    """Make the search space that the ticked rows describe.

    Raises
    ------
    InputError
        Nothing is ticked, or a text makes no sense.
    """
    from napari_micromri.tuning.space import make_space

    ticked = [row for row in rows if row.ticked and not (base.init_from and is_brought(row.key))]
    if not ticked:
        raise InputError("Tick at least one setting to search.")
    return make_space({row.key: parameter_of(row) for row in ticked})


def parameter_of(row: SpaceRow) -> Parameter:
    """Read the text of a row.

    Raises
    ------
    InputError
        It makes no sense.
    """
    from napari_micromri.tuning.space_file import parse_parameter

    table = _range(row) if re.search(r"\bto\b", row.text) else {"values": _values(row)}
    return parse_parameter(row.key, table | {"when": {key: list(values) for key, values in row.when.items()}})


def _row(key: str, parameter: Parameter, *, ticked: bool) -> SpaceRow:
    return SpaceRow(key, parameter_text(parameter), ticked, dict(parameter.when))


def _range(row: SpaceRow) -> dict[str, Any]:
    found = RANGE.match(row.text.strip())
    if found is None:
        raise InputError(f"{row.label}: '{row.text}' isn't a range. Write, for example, 1 to 8 or 1e-6 to 0.01, log.")
    table: dict[str, Any] = {end: _number(row, found[end]) for end in ("low", "high")}
    if found["log"]:
        table["log"] = True
    if found["step"]:
        table["step"] = _number(row, found["step"])
    return table


def _number(row: SpaceRow, text: str) -> int | float:
    value = _value(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{row.label}: '{text}' isn't a number.")
    return value


def _values(row: SpaceRow) -> list[Any]:
    text = row.text.strip().strip(",")
    if text.startswith("["):
        try:
            return list(json.loads(f"[{text}]"))
        except ValueError as error:
            raise InputError(f"{row.label}: write lists as [32, 64], [32, 64, 128].") from error
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InputError(f"{row.label}: give the values to try, with commas.")
    return [_value(part) for part in parts]


def _value(text: str) -> Any:
    """Read a number, true or false; anything else is a text."""
    try:
        return json.loads(text.lower(), parse_constant=str)
    except ValueError:
        return text


def _part(value: float, factor: float) -> str:
    return str(max(1, round(value * factor))) if isinstance(value, int) else f"{value * factor:.4g}"
