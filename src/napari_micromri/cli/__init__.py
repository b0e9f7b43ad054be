"""The command `micromri`: parses, calls the core, shows progress."""

from napari_micromri.cli.program import main

__all__ = ["main"]
