"""Words that several parts write."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Write a number and what it counts: 1 scan, 2 scans."""
    return f"{number} {what}{'s' * (number != 1)}"
