"""A plain page of headings, sentences, figures and tables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}img{max-width:100%}"
    "table{border-collapse:collapse}td,th{padding:.15em .6em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}"
)


class Page:
    """Collects what is shown; `write` puts it into ``page.html``, beside the folder ``figures``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parts = folder, list[str]()
        (folder / "figures").mkdir(exist_ok=True)

    def title(self, text: str, level: int = 2) -> None:
        """Begin a section."""
        self.parts.append(f"<h{level}>{escape(text)}</h{level}>")

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(f"<p>{escape(text)}</p>")

    def figure(self, number: int, text: str) -> Path:
        """Add a figure; gives the file to draw it into."""
        name = f"figures/figure-{number}.png"
        self.parts.append(f'<p><img src="{name}" alt=""><br>Figure {number}. {escape(text)}</p>')
        return self.folder / name

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table."""
        lines = [_line("th", heads), *(_line("td", row) for row in rows)]
        self.parts.append(f"<table>{''.join(lines)}</table>")

    def write(self) -> None:
        """Write the page."""
        head = f'<!doctype html><meta charset="utf-8"><title>The report, reproduced</title><style>{STYLE}</style>'
        (self.folder / "page.html").write_text("\n".join([head, *self.parts]), encoding="utf-8")


def _line(tag: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(in_words(cell))}</{tag}>' for cell in cells)}</tr>"


def in_words(cell: object) -> str:
    """Write a value for people; an empty one is a dash."""
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return str(cell) or "–"
