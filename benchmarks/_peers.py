"""An environment of their own for programs that are compared with ours, which borrows what this one has."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def environment(folder: Path, pinned: Sequence[str]) -> Path:
    """Make it, unless it is there; give its Python. A program that can't be installed then fails by itself."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        [packages] = folder.glob("lib/python*/site-packages")
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", *pinned]
        subprocess.run(install, check=False)
    return python
