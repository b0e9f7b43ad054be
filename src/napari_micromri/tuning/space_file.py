"""Search spaces as TOML files that a person edits; what is wrong in one is told with its line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from napari_micromri.errors import InputError, describe_os_error, describe_parse_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.training.config import known_fields
from napari_micromri.tuning.parameters import Choice, Float, Int
from napari_micromri.tuning.space import full_space, kind_of, make_space, plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

    from napari_micromri.tuning.space import SearchSpace

HEADER = """\
# What to search, a table for each setting ('micromri train' and its documentation explain the settings):
#   values = [...]         one of these; true, false, "none", texts, numbers, lists
#   low = ..., high = ...  a range, both ends included: of whole numbers if both ends are such
#   log = true             as many trials from 0.0001 to 0.001 as from 0.001 to 0.01
#   step = ...             only every so far from low
#   when = { loss = ["hybrid"] }   searched only where another setting has one of these values
# "network.features_main.0" is the first entry of a list.
"""


def read_space(path: Path | str) -> SearchSpace:
    """Read a search space.

    Raises
    ------
    InputError
        The file can't be read, isn't TOML, or asks for something impossible; the message names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise InputError(describe_os_error(error, path)) from error
    except ValueError as error:  # no TOML, or no text at all
        raise InputError(f"{path} isn't valid TOML: {describe_parse_error(error)}.") from error
    parameters: dict[str, Any] = {}
    for name, table in _flatten(content):
        try:
            parameters[name] = parse_parameter(name, table)
        except InputError as error:
            raise InputError(f"{path}{_line_of(text, name)}: {error}") from error
    if not parameters:
        raise InputError(f"{path} names no setting to search.")
    try:
        return make_space(parameters)
    except InputError as error:  # what concerns several of them
        raise InputError(f"{path}: {error}") from error


def write_space(space: SearchSpace, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a search space with comments, so that it can be edited.

    Raises
    ------
    WriteError
        The file is there already and ``overwrite`` is False, or can't be written.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(to_toml(space), encoding="utf-8")


def to_toml(space: SearchSpace) -> str:
    """Write a search space as text; at the end, as comments, what else is often searched."""
    tables = [_table(name, parameter) for name, parameter in space.parameters.items()]
    others = full_space(kind_of(space.parameters)).parameters.items()
    spare = [_table(name, parameter) for name, parameter in others if name not in space.parameters]
    if spare:
        tables.append("# Not searched; remove the # before the lines to search these, too.")
        tables += ["\n".join(f"# {line}".replace("# #", "#") for line in table.splitlines()) for table in spare]
    return "\n\n".join([HEADER.rstrip(), *tables]) + "\n"


def parse_parameter(name: str, table: Mapping[str, Any]) -> Choice | Float | Int:
    """Make a parameter of a table: a choice if it has ``values``, else a range.

    Raises
    ------
    InputError
        The table makes no sense.
    """
    table = dict(table)
    if "values" in table and isinstance(table["values"], list):
        values = [_value(name, value) for value in table["values"]]
        content = table | {"kind": "choice", "values": values}
    else:
        whole = all(isinstance(table.get(key, 0), int) for key in ("low", "high", "step"))
        content = table | {"kind": "int" if whole and not _is_float(name) else "float"}
        if not {"low", "high"} & table.keys():
            raise InputError(f"'{name}' needs 'values', or 'low' and 'high'.")
    when = content.get("when", {})
    if isinstance(when, dict):
        content["when"] = {key: _allowed(key, values) for key, values in when.items()}
    return make_space({name: content}).parameters[name]


def description_of(name: str) -> str:
    """Say what a setting is, as the documentation of `TrainConfig` does; an empty text when it isn't known."""
    field = _field(name)
    return (field.description or "") if field is not None else ""


def _allowed(name: str, values: Any) -> tuple[Any, ...]:
    return tuple(_value(name, value) for value in (values if isinstance(values, list) else [values]))


def _flatten(content: Mapping[str, Any], outer: str = "") -> list[tuple[str, dict[str, Any]]]:
    """List the tables; ``[network.residual]`` without quotes is one in another for TOML."""
    tables = []
    for key, value in content.items():
        name = f"{outer}.{key}" if outer else key
        inner = isinstance(value, dict) and value and all(isinstance(part, dict) for part in value.values())
        if inner and "when" not in value:
            tables += _flatten(value, name)
        else:
            tables.append((name, value if isinstance(value, dict) else {"values": value}))
    return tables


def _value(name: str, value: Any) -> Any:
    """TOML knows no null: ``"none"`` is one where the setting takes it."""
    field = _field(name)
    if value == "none" and field is not None and type(None) in get_args(field.annotation):
        return None
    return tuple(value) if isinstance(value, list) else value


def _is_float(name: str) -> bool:
    field = _field(name)
    return field is not None and (field.annotation is float or float in get_args(field.annotation))


def _field(name: str) -> FieldInfo | None:
    return known_fields(kind_of([name])).get(plain_name(name))


def _line_of(text: str, name: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            content = tomllib.loads(line)
        except ValueError:  # part of what goes over several lines
            continue
        if any(found == name for found, _ in _flatten(content)):
            return f", line {number}"
    return ""


def _table(name: str, parameter: Choice | Float | Int) -> str:
    lines = [f"# {text}"] if (text := description_of(name)) else []
    lines.append(f"[{_key(name)}]")
    match parameter:
        case Choice():
            lines.append(f"values = {_toml(parameter.values)}")
        case Float() | Int():
            lines += [f"low = {_toml(parameter.low)}", f"high = {_toml(parameter.high)}"]
            lines += ["log = true"] if parameter.log else []
            lines += [f"step = {_toml(parameter.step)}"] if parameter.step not in (None, 1) else []
    if parameter.when:
        conditions = [f"{_key(key)} = {_toml(values)}" for key, values in parameter.when.items()]
        lines.append(f"when = {{ {', '.join(conditions)} }}")
    return "\n".join(lines)


def _key(name: str) -> str:
    return json.dumps(name) if "." in name else name


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps("none" if value is None else value, ensure_ascii=False, allow_nan=False)
