"""The command `micromri`: parses, calls the core, shows progress."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; see `napari_micromri.cli.program.main`."""
    if arguments is None:  # until the program is loaded, Ctrl-C ends it without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from napari_micromri.cli import program

    return program.main(arguments)
