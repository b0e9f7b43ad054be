from __future__ import annotations

import os
import subprocess
import sys

import pytest

from napari_micromri.widgets.shared import torch_loading

SCRIPT = """
import sys, threading
from napari_micromri.widgets.shared.torch_loading import load_torch, preload_libraries
assert "torch" not in sys.modules
if sys.platform == "linux":
    assert preload_libraries() >= 1
thread = threading.Thread(target=load_torch)
thread.start()
thread.join()
torch = sys.modules["torch"]
assert float(torch.ones(3).sum()) == 3
load_torch()
"""


def test_torch_is_whole_after_its_libraries_were_loaded_first():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


TRAINING = """
import sys
from pathlib import Path
from napari_micromri.widgets.shared import torch_loading
maps = Path(sys.argv[1])
torch_loading.mesa_has_llvm.__defaults__ = (maps,)
torch_loading.load_torch()
import torch
torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).zero_grad()
"""


@pytest.mark.parametrize(("library", "code"), [("libLLVM.so.15", 0), ("libnvidia-glcore.so", 3)])
def test_triton_stays_out_where_opengl_has_an_llvm_of_its_own(tmp_path, library, code):
    (tmp_path / "triton").mkdir()
    (tmp_path / "triton" / "__init__.py").write_text("import os\nos._exit(3)\n")
    maps = tmp_path / "maps"
    maps.write_text(f"7f0000000000-7f0000001000 r--p 00000000 fe:00 1  /usr/lib/x86_64-linux-gnu/{library}\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    call = [sys.executable, "-c", TRAINING, str(maps)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == code, done.stderr


def test_where_libraries_have_other_names_the_import_does_it_all(monkeypatch):
    monkeypatch.setattr(torch_loading, "SUFFIXES", {})
    assert torch_loading.preload_libraries() == 0


def test_libraries_that_cannot_be_loaded_are_left_to_the_import(monkeypatch, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libtorch_cpu.so").write_bytes(b"no library")
    (tmp_path / "__init__.py").touch()
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(torch_loading.importlib.util, "find_spec", lambda name: spec)
    assert torch_loading.preload_libraries() == 0


@pytest.mark.parametrize("value", [1, None])
def test_work_is_done_after_loading(monkeypatch, value):
    order = []
    monkeypatch.setattr(torch_loading, "load_torch", lambda: order.append("loaded"))

    def work(progress, should_stop):
        order.append("worked")
        return value

    assert torch_loading.with_torch(work)(print, bool) is value
    assert order == ["loaded", "worked"]
