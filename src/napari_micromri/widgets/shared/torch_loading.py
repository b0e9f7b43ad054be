"""Load PyTorch from a thread without holding up the window.

Python keeps its lock while it loads an extension's libraries, and PyTorch's take a quarter of a second, from a cold
disk several. A foreign function is called without the lock: so they are loaded by one first, and the import finds them
there.

PyTorch's optimizers load its compiler, and that loads Triton where it is installed, as it is beside PyTorch for CUDA.
Triton brings an LLVM of its own, which ends the process where Mesa's OpenGL has loaded another one before.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.widgets.background import Work

LIBRARIES = ("libtorch_cpu", "libtorch_cuda", "libtorch_python")
SUFFIXES = {"linux": ".so", "darwin": ".dylib"}


def with_torch(work: Work) -> Work:
    """Make work that begins with loading PyTorch."""

    def loaded_first(progress: Progress, should_stop: ShouldStop, /) -> Any:
        load_torch()
        return work(progress, should_stop)

    return loaded_first


def load_torch() -> None:
    """Import PyTorch, if it isn't yet; call it from a thread."""
    if mesa_has_llvm():
        sys.modules.setdefault("triton", None)  # type: ignore[arg-type]  # what Python takes for a missing module
    if "torch" in sys.modules:
        return
    preload_libraries()
    importlib.import_module("torch")


def mesa_has_llvm(maps: Path = Path("/proc/self/maps")) -> bool:
    """Tell whether OpenGL has loaded LLVM into this process, as Mesa's does on Linux without a driver of NVIDIA."""
    return maps.exists() and "/libLLVM" in maps.read_text(errors="replace")


def preload_libraries() -> int:
    """Load PyTorch's libraries and count them; those that can't be loaded this way are left to the import."""
    spec = importlib.util.find_spec("torch")
    if sys.platform not in SUFFIXES or spec is None or spec.origin is None:
        return 0
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    folder = Path(spec.origin).parent / "lib"
    paths = [folder / (name + SUFFIXES[sys.platform]) for name in LIBRARIES]
    return sum(bool(load(os.fsencode(path), os.RTLD_LAZY)) for path in paths if path.exists())
