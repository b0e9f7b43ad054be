"""Denoising into memory: any shape, type and orientation, in the input's own units and place."""

from __future__ import annotations

import gc
import json
import weakref
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import CancelledError, InputError, ModelError, ReadError
from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.nn.plain_restorer import PlainRestorer

    MakeScan = Callable[..., Scan]


def options(**chosen: Any) -> DenoiseOptions:
    return DenoiseOptions(**({"device": "cpu", "precision": "float32"} | chosen))


def alone(image: np.ndarray, restorer: PlainRestorer) -> np.ndarray:
    """Run the model on one slice, without anything around it."""
    given = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    return restorer.restore(given[None, None])[0, 0].numpy()


SHAPES = [
    ("yx", (12, 9), "z"),
    ("zx", (5, 9), "y"),
    ("zyx", (3, 12, 10), "z"),
    ("zyx", (5, 11, 3), "x"),
    ("zyx", (7, 2, 9), "y"),
    ("tyx", (3, 8, 9), "z"),
    ("byx", (2, 7, 8), "z"),
    ("bzyx", (2, 3, 8, 6), "z"),
    ("tzyx", (2, 5, 3, 7), "y"),
    ("tbzyx", (2, 2, 2, 6, 7), "z"),
    ("tbzyx", (1, 2, 6, 7, 3), "x"),
    ("zbyx", (3, 2, 6, 7), "z"),
]


@pytest.mark.parametrize(("axes", "shape", "slice_axis"), SHAPES)
def test_every_slice_is_the_models_and_lies_where_it_was(
    make_scan: MakeScan, restorer: PlainRestorer, axes: str, shape: tuple[int, ...], slice_axis: str
) -> None:
    scan = make_scan(shape, axes)
    result = denoise(scan, restorer, options(slice_axis=slice_axis, batch_size=2))
    plane = [axes.index(a) for a in axes if a in "zyx" and a != slice_axis]
    assert result.shape == tuple(n * 2 if k in plane else n for k, n in enumerate(shape))
    assert result.dtype == np.float32
    assert_allclose(result.extent, scan.extent, rtol=1e-12)
    before = np.moveaxis(scan.read(), plane, (-2, -1)).reshape(-1, *(shape[k] for k in plane))
    after = np.moveaxis(result.read(), plane, (-2, -1)).reshape(len(before), *(2 * shape[k] for k in plane))
    for image, fine in zip(before, after, strict=True):
        assert_allclose(fine, alone(image, restorer), rtol=1e-4, atol=1e-2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    origin=st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    axis=st.sampled_from("zyx"),
    data=st.data(),
)
def test_a_range_lies_at_its_own_slices(
    shape: list[int], origin: list[float], axis: str, data: st.DataObject, nearest: Any
) -> None:
    k = "zyx".index(axis)
    start = data.draw(st.integers(0, shape[k] - 1))
    stop = data.draw(st.integers(start + 1, shape[k]))
    info = ScanInfo(name="s", axes="zyx", voxel_size=(0.6, 0.1, 0.2), origin=tuple(origin))
    values = np.random.default_rng(0).random(shape, dtype=np.float32)
    result = denoise(Scan(values, info), nearest(), options(slice_axis=axis, select={axis: range(start, stop)}))
    cut = tuple(slice(start, stop) if j == k else slice(None) for j in range(3))
    cut_origin = tuple(o + start * v if j == k else o for j, (o, v) in enumerate(zip(origin, info.voxel_size)))  # noqa: B905
    cut_info = ScanInfo(name="s", axes="zyx", voxel_size=info.voxel_size, origin=cut_origin)
    assert_allclose(result.extent, Scan(values[cut], cut_info).extent, atol=1e-9)
    expected = values[cut]
    for j in range(3):
        expected = expected if j == k else expected.repeat(2, axis=j)
    assert_array_equal(result.read(), expected)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", ">u2", "<i2", ">i4", "u8", "f2", ">f4", "f8", ">f8"])
def test_any_type_of_number(make_scan: MakeScan, restorer: PlainRestorer, dtype: str) -> None:
    scan = make_scan((2, 12, 10))
    values = (scan.read() / 10).astype(dtype)
    result = denoise(Scan(values, scan.info), restorer, options())
    assert result.dtype == np.dtype("float32")
    same = denoise(Scan(values.astype(np.float32), scan.info), restorer, options())
    assert_array_equal(result.read(), same.read())


def test_the_result_is_in_scanner_units_and_scales_with_them(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    scan = make_scan((2, 16, 12))
    counts = scan.read().astype(np.int16)
    small = denoise(Scan(counts.astype(np.float32), scan.info), restorer, options()).read()
    large = denoise(Scan(counts * np.float64(1000), scan.info), restorer, options()).read()
    assert_allclose(large, small * 1000, rtol=1e-4, atol=1)
    assert small.mean() == pytest.approx(counts.mean(), rel=0.5)


def test_what_is_not_finite_comes_back_as_nan(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    scan = make_scan((2, 12, 10))
    values = scan.read().astype(np.float64)
    values[0, 3, 4], values[0, 0, 0], values[0, 11, 9], values[0, 5, 5] = np.nan, np.inf, -np.inf, 1e300
    result = denoise(Scan(values, scan.info), restorer, options()).read()
    gaps = ~np.isfinite(values) | (values > 1e38)
    assert_array_equal(np.isnan(result), gaps.repeat(2, 1).repeat(2, 2))
    assert np.isfinite(result[1]).all()


@pytest.mark.parametrize("value", [0.0, 7.0, -3.5, 12345.0, np.nan])
def test_constant_slices_pass_unchanged(make_scan: MakeScan, restorer: PlainRestorer, value: float) -> None:
    values = make_scan((2, 9, 8)).read()
    values[1] = value
    result = denoise(Scan(values, make_scan((2, 9, 8)).info), restorer, options()).read()
    assert_array_equal(result[1], np.full((18, 16), value, np.float32))
    assert result[0].std() > 0


def test_batches_and_tiles_change_nothing(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    scan = make_scan((8, 150, 97))
    whole = denoise(scan, restorer, options(batch_size=1)).read()
    assert_allclose(denoise(scan, restorer, options(batch_size=7)).read(), whole, rtol=1e-4, atol=1e-2)
    assert_allclose(denoise(scan, restorer, options(tile=128)).read(), whole, rtol=1e-4, atol=1e-2)


def test_b_values_are_those_of_the_chosen_weightings(make_scan: MakeScan, nearest: Any) -> None:
    scan = make_scan((4, 2, 6, 5), "bzyx", b_values=(0.0, 100.0, 400.0, 800.0))
    result = denoise(scan, nearest(), options(select={"b": range(1, 3), "z": range(1, 2)}))
    assert result.info.b_values == (100.0, 400.0)
    assert_array_equal(result.read(), scan.read()[1:3, 1:2].repeat(2, 2).repeat(2, 3))


def test_progress_rises_to_the_total(make_scan: MakeScan, nearest: Any) -> None:
    seen: list[tuple[int, int]] = []
    denoise(
        make_scan((2, 7, 4, 4), "tzyx"),
        nearest(),
        options(batch_size=3),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == [0, 3, 6, 7, 10, 13, 14]
    assert {total for _, total in seen} == {14}


def stop_after(batches: int, model: Any) -> Callable[[], bool]:
    return lambda: len(model.batches) >= batches


def test_it_stops_within_one_batch(make_scan: MakeScan, nearest: Any) -> None:
    model = nearest()
    with pytest.raises(CancelledError):
        denoise(make_scan((9, 4, 4)), model, options(batch_size=2), should_stop=stop_after(2, model))
    assert model.batches == [2, 2]


@pytest.mark.parametrize(
    ("axes", "shape", "select", "batches", "kept"),
    [
        ("zyx", (5, 4, 4), {}, 3, (slice(0, 3),)),
        ("zyx", (5, 4, 4), {"z": range(2, 5)}, 2, (slice(2, 4),)),
        ("bzyx", (3, 4, 4, 4), {}, 9, (slice(0, 2),)),
        ("bzyx", (3, 4, 4, 4), {"b": range(1, 3)}, 5, (slice(1, 2),)),
        ("bzyx", (3, 4, 4, 4), {}, 3, (slice(0, 1), slice(0, 3))),
        ("bzyx", (1, 4, 4, 4), {}, 2, (slice(0, 1), slice(0, 2))),
        ("tbzyx", (2, 3, 1, 4, 4), {}, 2, (slice(0, 1), slice(0, 2))),
    ],
)
def test_what_is_finished_can_be_kept(
    make_scan: MakeScan,
    nearest: Any,
    axes: str,
    shape: tuple[int, ...],
    select: dict[str, range],
    batches: int,
    kept: tuple[slice, ...],
) -> None:
    weightings = tuple(range(shape[axes.index("b")])) if "b" in axes else None
    scan, model = make_scan(shape, axes, b_values=weightings), nearest()
    result = denoise(
        scan,
        model,
        options(batch_size=1, select=select),
        should_stop=stop_after(batches, model),
        keep_finished=True,
    )
    assert_array_equal(result.read(), scan.read()[kept].repeat(2, -2).repeat(2, -1))
    if weightings:
        assert result.info.b_values == weightings[kept[axes.index("b")]]
    z = kept[axes.index("z")] if len(kept) > axes.index("z") else slice(0, None)
    assert result.extent[0][0] == pytest.approx(scan.extent[0][0] + (z.start or 0) * 0.6)
    assert result.info.provenance[-1]["select"][axes[len(kept) - 1]] == [kept[-1].start, kept[-1].stop]


def test_nothing_finished_is_a_stop(make_scan: MakeScan, nearest: Any) -> None:
    with pytest.raises(CancelledError):
        denoise(make_scan(), nearest(), options(), should_stop=lambda: True, keep_finished=True)


def out_of_memory_on_windows(_: str) -> RuntimeError:
    return RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError, out_of_memory_on_windows])
def test_little_memory_halves_the_batch(make_scan: MakeScan, nearest: Any, error: Any) -> None:
    scan, model = make_scan((9, 4, 4)), nearest(room=2 * 64, error=error)
    result = denoise(scan, model, options(batch_size=8))
    assert model.batches == [8, 4, 2, 2, 2, 2, 1]
    assert_array_equal(result.read(), scan.read().repeat(2, 1).repeat(2, 2))


def test_less_memory_than_for_a_slice_makes_tiles(make_scan: MakeScan, nearest: Any) -> None:
    scan, model = make_scan((2, 200, 160)), nearest(room=256**2)
    result = denoise(scan, model, options(batch_size=2))
    assert model.tiles == [None, None, 1024, 512, 256, 256]
    assert_array_equal(result.read(), scan.read().repeat(2, 1).repeat(2, 2))


def test_no_memory_at_all_is_one_sentence(make_scan: MakeScan, nearest: Any) -> None:
    with pytest.raises(InputError, match="not enough memory on cpu"):
        denoise(make_scan(), nearest(room=0), options())


def test_no_memory_for_the_model_is_one_sentence(
    make_scan: MakeScan, nearest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(self: Any, device: torch.device, dtype: torch.dtype) -> None:
        if dtype == torch.bfloat16:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(nearest, "prepare", prepare)
    with pytest.raises(InputError, match=r"memory on cpu.*'tiny'"):
        denoise(make_scan(), nearest(), options(precision="bfloat16"))


def test_a_result_larger_than_memory_is_one_sentence(nearest: Any) -> None:
    huge = Scan(
        da.zeros((2**12, 2**17, 2**17), chunks=(1, 2**17, 2**17)),
        ScanInfo(name="huge", axes="zyx", voxel_size=(1, 1, 1)),
    )
    with pytest.raises(InputError, match=r"memory.*\.ome\.zarr"):
        denoise(huge, nearest(), options())


def test_a_bug_in_a_model_is_not_taken_for_little_memory(make_scan: MakeScan, nearest: Any) -> None:
    model = nearest(room=0, error=lambda _: RuntimeError("shapes don't match"))
    with pytest.raises(RuntimeError, match="shapes don't match"):
        denoise(make_scan(), model, options(batch_size=4))
    assert model.batches == [3]


@pytest.mark.parametrize(
    ("scan", "chosen", "sentence"),
    [
        (("zyx", (2, 4, 4), "c8"), {}, "complex numbers"),
        (("zyx", (2, 4, 4), "M8[s]"), {}, r"datetime64"),
        (("x", (4,), "f4"), {}, "can't be cut into slices"),
        (("tx", (4, 4), "f4"), {}, "can't be cut into slices"),
        (("zy", (4, 4), "f4"), {}, "can't be cut into slices along 'z'"),
        (("zyx", (2, 4, 4), "f4"), {"slice_axis": "t"}, "can't be cut into slices along 't'"),
        (("zyx", (0, 4, 4), "f4"), {}, "is empty"),
        (("zyx", (2, 4, 0), "f4"), {"select": {"z": range(1)}}, "is empty"),
        (("zyx", (2, 4, 4), "f4"), {"select": {"q": range(1)}}, "no slices along 'q'. Choose among z"),
        (("tzyx", (1, 2, 4, 4), "f4"), {"select": {"y": range(1)}}, "no slices along 'y'. Choose among t, z"),
        (("yx", (4, 4), "f4"), {"select": {"z": range(1)}}, "It is a single slice"),
        (("zyx", (2, 4, 4), "f4"), {"select": {"z": range(1, 3)}}, "2 indices along 'z', 0 to 1, not 1 to 2"),
        (("zyx", (2, 4, 4), "f4"), {"select": {"z": range(-1, 1)}}, "not -1 to 0"),
        (("zyx", (2, 4, 4), "f4"), {"select": {"z": range(0, 2, 2)}}, "not 0 to 0"),
        (("zyx", (2, 4, 4), "f4"), {"select": {"z": range(1, 1)}}, "not an empty range"),
        (("zyx", (2, 4, 4), "f4"), {"batch_size": 0}, "at least one slice"),
        (("zyx", (2, 4, 4), "f4"), {"tile": 100}, "at least 128"),
        (("zyx", (2, 4, 4), "f4"), {"device": "quantum"}, "no device 'quantum'. It has: cpu"),
        (("zyx", (2, 4, 4), "f4"), {"precision": "float16"}, "is for GPUs"),
        (("zyx", (2, 4, 4), "f4"), {"precision": "float8"}, "no precision 'float8'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    nearest: Any, scan: tuple[str, tuple[int, ...], str], chosen: dict[str, Any], sentence: str
) -> None:
    axes, shape, dtype = scan
    info = ScanInfo(name="bad", axes=axes, voxel_size=(1.0,) * sum(a in "zyx" for a in axes))
    model = nearest()
    with pytest.raises(InputError, match=sentence) as caught:
        denoise(Scan(np.zeros(shape, dtype), info), model, options(**chosen))
    assert "\n" not in str(caught.value)
    assert not model.batches and not model.prepared


def test_an_unknown_model_is_one_sentence(make_scan: MakeScan) -> None:
    with pytest.raises(ModelError, match="'no-such-model'"):
        denoise(make_scan(), "no-such-model", options())


def test_an_unreadable_slice_names_the_scan(nearest: Any) -> None:
    def fail(block: np.ndarray) -> np.ndarray:
        raise OSError(5, "Input/output error")

    data = da.zeros((2, 4, 4), chunks=(1, 4, 4), dtype="f4").map_blocks(fail, meta=np.zeros((0, 0, 0), "f4"))
    info = ScanInfo(name="s", axes="zyx", voxel_size=(1, 1, 1), source="/scans/s.nii")
    with pytest.raises(ReadError, match=r"/scans/s\.nii.*Input/output error"):
        denoise(Scan(data, info), nearest(), options())


def test_provenance_says_how_it_was_made(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    scan = make_scan((2, 3, 6, 6), "tzyx", provenance=({"step": "convert"},))
    info = denoise(scan, restorer, options(select={"z": range(1, 3)}, precision="bfloat16")).info
    first, step = json.loads(json.dumps(info.provenance))
    assert first == {"step": "convert"}
    assert isinstance(step.pop("version"), str)
    assert step == {
        "step": "denoise",
        "model": "tiny",
        "kind": "unet",
        "fingerprint": "0123456789abcdef",
        "factor": 2,
        "slice_axis": "z",
        "select": {"t": [0, 2], "z": [1, 3]},
        "device": "cpu",
        "precision": "bfloat16",
    }
    assert info.name == "test scan [tiny]"


def test_half_precision_stays_close(make_scan: MakeScan, restorer: PlainRestorer) -> None:
    scan = make_scan((2, 24, 20))
    single, half = (denoise(scan, restorer, options(precision=p)).read() for p in ("float32", "bfloat16"))
    assert_allclose(half, single, atol=0.02 * single.max())


def test_the_model_is_released(
    make_scan: MakeScan, restorer: PlainRestorer, nearest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = [nearest()]
    monkeypatch.setattr("napari_micromri.inference.run.load_model", lambda _: loaded.pop())
    model = weakref.ref(loaded[0])
    result = denoise(make_scan(), "by name", options())
    gc.collect()
    assert model() is None
    assert result.shape == (3, 48, 40)


def test_a_model_of_the_caller_goes_back_to_the_cpu(make_scan: MakeScan, nearest: Any) -> None:
    model = nearest()
    denoise(make_scan(), model, options(precision="bfloat16"))
    assert model.prepared == [("cpu", torch.bfloat16), ("cpu", torch.float32)]


def test_only_a_batch_is_read_at_a_time(nearest: Any) -> None:
    read: list[int] = []
    ahead: list[int] = []

    def load(block_id: tuple[int, ...]) -> np.ndarray:
        read.append(block_id[0])
        return np.full((1, 4, 4), block_id[0], np.float32)

    chunks = ((1,) * 20, (4,), (4,))
    data = da.map_blocks(load, chunks=chunks, dtype="f4", meta=np.zeros((0, 0, 0), "f4"))
    scan = Scan(data, ScanInfo(name="lazy", axes="zyx", voxel_size=(1, 1, 1)))
    denoise(scan, nearest(), options(batch_size=3), progress=lambda done, _: ahead.append(len(read) - done))
    assert sorted(read) == list(range(20))
    assert ahead == [0] * 8


def test_a_model_that_gives_no_numbers_gives_no_image(nearest: Any, make_scan: Any) -> None:
    """Weights may be finite and yet overflow."""
    model = nearest()
    model.restore = lambda slices, *_: slices.repeat_interleave(2, 2).repeat_interleave(2, 3) * 1e38 * 1e38
    with pytest.raises(ModelError, match="numbers"):
        denoise(make_scan((2, 8, 8)), model, DenoiseOptions(device="cpu"))
