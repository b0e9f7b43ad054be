from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManifest
from npe2.manifest.utils import import_python_name

import napari_micromri

PATH = Path(napari_micromri.__file__).parent / "napari.yaml"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(PATH)


def test_every_command_leads_to_something(manifest):
    for command in manifest.contributions.commands:
        assert callable(import_python_name(command.python_name)), command.id


def test_every_contribution_has_its_command(manifest):
    known = {command.id for command in manifest.contributions.commands}
    parts = manifest.contributions
    used = {one.command for one in (*parts.readers, *parts.writers, *parts.widgets, *parts.sample_data)}
    used |= {item.command for items in parts.menus.values() for item in items}
    assert used == known


@pytest.mark.parametrize(
    "name", ["a.zarr", "a.ome.zarr", "a.nii", "A.NII.GZ", "image.dcm", "2dseq", "stack.tif", "folder"]
)
def test_scans_of_every_kind_are_claimed(manifest, tmp_path, name):
    from npe2 import PluginManager

    manager = PluginManager()
    manager.register(manifest)
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.touch()
    assert [reader.command for reader in manager.iter_compatible_readers(path)] == ["napari-micromri.read"]


def test_menus_are_ones_that_napari_shows(manifest):
    from napari._app_model.constants._menus import is_menu_contributable

    assert all(is_menu_contributable(menu) for menu in manifest.contributions.menus)
