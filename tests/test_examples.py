"""Every example runs as it is, each in a folder of its own."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_micromri.simulation import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parents[1] / "examples"
HEADLESS = {
    "denoise_a_scan": ("denoised.ome.zarr", "(3, 300, 300)"),
    "compare_with_reference": (None, "unet-default  PSNR"),
    "fit_ivim": (None, "D: root mean square error"),
    "ivim_of_a_file": ("tumour.csv", "4608 voxels fitted"),
    "build_a_study": ("mice.mri.zarr", "test: 6 slices, LR (150, 150), HR (300, 300)"),
    "noise_of_a_scan": (None, "16 averages: sigma"),
    "open_and_save": ("mouse.nii.gz", "mouse.ome.zarr: axes zyx, shape (30, 150, 150)"),
}
WINDOWS = {"show_in_napari"}


@pytest.fixture(autouse=True, scope="module")
def drawn_once() -> Iterator[None]:
    """Draw each mouse once for all examples, most of whose time that would take."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(samples, "digital_mouse", cache(samples.digital_mouse))
        yield


def test_every_example_is_run_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.py")} == set(HEADLESS) | WINDOWS


@pytest.mark.parametrize("name", HEADLESS)
def test_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written, printed = HEADLESS[name]
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert printed in capsys.readouterr().out
    assert written is None or (tmp_path / written).exists()


@pytest.mark.gui
@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_example_with_a_window(
    name: str, make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not run as the main program, it builds its viewer without waiting for a person to close it.
    monkeypatch.setattr("napari.Viewer", make_napari_viewer)
    viewer = runpy.run_path(str(FOLDER / f"{name}.py"))["viewer"]
    assert [layer.visible for layer in viewer.layers] == [True, True]
