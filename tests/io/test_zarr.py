"""Zarr stores of every kind that is read, and OME-Zarr as it is written."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import OutputExistsError, ReadError
from napari_micromri.io import can_read, create_ome_zarr, open_scan, save_scan, slices_per_write
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALUES = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
EVERYTHING: dict[str, Any] = {
    "origin": (-1.0, 2.5, 3.25),
    "direction": ((0.0, 0.6, 0.8), (0.0, -0.8, 0.6), (1.0, 0.0, 0.0)),
    "subject": "mouse 7",
    "session": "study α",
    "region": "head-thorax",
    "plane": "coronal",
    "protocol": "T2_TurboRARE",
    "repetition_time": 4000.0,
    "echo_time": 37.1,
    "averages": 5,
    "source": "/data/study/5",
    "provenance": ({"step": "denoise", "model": "unet-default", "options": {"slices": [1, 2]}}, {"step": "crop"}),
}


def write_ome(path: Path, version: str, axes: list[dict[str, str]], values: np.ndarray, **level: Any) -> None:
    image = {"axes": axes, "datasets": [{"path": "s0", **level.pop("level", {})}], **level, **level.pop("instead", {})}
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("s0", data=values, chunks=(1,) * (values.ndim - 2) + values.shape[-2:])
    described = {"multiscales": [image | {"version": version}]}
    group.attrs.update(described if version == "0.4" else {"ome": {"version": version, "multiscales": [image]}})


def space(*names: str, unit: str = "micrometer") -> list[dict[str, str]]:
    return [{"name": name, "type": "space", "unit": unit} for name in names]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
class TestOmeZarr:
    def test_transforms_of_both_levels_and_units(self, tmp_path: Path, version: str) -> None:
        path = tmp_path / "mouse.ome.zarr"
        write_ome(
            path,
            version,
            space("z", "y", "x"),
            VALUES,
            level={
                "coordinateTransformations": [
                    {"type": "scale", "scale": [600, 100, 100]},
                    {"type": "translation", "translation": [300, 50, 0]},
                ]
            },
            coordinateTransformations=[{"type": "scale", "scale": [2, 1, 1]}],
        )
        (scan,) = open_scan(path)
        assert scan.info.axes == "zyx"
        assert_allclose(scan.info.voxel_size, (1.2, 0.1, 0.1))
        assert_allclose(scan.info.origin, (0.6, 0.05, 0))
        assert scan.info.name == "mouse"
        assert_array_equal(scan.read(), VALUES)
        assert can_read(path)

    def test_channels_become_scans(self, tmp_path: Path, version: str) -> None:
        axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, *space("z", "y", "x")]
        values = np.stack([np.stack([VALUES, VALUES + 100])] * 2)
        write_ome(tmp_path / "a.zarr", version, axes, values, name="brain")
        first, second = open_scan(tmp_path / "a.zarr")
        assert (first.info.axes, first.info.name, second.info.name) == ("tzyx", "brain channel 0", "brain channel 1")
        assert_array_equal(second.read()[1], VALUES + 100)

    def test_axes_in_another_order(self, tmp_path: Path, version: str) -> None:
        level = {"coordinateTransformations": [{"type": "scale", "scale": [1, 2, 3]}]}
        write_ome(tmp_path / "a.zarr", version, space("x", "y", "z", unit="millimeter"), VALUES, level=level)
        (scan,) = open_scan(tmp_path / "a.zarr")
        assert scan.info.voxel_size == (3, 2, 1)
        assert_array_equal(scan.read(), VALUES.transpose())

    @pytest.mark.parametrize("damage", ["axes", "datasets", "coordinateTransformations"])
    def test_damaged_metadata(self, tmp_path: Path, version: str, damage: str) -> None:
        path = tmp_path / "a.zarr"
        write_ome(path, version, space("z", "y", "x"), VALUES, instead={damage: [{"type": "scale", "scale": [1, 1]}]})
        with pytest.raises(ReadError, match=r"a\.zarr"):
            open_scan(path)


class TestPlainZarr:
    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_array(self, tmp_path: Path, zarr_format: int) -> None:
        path = tmp_path / "a.zarr"
        array = zarr.create_array(path, data=VALUES, chunks=(1, 4, 5), zarr_format=zarr_format)
        (scan,) = open_scan(path)
        assert (scan.info.axes, scan.info.voxel_size, scan.info.name) == ("zyx", (1, 1, 1), "a")
        assert scan.data.chunks[0] == (1, 1, 1)
        assert_array_equal(scan.read(), VALUES)
        array.attrs.update({"voxel_size": [600, 100, 100], "unit": "um"})
        assert_allclose(open_scan(path)[0].info.voxel_size, (0.6, 0.1, 0.1))
        array.attrs.update({"voxel_size_mm": [0.5, 0.2, 0.2]})
        assert open_scan(path)[0].info.voxel_size == (0.5, 0.2, 0.2)
        assert open_scan(path, voxel_size=(3, 2, 1))[0].info.voxel_size == (3, 2, 1)

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_group_of_arrays(self, tmp_path: Path, zarr_format: int) -> None:
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format)
        for name in ("mouse10/hr", "mouse10/lr", "mouse2/hr"):
            group.create_array(name, data=VALUES)
        scans = open_scan(tmp_path / "a.zarr")
        assert [s.info.name for s in scans] == ["mouse10/hr", "mouse10/lr", "mouse2/hr"]
        assert can_read(tmp_path / "a.zarr")
        assert_array_equal(open_scan(tmp_path / "a.zarr" / "mouse2" / "hr")[0].read(), VALUES)

    def test_named_dimensions(self, tmp_path: Path) -> None:
        values = np.zeros((2, 3, 4, 5), "f4")
        zarr.create_array(tmp_path / "a.zarr", data=values, dimension_names=("b", "z", "y", "x"))
        assert open_scan(tmp_path / "a.zarr")[0].info.axes == "bzyx"

    def test_shards_are_read_slice_by_slice(self, tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "a.zarr", data=VALUES, chunks=(1, 4, 5), shards=(3, 4, 5))
        assert open_scan(tmp_path / "a.zarr")[0].data.chunks[0] == (1, 1, 1)

    def test_images_of_bioformats2raw(self, tmp_path: Path) -> None:
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
        group.attrs["bioformats2raw.layout"] = 3
        for k in range(2):
            write_ome(tmp_path / "a.zarr" / str(k), "0.4", space("z", "y", "x"), VALUES)
        assert [s.info.name for s in open_scan(tmp_path / "a.zarr")] == ["0", "1"]

    def test_a_large_store_opens_without_being_read(self, tmp_path: Path) -> None:
        shape = (56000, 300, 300)  # 20 GB of float32, none of it written
        zarr.create_array(tmp_path / "a.zarr", shape=shape, chunks=(1, 300, 300), dtype="f4", fill_value=2)
        tracemalloc.start()
        (scan,) = open_scan(tmp_path / "a.zarr")
        first = np.asarray(scan.data[31000])
        assert tracemalloc.get_traced_memory()[1] < 500e6  # of 20 GB; how long it takes is for the benchmarks
        tracemalloc.stop()
        assert first.shape == (300, 300) and (first == 2).all()


class TestBadInput:
    def refused(self, path: Path, match: str) -> None:
        with pytest.raises(ReadError, match=match) as raised:
            open_scan(path)
        assert path.name in str(raised.value)

    def test_empty_group(self, tmp_path: Path) -> None:
        zarr.open_group(tmp_path / "a.zarr", mode="w").create_group("b")
        assert not can_read(tmp_path / "a.zarr")
        self.refused(tmp_path / "a.zarr", "no image in it")

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", "{}", '{"zarr_format": 3}', '{"zarr_format": 3, "node_type": "array"}', "\0\1\2"]
    )
    def test_damaged_zarr_json(self, tmp_path: Path, content: str) -> None:
        zarr.create_array(tmp_path / "a.zarr", data=VALUES)
        (tmp_path / "a.zarr" / "zarr.json").write_text(content)
        assert can_read(tmp_path / "a.zarr") in (True, False)
        self.refused(tmp_path / "a.zarr", "Zarr")

    def test_damaged_chunk_is_told_when_it_is_looked_at(self, tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "a.zarr", data=VALUES, chunks=(1, 4, 5))
        (scan,) = open_scan(tmp_path / "a.zarr")
        (tmp_path / "a.zarr" / "c/1/0/0").write_bytes(b"nonsense")
        assert_array_equal(scan.data[0].compute(), VALUES[0])
        with pytest.raises(ReadError, match="damaged"):
            scan.data[1].compute()

    @pytest.mark.parametrize("dtype", ["c8", "U4", "datetime64[s]"])
    @pytest.mark.filterwarnings("ignore:.*does not have a Zarr V3 specification")
    def test_no_numbers(self, tmp_path: Path, dtype: str) -> None:
        zarr.create_array(tmp_path / "a.zarr", shape=(2, 3, 4), dtype=dtype, zarr_format=2)
        self.refused(tmp_path / "a.zarr", "complex" if dtype == "c8" else "not numbers")

    def test_pickled_chunks_are_never_opened(self, tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "a.zarr", data=VALUES, zarr_format=2)
        header = tmp_path / "a.zarr" / ".zarray"
        header.write_text(json.dumps(json.loads(header.read_text()) | {"filters": [{"id": "pickle", "protocol": 5}]}))
        self.refused(tmp_path / "a.zarr", "pickle")

    def test_object_arrays_are_never_opened(self, tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "a.zarr", data=VALUES, zarr_format=2)
        header = tmp_path / "a.zarr" / ".zarray"
        pickled = {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}], "fill_value": None}
        header.write_text(json.dumps(json.loads(header.read_text()) | pickled))
        self.refused(tmp_path / "a.zarr", "pickle|not numbers|damaged")

    @pytest.mark.parametrize(("shape", "chunks"), [((1, 2**40), (1, 2**40)), ((2**40, 4, 4), (1, 4, 4))])
    def test_absurd_sizes(self, tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        zarr.create_array(tmp_path / "a.zarr", shape=shape, chunks=chunks, dtype="u2")
        self.refused(tmp_path / "a.zarr", "no scan has")

    @pytest.mark.parametrize("shape", [(7,), (1,) * 6, (0, 4, 4)])
    def test_dimensions(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        zarr.create_array(tmp_path / "a.zarr", shape=shape, chunks=tuple(max(n, 1) for n in shape), dtype="u2")
        self.refused(tmp_path / "a.zarr", "two to five")

    @pytest.mark.parametrize(("key", "word"), [("plate", "plate"), ("well", "plate"), ("labels", "labels")])
    def test_plates_and_labels(self, tmp_path: Path, key: str, word: str) -> None:
        zarr.open_group(tmp_path / "a.zarr", mode="w").attrs["ome"] = {"version": "0.5", key: {"x": 1}}
        self.refused(tmp_path / "a.zarr", word)

    def test_study_stores_are_left_to_others(self, tmp_path: Path) -> None:
        zarr.open_group(tmp_path / "a.mri.zarr", mode="w").create_array("m/hr", data=VALUES)
        assert not can_read(tmp_path / "a.mri.zarr")
        self.refused(tmp_path / "a.mri.zarr", "study")

    @pytest.mark.parametrize("address", ["s3://bucket/a.zarr", "http://127.0.0.1:1/a.zarr"])
    def test_remote_needs_fsspec_or_a_server(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # nobody listens there
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        assert can_read(address)
        with pytest.raises(ReadError, match=r"a\.zarr"):
            open_scan(address)


class TestWriting:
    @pytest.mark.parametrize("axes", ["yx", "zyx", "tzyx", "bzyx", "tbzyx", "tyx"])
    def test_round_trip_keeps_everything(self, tmp_path: Path, make_scan: Callable[..., Scan], axes: str) -> None:
        shape = tuple({"t": 2, "b": 3, "z": 4, "y": 12, "x": 10}[a] for a in axes)
        spatial = [k for k, a in enumerate("zyx") if a in axes]
        described = EVERYTHING | {
            "origin": tuple(EVERYTHING["origin"][k] for k in spatial),
            "direction": tuple(EVERYTHING["direction"][k] for k in spatial),
            "b_values": (0.0, 100.0, 800.5) if "b" in axes else None,
        }
        scan = make_scan(shape, axes, **described)
        steps: list[tuple[int, int]] = []
        path = save_scan(scan, tmp_path / "out.ome.zarr", progress=lambda done, total: steps.append((done, total)))
        (again,) = open_scan(path)
        assert again.info == scan.info
        assert again.dtype == scan.dtype
        assert_array_equal(again.read(), scan.read())
        assert steps[-1][0] == steps[-1][1] > 0

    def test_metadata_follow_ome_zarr_0_5(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        save_scan(make_scan((2, 3, 6, 6), "bzyx", b_values=(0, 100)), tmp_path / "a.ome.zarr")
        document = json.loads((tmp_path / "a.ome.zarr/zarr.json").read_text())
        assert document["zarr_format"] == 3
        ome = document["attributes"]["ome"]
        (image,) = ome["multiscales"]
        assert ome["version"] == "0.5"
        assert [(a["name"], a["type"], a.get("unit")) for a in image["axes"]] == [
            ("b", "diffusion", None),
            *((a, "space", "millimeter") for a in "zyx"),
        ]
        (level,) = image["datasets"]
        assert [t["type"] for t in level["coordinateTransformations"]] == ["scale", "translation"]
        assert level["coordinateTransformations"][0]["scale"] == [1, 0.6, 0.1, 0.1]
        array = json.loads((tmp_path / "a.ome.zarr/0/zarr.json").read_text())
        assert array["dimension_names"] == ["b", "z", "y", "x"]
        assert zarr.open_array(tmp_path / "a.ome.zarr/0").chunks == (1, 1, 6, 6)

    def test_many_slices_share_files(self, tmp_path: Path) -> None:
        info = ScanInfo(name="a", axes="zyx", voxel_size=(1, 1, 1))
        data = da.arange(600, chunks=7)[:, None, None] * da.ones((1, 4, 4), dtype="u2", chunks=4)
        save_scan(Scan(data.astype("u2"), info), tmp_path / "a.zarr")
        array = zarr.open_array(tmp_path / "a.zarr/0", mode="r")
        assert array.chunks == (1, 4, 4)
        assert slices_per_write(array) == 32
        assert len(list((tmp_path / "a.zarr/0/c").iterdir())) == 19
        assert_array_equal(open_scan(tmp_path / "a.zarr")[0].read()[:, 0, 0], np.arange(600))

    def test_no_more_than_a_block_is_held(self, tmp_path: Path) -> None:
        held, most = set(), 0

        def block(block_id: tuple[int, ...]) -> np.ndarray:
            nonlocal most
            held.add(block_id)
            most = max(most, len(held))
            return np.zeros((1, 8, 8), "f4")

        def progress(_done: int, _total: int) -> None:
            held.clear()

        data = da.map_blocks(block, chunks=((1,) * 40, (8,), (8,)), dtype="f4", meta=np.empty((0, 0, 0), "f4"))
        info = ScanInfo(name="a", axes="zyx", voxel_size=(1, 1, 1))
        save_scan(Scan(data, info), tmp_path / "a.zarr", progress=progress)
        assert most == 1

    def test_axes_are_put_in_order(self, tmp_path: Path) -> None:
        info = ScanInfo(name="a", axes="zyxt", voxel_size=(1, 1, 1))
        values = np.arange(120.0).reshape(2, 3, 4, 5)
        save_scan(Scan(values, info), tmp_path / "a.zarr")
        (again,) = open_scan(tmp_path / "a.zarr")
        assert again.info.axes == "tzyx"
        assert_array_equal(again.read(), values.transpose(3, 0, 1, 2))

    def test_nothing_is_overwritten_unasked(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        path = save_scan(make_scan(), tmp_path / "a.zarr")
        with pytest.raises(OutputExistsError):
            save_scan(make_scan(seed=1), path)
        assert_array_equal(open_scan(path)[0].read(), make_scan().read())
        save_scan(make_scan(seed=1), path, overwrite=True)
        assert_array_equal(open_scan(path)[0].read(), make_scan(seed=1).read())
        assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]

    def test_created_store_is_filled_slice_by_slice(self, tmp_path: Path) -> None:
        info = ScanInfo(name="a", axes="zyx", voxel_size=(1, 2, 3))
        array = create_ome_zarr(tmp_path / "a.zarr", shape=(3, 4, 5), dtype="u2", info=info)
        for k in range(3):
            array[k] = VALUES[k]
        (scan,) = open_scan(tmp_path / "a.zarr")
        assert scan.info == info
        assert_array_equal(scan.read(), VALUES)


class TestSlicesAsArrays:
    """A group of arrays named 0, 1, ... with a slice each, cropped to sizes of their own."""

    def group(self, path: Path, slices: list[np.ndarray]) -> Path:
        group = zarr.open_group(path, mode="w")
        for k, pixels in enumerate(slices):
            group.create_array(str(k), data=pixels)
        return path

    @pytest.mark.filterwarnings("error")
    def test_slices_of_one_size(self, tmp_path: Path) -> None:
        values = np.arange(12 * 4 * 5, dtype="u2").reshape(12, 4, 5)  # 10 comes after 9
        (scan,) = open_scan(self.group(tmp_path / "a.zarr", list(values)))
        assert (scan.info.axes, scan.dtype, scan.info.unsized) == ("zyx", np.dtype("u2"), True)
        assert_array_equal(scan.read(), values)
        assert any("1 mm" in text for text in scan.info.warnings)

    def test_slices_of_several_sizes_keep_their_top_left(self, tmp_path: Path) -> None:
        slices = [np.full((4, 5), 7, "u2"), np.full((6, 3), 8, "u2")]
        (scan,) = open_scan(self.group(tmp_path / "a.zarr", slices))
        expected = np.zeros((2, 6, 5), "u2")
        expected[0, :4, :5], expected[1, :6, :3] = 7, 8
        assert_array_equal(scan.read(), expected)
        assert any("several sizes" in text for text in scan.info.warnings)

    def test_levels_of_a_pyramid_are_no_slices(self, tmp_path: Path) -> None:
        levels = [np.zeros((32, 48), "u2"), np.zeros((16, 24), "u2"), np.zeros((8, 12), "u2")]
        assert len(open_scan(self.group(tmp_path / "a.zarr", levels))) == 3

    def test_a_slice_that_was_lost_is_told(self, tmp_path: Path) -> None:
        path = self.group(tmp_path / "a.zarr", [np.full((4, 5), k + 1, "u2") for k in range(3)])
        shutil.rmtree(path / "1/c")
        (scan,) = open_scan(path)
        assert any("1 of 1 pieces" in text for text in scan.info.warnings)
