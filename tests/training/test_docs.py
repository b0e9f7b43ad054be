"""The page on training lists the settings that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from napari_micromri.training.config import known_keys

ROOT = Path(__file__).parents[2]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    script = ROOT / "scripts" / "training_settings.py"
    result = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert result.returncode == 0, "run scripts/training_settings.py"
    page = (ROOT / "docs" / "training-own.md").read_text(encoding="utf-8")
    table = page.partition("<!-- settings: begin -->")[2]
    missing = {key for key in known_keys() if f"| `{key}` |" not in table}
    parts = {"network", "apddm", "normalisation", "simulated"}
    assert missing == parts | {"network.guided", "network.time_embedding"}
