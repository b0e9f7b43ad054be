"""Every example runs as it is, in a process and a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
HEADLESS = {
    "denoise_a_scan": ("denoised.ome.zarr", "(3, 300, 300)"),
    "compare_with_reference": (None, "unet-default  PSNR"),
    "build_a_study": ("mice.mri.zarr", "test: 6 slices, LR (150, 150), HR (300, 300)"),
    "noise_of_a_scan": (None, "16 averages: sigma"),
    "open_and_save": ("mouse.nii.gz", "mouse.ome.zarr: axes zyx, shape (30, 150, 150)"),
}
WINDOWS = {"show_in_napari"}


def _run(code: list[str], folder: Path) -> str:
    result = subprocess.run([sys.executable, *code], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_example_is_run_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.py")} == set(HEADLESS) | WINDOWS


@pytest.mark.parametrize("name", HEADLESS)
def test_example(name: str, tmp_path: Path) -> None:
    written, printed = HEADLESS[name]
    assert printed in _run([str(FOLDER / f"{name}.py")], tmp_path)
    assert written is None or (tmp_path / written).exists()


@pytest.mark.gui
@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_example_with_a_window(name: str, tmp_path: Path) -> None:
    # Imported and not run as a program, it builds its viewer without waiting for a person to close it.
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import {name} as e; print(len(e.viewer.layers))"
    assert _run(["-c", code], tmp_path).strip() == "2"
