from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from npe2 import PluginManager, io_utils

from napari_micromri.errors import InputError, OutputExistsError, ReadError
from napari_micromri.io import save_scan
from napari_micromri.plugin.layers import layer_to_scan, scan_to_layer
from napari_micromri.plugin.reader import get_reader
from napari_micromri.plugin.writer import write_folder, write_image

PLUGIN = "napari-micromri"


@pytest.fixture(autouse=True)
def plugins():
    manager = PluginManager.instance()
    manager.discover()
    return manager


def as_layer(scan):
    data, attributes, _ = scan_to_layer(scan)
    return Image(data, **attributes)


@pytest.mark.parametrize("ending", [".ome.zarr", ".zarr", ".nii", ".nii.gz"])
def test_a_layer_saved_from_napari_opens_again_in_its_place(make_scan, tmp_path, ending):
    layer = as_layer(make_scan(voxel_size=(0.6, 0.2, 0.1), origin=(1.0, 2.0, 3.0), subject="mouse 7"))
    path = str(tmp_path / f"scan{ending}")
    assert io_utils.write(path, [layer], plugin_name=PLUGIN) == [path]
    [(data, attributes, kind)] = io_utils.read([path], stack=False, plugin_name=PLUGIN)
    again = Image(data, **attributes)
    assert kind == "image"
    np.testing.assert_array_equal(np.asarray(again.data), layer.data)
    np.testing.assert_allclose(again.scale, layer.scale, rtol=1e-6)
    np.testing.assert_allclose(again.translate, layer.translate, rtol=1e-6)
    assert layer_to_scan(again).info.subject == "mouse 7"


def test_the_ending_may_be_left_out(make_scan, tmp_path):
    written = io_utils.write(str(tmp_path / "scan"), [as_layer(make_scan())], plugin_name=PLUGIN)
    assert written == [str(tmp_path / "scan.ome.zarr")]


def test_several_layers_go_into_a_folder(make_scan, tmp_path):
    layers = [as_layer(make_scan(name=name)) for name in ("fast / 1", "good")]
    written = io_utils.write(str(tmp_path / "pair"), layers, plugin_name=PLUGIN)
    assert written == [str(tmp_path / "pair" / f"{name}.ome.zarr") for name in ("fast _ 1", "good")]


def test_a_folder_of_several_layers_replaces_nothing(make_scan, tmp_path):
    layers = [scan_to_layer(make_scan(name=name)) for name in ("fast", "good")]
    (tmp_path / "good.ome.zarr").mkdir()
    with pytest.raises(OutputExistsError, match=r"good\.ome\.zarr"):
        write_folder(str(tmp_path), layers)
    assert not (tmp_path / "fast.ome.zarr").exists()


def test_layers_of_one_name_are_not_written_over_each_other(make_scan, tmp_path):
    layers = [scan_to_layer(make_scan(name=name)) for name in ("a:b", "a?b")]
    with pytest.raises(InputError, match="same name"):
        write_folder(str(tmp_path / "pair"), layers)
    assert not (tmp_path / "pair").exists()


def test_nothing_is_replaced_unasked(make_scan, tmp_path):
    data, attributes, _ = scan_to_layer(make_scan())
    path = tmp_path / "scan.nii"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="already"):
        write_image(str(path), data, attributes)
    assert path.read_text() == "precious"


def test_the_reader_leaves_what_is_not_ours_to_others(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("no scan")
    assert get_reader(str(tmp_path / "folder")) is None
    assert get_reader(str(tmp_path / "notes.txt")) is None
    assert get_reader(str(tmp_path / "missing.nii")) is None


def test_several_paths_open_together(make_scan, tmp_path):
    paths = [str(save_scan(make_scan(name=name), tmp_path / f"{name}.zarr")) for name in ("a", "b")]
    reader = get_reader(paths)
    assert reader is not None
    assert [attributes["name"] for _, attributes, _ in reader(paths)] == ["a", "b"]


def test_a_damaged_file_gives_its_sentence(tmp_path):
    path = tmp_path / "cut.nii"
    path.write_bytes(b"\x5c\x01\x00\x00" + b"\x00" * 100)
    reader = get_reader(str(path))
    if reader is not None:
        with pytest.raises(ReadError, match=r"cut\.nii"):
            reader(str(path))


def test_a_paravision_study_opens_as_the_layer_of_its_most_telling_scan(data_dir):
    """Its three scans have one grid, and the folder beside them holds a localizer of a finer one."""
    path = str(data_dir / "bruker")
    [(data, attributes, _)] = io_utils.read([path], stack=False, plugin_name=PLUGIN)
    assert attributes["name"] == "EPI-SE-FOVsat transaxial"
    assert data.shape == (5, 64, 80)
    assert attributes["units"] == ("millimeter",) * 3
