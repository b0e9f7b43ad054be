"""What the fields of the dock are made from: the settings of a configuration, by their pydantic models; without Qt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.config import config_of_kind
from napari_micromri.widgets.training.settings_words import ABOUT, CHOICES, LABELS, LEFT_OUT, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

Kind: TypeAlias = Literal["choice", "switch", "number", "list", "text"]
KINDS: dict[str, Kind] = {"boolean": "switch", "integer": "number", "number": "number", "array": "list"}
NONE = "none"


@dataclass(frozen=True)
class Setting:
    """One field of the form: a setting by its name in the configuration, such as ``network.residual``.

    ``choices`` are the values of a "choice"; any other text may be given too when ``free``.
    """

    key: str
    label: str
    kind: Kind
    about: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    free: bool = False


def settings_of(model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> dict[str, Setting]:
    """List the settings of a configuration by name, in its own order, those of its parts as ``part.name``.

    A name in ``leave_out`` that ends in a dot stands for all settings of that part.
    """
    schema = model.model_json_schema()
    found = _settings("", schema, schema.get("$defs", {}))
    return {setting.key: setting for setting in found if not is_among(setting.key, leave_out)}


def settings_of_kind(kind: str) -> dict[str, Setting]:
    """List the settings that a person can choose for a kind of model."""
    others = tuple(f"{other}." for other in FAMILIES if other != kind)
    return settings_of(config_of_kind(kind), LEFT_OUT + others)


def is_among(key: str, names: tuple[str, ...]) -> bool:
    """Tell whether a setting is one of those named; a name that ends in a dot stands for all of that part."""
    return any(key == name or (name.endswith(".") and key.startswith(name)) for name in names)


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Write a configuration as texts by name: what the fields show."""
    texts: dict[str, str] = {}
    for name, value in content.items():
        key = f"{prefix}{name}"
        texts |= flatten(value, f"{key}.") if isinstance(value, dict) else {key: to_text(value)}
    return texts


def to_text(value: Any) -> str:
    """Write a value as a person would type it."""
    if value is None:
        return NONE
    if isinstance(value, list | tuple):
        return ", ".join(map(to_text, value))
    if isinstance(value, bool | float):
        return json.dumps(value)
    return str(value)


def to_content(texts: Mapping[str, str], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Turn texts by name into a configuration that is yet to be checked; pydantic reads the numbers."""
    content: dict[str, Any] = {}
    for key, text in texts.items():
        *parts, name = key.split(".")
        part = content
        for step in parts:
            part = part.setdefault(step, {})
        part[name] = _value(text.strip(), settings[key])
    return content


def _value(text: str, setting: Setting) -> Any:
    if setting.optional and text.lower() in ("", NONE):
        return None
    if setting.kind == "list":
        return [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
    return text


def _settings(prefix: str, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> list[Setting]:
    found = []
    for name, field in schema["properties"].items():
        key = f"{prefix}{name}"
        if part := _part(field, parts):
            found += _settings(f"{key}.", part, parts)
        else:
            found.append(_setting(key, field))
    return found


def _part(field: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    reference = field.get("$ref", "")
    part = parts.get(reference.rpartition("/")[2])
    return part if part is not None and "properties" in part else None


def _setting(key: str, field: Mapping[str, Any]) -> Setting:
    kinds = field.get("anyOf", [field])
    main = kinds[0]
    choices = tuple(map(str, main.get("enum", ())))
    return Setting(
        key=key,
        label=LABELS.get(key, key.rpartition(".")[2].replace("_", " ").capitalize()),
        kind="choice" if choices or key in CHOICES else KINDS.get(str(main.get("type")), "text"),
        about=_about(key, field, main),
        choices=choices or CHOICES.get(key, ()),
        optional=any(kind.get("type") == "null" for kind in kinds),
        free=key in CHOICES,
    )


def _about(key: str, field: Mapping[str, Any], main: Mapping[str, Any]) -> str:
    said = ABOUT.get(key) or str(field.get("description", ""))
    limits = [
        f"{words} {to_text(main[name])}"
        for name, words in (("minimum", "at least"), ("maximum", "at most"), ("exclusiveMinimum", "more than"))
        if name in main
    ]
    sentence = said[:1].upper() + said[1:]
    lines = [sentence, ", ".join([*UNITS.get(key, ()), *limits]).capitalize(), f"Setting: {key}"]
    return "\n".join(line for line in lines if line)
