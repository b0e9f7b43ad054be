"""Words that several parts write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

WANTED = {
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_": "text",
    "tuple_": "a list",
    "list_": "a list",
    "model_": "a group of settings",
    "dict_": "a group of settings",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge:g} or more",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "{le:g} or less",
    "less_than": "less than {lt:g}",
    "union_tag_not_found": "given its {discriminator}",
    "union_tag_invalid": "of one {discriminator} of {expected_tags}",
    "missing": "given",
}
"""What pydantic's faults, by the beginning of their types, ask for."""


def counted(number: int, what: str) -> str:
    """Write a number and what it counts: 1 scan, 2 scans."""
    return f"{number} {what}{'s' * (number != 1)}"


def what_is_wrong(fault: ErrorDetails) -> str:
    """Say what a value that pydantic refuses must be instead, for the end of a sentence."""
    for kind, wanted in WANTED.items():
        if fault["type"].startswith(kind):
            return f"it must be {wanted.format(**fault.get('ctx', {}))}"
    return fault["msg"].removeprefix("Value error, ")
