"""Colours that can be read in napari's dark theme and in its light one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QColor

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

MIDDLE = 128
DARKER = 165
"""In per cent, as Qt counts."""


def readable(colour: str, widget: QWidget) -> QColor:
    """Give a colour for text on a widget's background; the colours here are made for a dark one."""
    dark_text = widget.palette().text().color().lightness() < MIDDLE
    return QColor(colour).darker(DARKER) if dark_text else QColor(colour)


def take_theme(plot: Any, widget: QWidget) -> None:
    """Give the axes of a plot the colour of a widget's text."""
    colour = widget.palette().text().color()
    for side in ("left", "bottom"):
        plot.getAxis(side).setPen(colour)
        plot.getAxis(side).setTextPen(colour)
    plot.resetCachedContent()  # the background is drawn once only
    plot.viewport().update()
