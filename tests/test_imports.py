"""Importing stays cheap, and the built package holds what it needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import napari_micromri

PACKAGE = Path(napari_micromri.__file__).parent
ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "napari", "qtpy", "PySide6", "PyQt6", "PyQt5", "vispy")
SLOW = ("dask", "nibabel", "pydicom", "brukerapi", "zarr", "skimage", "tifffile", "fsspec")


def _modules(*parts: str) -> list[str]:
    files = [file for part in parts for file in (PACKAGE / part).rglob("*.py")] if parts else PACKAGE.rglob("*.py")
    names = {".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files}
    return sorted(name.removesuffix(".__init__") for name in names if not name.endswith("__main__"))


CORE = [name for name in _modules() if not name.startswith(("napari_micromri.plugin", "napari_micromri.widgets"))]


def _loaded_after(statement: str, names: tuple[str, ...]) -> set[str]:
    """Run a statement in a fresh interpreter and give back which of the modules it loaded."""
    code = f"{statement}\nimport sys\nprint(*(n for n in {names!r} if n in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_check_itself_sees_a_heavy_import() -> None:
    assert _loaded_after("import dask", SLOW) == {"dask"}


@pytest.mark.parametrize("model", ["unet-default", "apddm-default"])
def test_denoising_never_loads_the_compiler_of_torch(model: str) -> None:
    """That takes a second, and with CUDA it brings Triton, whose LLVM crashes beside that of Mesa's OpenGL."""
    statement = f"""
import numpy as np
from napari_micromri.inference import denoise
from napari_micromri.scan import Scan, ScanInfo
values = np.random.default_rng(0).rayleigh(1, (1, 32, 32)).astype(np.float32)
denoise(Scan(values, ScanInfo(name="noise", axes="zyx", voxel_size=(1, 0.1, 0.1))), {model!r})
"""
    assert _loaded_after(statement, ("torch", "torch._dynamo", "triton")) == {"torch"}


@pytest.mark.parametrize("module", ["napari_micromri", "napari_micromri.cli", "napari_micromri.io"])
def test_the_front_doors_are_cheap(module: str) -> None:
    assert _loaded_after(f"import {module}", HEAVY + SLOW) == set()


def test_no_core_module_imports_napari_or_qt() -> None:
    assert len(CORE) > 20
    loaded = _loaded_after("\n".join(f"import {name}" for name in CORE), ("napari", "qtpy", "PySide6", "vispy"))
    assert loaded == set()


def test_only_networks_import_torch() -> None:
    # A module that defines layers can't do without torch; what finds, opens, measures and simulates can.
    rooms = tuple(f"napari_micromri.{room}." for room in ("nn", "inference", "training.engine", "ivim.estimators"))
    others = [name for name in CORE if not name.startswith(rooms)]
    statement = "\n".join(f"import {name}" for name in [*others, "napari_micromri.nn.registry"])
    assert _loaded_after(statement, HEAVY) == set()


def test_the_napari_side_imports_neither_torch_nor_a_qt_binding_early() -> None:
    plugin = [name for name in _modules("plugin") if name != "napari_micromri.plugin"]
    assert _loaded_after("\n".join(f"import {name}" for name in plugin), HEAVY) == set()


def test_the_manifest_is_linked_from_the_top() -> None:
    assert (ROOT / "napari.yaml").resolve() == PACKAGE / "napari.yaml"
    assert "name: napari-micromri" in (ROOT / "napari.yaml").read_text(encoding="utf-8")


def test_the_wheel_holds_the_manifest_and_the_models(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "napari_micromri/napari.yaml" in names
    assert "napari_micromri/py.typed" in names
    for model in ("unet-default", "apddm-default"):
        assert f"napari_micromri/nn/pretrained/{model}.safetensors" in names
