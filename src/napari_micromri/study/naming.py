"""Names of subjects, regions and planes as names of folders, and back.

Ordinary names stay as they are. What some system or Zarr can't have in a folder's name is percent-encoded, as in an
internet address, so that every study can be copied to any disk.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from napari_micromri.errors import StudyError

LONGEST = 120
"""Bytes of a folder's name; common disks allow 255, and Windows 260 characters for a whole path."""

_FORBIDDEN = frozenset('%/\\:*?"<>|')
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])( *\.|$)", re.IGNORECASE)
_RESERVED = ("zarr.json",)
_SURROGATES = "surrogatepass"


def group_name(text: str) -> str:
    """Give the folder's name that stands for a text; different texts have different ones.

    The text is taken as `composed` gives it.

    Raises
    ------
    StudyError
        The text is empty, or too long for a folder's name.
    """
    text = composed(text)
    if not text:
        raise StudyError("A subject, region or plane has an empty name. Give it one.")
    last = len(text) - 1
    name = ""
    for k, char in enumerate(text):
        at_edge = (k == 0 and _is_reserved(text)) or (k in (0, last) and char == " ") or (k == last and char == ".")
        # A sign that joins the one before it must not join the last digit of a code.
        joins_a_code = name[-3:-2] == "%" and unicodedata.combining(char) > 0
        name += _code(char) if at_edge or joins_a_code or _is_unsafe(char) else char
    if len(name.encode("utf-8")) > LONGEST:
        raise StudyError(f"The name '{text[:40]}...' is too long for a folder. Shorten it.")
    return name


def composed(text: str) -> str:
    """Give a text in Unicode's composed form, so that names typed on different systems meet."""
    return unicodedata.normalize("NFC", text)


def text_of(name: str) -> str:
    """Give the text that a folder's name stands for."""
    return unquote(name, errors=_SURROGATES)


def same_folder(one: str, other: str) -> bool:
    """Tell whether two names would be one folder on a disk that ignores case."""
    return one.casefold() == other.casefold()


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort ``mouse 2`` before ``mouse 10``."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", text.casefold())
        if part
    )


def _is_reserved(text: str) -> bool:
    return text.startswith((".", "__")) or _DEVICES.match(text) is not None or text.casefold() in _RESERVED


def _is_unsafe(char: str) -> bool:
    category = unicodedata.category(char)
    return char in _FORBIDDEN or category in _HIDDEN_CATEGORIES or (category == "Zs" and char != " ")


def _code(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", _SURROGATES))
