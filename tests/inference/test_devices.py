"""The choice of device and precision, on machines that this one is not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from napari_micromri.errors import InputError
from napari_micromri.inference import available_devices, devices
from napari_micromri.inference.devices import batch_memory, is_out_of_memory, resolve_device, resolve_precision

CPU = torch.device("cpu")


def pretend(monkeypatch: pytest.MonkeyPatch, gpus: int = 0, *, mps: bool = False, bfloat16: bool = True) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bfloat16)


@pytest.mark.parametrize(
    ("gpus", "mps", "devices", "chosen"),
    [
        (0, False, ["cpu"], "cpu"),
        (2, False, ["cpu", "cuda:0", "cuda:1"], "cuda:0"),
        (0, True, ["cpu", "mps"], "mps"),
    ],
)
def test_auto_is_the_fastest_kind(
    monkeypatch: pytest.MonkeyPatch, gpus: int, mps: bool, devices: list[str], chosen: str
) -> None:
    pretend(monkeypatch, gpus, mps=mps)
    assert available_devices() == devices
    assert str(resolve_device("auto")) == chosen


def test_cuda_alone_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 2)
    assert str(resolve_device("cuda")) == "cuda:0"
    assert str(resolve_device("cuda:1")) == "cuda:1"
    with pytest.raises(InputError, match=r"'cuda:2'.*cpu, cuda:0, cuda:1"):
        resolve_device("cuda:2")


@pytest.mark.parametrize(("bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_computes_in_the_half_that_it_has(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool, expected: torch.dtype
) -> None:
    pretend(monkeypatch, 1, bfloat16=bfloat16)
    assert resolve_precision("auto", torch.device("cuda:0")) == expected
    assert resolve_precision("auto", torch.device("mps")) == torch.float16
    assert resolve_precision("float32", torch.device("cuda:0")) == torch.float32


@pytest.mark.parametrize(("faster", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_what_is_faster(monkeypatch: pytest.MonkeyPatch, faster: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr("napari_micromri.inference.devices._bfloat16_is_faster", lambda: faster)
    assert resolve_precision("auto", CPU) == expected


def test_the_cpus_speed_is_measured_once() -> None:
    first = resolve_precision("auto", CPU)
    assert first in (torch.float32, torch.bfloat16)
    assert resolve_precision("auto", CPU) == first


def test_a_cpu_without_bfloat16_is_seen_after_two_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    clock = iter(range(10_000))

    def layer(_: torch.Tensor) -> None:
        calls.append(torch.is_autocast_enabled("cpu"))
        for _ in range(10 if calls[-1] else 1):
            next(clock)

    monkeypatch.setattr(devices, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    monkeypatch.setattr(torch.nn.Conv2d, "__call__", lambda _, image: layer(image))
    assert not devices._bfloat16_is_faster.__wrapped__()
    assert calls == [False, True, False, True]


def test_a_gpus_batch_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 4 * 10**9))
    assert 10**8 < batch_memory(torch.device("cuda:0")) < 10**9
    assert batch_memory(CPU) > 2**20


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("size mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_little_memory(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_the_free_memory_is_that_of_the_container(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "CGROUP", tmp_path)
    free = devices.free_memory(CPU)
    assert free is not None
    assert free > 10**6
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("4000\n")
    assert devices.free_memory(CPU) == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.free_memory(CPU) not in (None, 1000)
