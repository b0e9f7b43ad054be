"""Denoising into a file: the same pixels as in memory, all of them or none, and only a batch at a time."""

from __future__ import annotations

import errno
import tracemalloc
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import CancelledError, InputError, OutputExistsError, WriteError
from napari_micromri.inference import DenoiseOptions, denoise, denoise_to_file
from napari_micromri.inference.denoise import _SliceWriter
from napari_micromri.inference.plan import Plan
from napari_micromri.io import create_ome_zarr, open_scan, zarr_writer
from napari_micromri.io.zarr_writer import shorten_ome_zarr
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeScan = Callable[..., Scan]


def options(**chosen: Any) -> DenoiseOptions:
    return DenoiseOptions(**({"device": "cpu", "precision": "float32"} | chosen))


def tiny_slices(*outer: int, axes: str = "zyx") -> Scan:
    """Make a scan of very many slices of 2 x 2 pixels."""
    values = np.arange(np.prod(outer) * 4, dtype=np.float32).reshape(*outer, 2, 2)
    weightings = tuple(range(outer[axes.index("b")])) if "b" in axes else None
    size = (1.0,) * sum(axis in "zyx" for axis in axes)
    return Scan(values, ScanInfo(name="many", axes=axes, voxel_size=size, b_values=weightings))


@pytest.mark.parametrize("ending", [".ome.zarr", ".zarr", ".nii", ".nii.gz"])
@pytest.mark.parametrize(
    ("axes", "shape", "slice_axis"),
    [("zyx", (3, 6, 5), "z"), ("zyx", (3, 6, 5), "y"), ("yx", (6, 5), "z"), ("bzyx", (2, 3, 6, 5), "z")],
)
def test_the_file_holds_what_memory_would(
    make_scan: MakeScan, nearest: Any, tmp_path: Path, ending: str, axes: str, shape: tuple[int, ...], slice_axis: str
) -> None:
    scan = make_scan(shape, axes, b_values=(0.0, 500.0) if "b" in axes else None)
    chosen = options(slice_axis=slice_axis)
    path = denoise_to_file(scan, nearest(), tmp_path / f"out{ending}", chosen)
    expected = denoise(scan, nearest(), chosen)
    [found] = open_scan(path)
    assert_array_equal(found.read().reshape(expected.shape), expected.read())
    assert found.info.provenance == expected.info.provenance
    assert found.info.b_values == expected.info.b_values


def test_axes_out_of_the_files_order_are_put_in_order(make_scan: MakeScan, nearest: Any, tmp_path: Path) -> None:
    scan = make_scan((3, 2, 6, 5), "zbyx", b_values=(0.0, 500.0), origin=(1.0, 2.0, 3.0))
    [found] = open_scan(denoise_to_file(scan, nearest(), tmp_path / "out.ome.zarr", options()))
    assert found.info.axes == "bzyx"
    assert_allclose(found.extent, scan.extent, rtol=1e-12)
    assert_array_equal(found.read(), scan.read().transpose(1, 0, 2, 3).repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize(("outer", "axes"), [((515,), "zyx"), ((3, 181), "bzyx"), ((70, 8), "tzyx")])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 50])
def test_shards_hold_the_same_pixels(
    nearest: Any, tmp_path: Path, outer: tuple[int, ...], axes: str, batch_size: int
) -> None:
    scan = tiny_slices(*outer, axes=axes)
    path = denoise_to_file(scan, nearest(), tmp_path / "out.ome.zarr", options(batch_size=batch_size))
    array = zarr.open_array(path / "0")
    assert array.shards is not None
    assert_array_equal(np.asarray(array[...]), scan.read().repeat(2, -2).repeat(2, -1))


def test_each_shard_is_written_once(tmp_path: Path) -> None:
    scan = tiny_slices(2, 300, axes="tzyx")

    class Recorder:
        shards, shape = (1, 32, 2, 2), scan.shape

        def __init__(self) -> None:
            self.spans: list[tuple[int, int, int]] = []

        def __setitem__(self, index: tuple[Any, ...], block: np.ndarray) -> None:
            assert_array_equal(block, scan.read()[index])
            self.spans.append((index[0], index[1].start, index[1].stop))

    array = Recorder()
    writer, plan, done = _SliceWriter(array), Plan.of(scan, {}, "z", 2), 0
    while done < plan.total:
        batch = plan.batch(done, 7)
        writer.write(batch, scan.read()[batch.source])
        done += batch.count
    assert array.spans == [(t, start, min(start + 32, 300)) for t in range(2) for start in range(0, 300, 32)]


@pytest.mark.parametrize(
    ("outer", "axes", "batches", "kept"),
    [
        ((9,), "zyx", 3, (slice(0, 6),)),
        ((3, 4), "bzyx", 5, (slice(0, 2),)),
        ((3, 4), "bzyx", 1, (slice(0, 1), slice(0, 2))),
        ((515,), "zyx", 20, (slice(0, 40),)),
        ((4, 150), "bzyx", 160, (slice(0, 2),)),
        ((4, 150), "bzyx", 20, (slice(0, 1), slice(0, 40))),
    ],
)
def test_what_is_finished_can_be_kept(
    nearest: Any, tmp_path: Path, outer: tuple[int, ...], axes: str, batches: int, kept: tuple[slice, ...]
) -> None:
    scan, model = tiny_slices(*outer, axes=axes), nearest()
    path = denoise_to_file(
        scan,
        model,
        tmp_path / "out.ome.zarr",
        options(batch_size=2),
        should_stop=lambda: len(model.batches) >= batches,
        keep_finished=True,
    )
    [found] = open_scan(path)
    assert_array_equal(found.read(), scan.read()[kept].repeat(2, -2).repeat(2, -1))
    in_memory = nearest()
    expected = denoise(
        scan,
        in_memory,
        options(batch_size=2),
        should_stop=lambda: len(in_memory.batches) >= batches,
        keep_finished=True,
    )
    assert found.info.provenance == expected.info.provenance
    assert found.info.b_values == expected.info.b_values
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.ome.zarr"]


@pytest.mark.parametrize("ending", [".ome.zarr", ".nii.gz"])
def test_stopping_leaves_nothing(make_scan: MakeScan, nearest: Any, tmp_path: Path, ending: str) -> None:
    model = nearest()
    with pytest.raises(CancelledError):
        denoise_to_file(
            make_scan((9, 4, 4)),
            model,
            tmp_path / f"out{ending}",
            options(batch_size=2),
            should_stop=lambda: len(model.batches) >= 2,
        )
    assert model.batches == [2, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("outer", [(9,), (515,)])
def test_an_error_in_the_middle_leaves_nothing(nearest: Any, tmp_path: Path, outer: tuple[int, ...]) -> None:
    def fail(done: int, total: int) -> None:
        if done > 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        denoise_to_file(tiny_slices(*outer), nearest(), tmp_path / "out.ome.zarr", options(batch_size=2), progress=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("outer", [(9,), (515,)])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    nearest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outer: tuple[int, ...]
) -> None:
    written: list[Any] = []

    def write(self: Any, index: Any, block: Any) -> None:
        written.append(index)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", write)
    with pytest.raises(WriteError, match=r"out\.ome\.zarr.*full"):
        denoise_to_file(tiny_slices(*outer), nearest(), tmp_path / "out.ome.zarr", options(batch_size=2))
    assert len(written) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_what_was_to_be_overwritten(make_scan: MakeScan, nearest: Any, tmp_path: Path) -> None:
    path = denoise_to_file(make_scan(), nearest(), tmp_path / "out.ome.zarr", options())
    with pytest.raises(InputError, match="memory"):
        denoise_to_file(make_scan(), nearest(room=0), path, options(), overwrite=True)
    assert open_scan(path)[0].shape == (3, 48, 40)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.ome.zarr"]
    denoise_to_file(make_scan((1, 4, 4)), nearest(), path, options(), overwrite=True)
    assert open_scan(path)[0].shape == (1, 8, 8)


@pytest.mark.parametrize("ending", [".ome.zarr", ".nii.gz"])
def test_nothing_is_overwritten_unasked(make_scan: MakeScan, nearest: Any, tmp_path: Path, ending: str) -> None:
    path, model = tmp_path / f"out{ending}", nearest()
    path.write_text("precious")
    with pytest.raises(OutputExistsError):
        denoise_to_file(make_scan(), model, path, options())
    assert path.read_text() == "precious"
    assert not model.batches


@pytest.mark.parametrize("name", ["out", "out.tif", "out.mri.zarr", "out.zarr.zip"])
def test_an_unknown_ending_is_refused_before_any_work(
    make_scan: MakeScan, nearest: Any, tmp_path: Path, name: str
) -> None:
    model = nearest()
    with pytest.raises(WriteError, match=name):
        denoise_to_file(make_scan(), model, tmp_path / name, options())
    assert not model.batches
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_denoised_leaves_nothing(nearest: Any, tmp_path: Path) -> None:
    scan = Scan(np.zeros((2, 4, 4), "c8"), ScanInfo(name="s", axes="zyx", voxel_size=(1, 1, 1)))
    with pytest.raises(InputError, match="complex"):
        denoise_to_file(scan, nearest(), tmp_path / "new" / "out.ome.zarr", options())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shape", "rest"), [((3, 4, 4), (2, 4, 4)), ((600, 2, 2), (33, 2, 2)), ((4, 4), (3, 4))])
def test_a_shortened_file_has_no_trace_of_the_rest(
    tmp_path: Path, shape: tuple[int, ...], rest: tuple[int, ...]
) -> None:
    axes = "zyx"[-len(shape) :]
    info = ScanInfo(name="long", axes=axes, voxel_size=(1.0,) * len(axes))
    array = create_ome_zarr(tmp_path / "a.ome.zarr", shape=shape, dtype="u2", info=info)
    array[...] = np.arange(np.prod(shape)).reshape(shape)
    shorter = ScanInfo(name="short", axes=axes, voxel_size=(2.0,) * len(axes))
    shorten_ome_zarr(tmp_path / "a.ome.zarr", shape=rest, info=shorter)
    [found] = open_scan(tmp_path / "a.ome.zarr")
    assert (found.info.name, found.info.voxel_size) == ("short", (2.0,) * len(axes))
    part = tuple(slice(0, count) for count in rest)
    assert_array_equal(found.read(), np.arange(np.prod(shape)).reshape(shape)[part])
    pieces = [path for path in (tmp_path / "a.ome.zarr" / "0" / "c").rglob("*") if path.is_file()]
    assert len(pieces) == {2: 2, 33: 2, 3: 1}[rest[0]]


@pytest.mark.parametrize("count", [40, 60])
def test_neither_scan_is_ever_whole_in_memory(
    nearest: Any, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to 50 slices each has a file; above that 4 share one."""
    monkeypatch.setattr(zarr_writer, "MANY_SLICES", 50)
    monkeypatch.setattr(zarr_writer, "_SHARD_SLICES", 4)

    def load(block_id: tuple[int, ...]) -> np.ndarray:
        return np.full((1, 128, 128), block_id[0], np.float32)

    data = da.map_blocks(load, chunks=((1,) * count, (128,), (128,)), dtype="f4", meta=np.zeros((0, 0, 0), "f4"))
    scan = Scan(data, ScanInfo(name="lazy", axes="zyx", voxel_size=(1, 1, 1)))
    denoise_to_file(tiny_slices(2), nearest(), tmp_path / "first.ome.zarr", options())  # imports take memory, too
    tracemalloc.start()
    try:
        path = denoise_to_file(scan, nearest(), tmp_path / "out.ome.zarr", options(batch_size=2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (zarr.open_array(path / "0").shards is not None) == (count > 50)
    assert peak < 0.4 * count * 256 * 256 * 4
    assert_array_equal(open_scan(path)[0].read()[:, 5, 5], np.arange(count))
