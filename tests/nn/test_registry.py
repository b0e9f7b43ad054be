"""Finding models: the shipped one, those of one's own folders, and files."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch

from napari_micromri.errors import ModelError
from napari_micromri.nn import registry
from napari_micromri.nn.registry import ModelEntry, available_models, describe_model, find_model, load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    ModelFile = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of models of one's own."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(registry.FOLDERS_VARIABLE, str(folder))
    return folder


def test_the_shipped_model_is_small_and_describes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.FOLDERS_VARIABLE, raising=False)
    [entry] = available_models()
    assert (entry.name, entry.kind, entry.factor) == ("unet-default", "unet", 2)
    assert entry.path.stat().st_size <= 5_000_000
    assert 0 < entry.parameters <= 600_000
    spec = load_model("unet-default").spec
    assert spec.card.summary == entry.summary
    assert spec.card.training_data
    assert spec.card.limits
    assert spec.card.licence
    assert spec.provenance


def test_the_shipped_model_improves_a_noisy_disc() -> None:
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    good = 1000 * ((y - 47.5) ** 2 + (x - 47.5) ** 2 < 30**2).float()
    fast = torch.nn.functional.avg_pool2d(good[None, None], 2)
    noisy = torch.hypot(fast + 80 * torch.randn_like(fast), 80 * torch.randn_like(fast))
    restorer = load_model("unet-default")
    inner = (y - 47.5) ** 2 + (x - 47.5) ** 2 < 24**2  # away from the edge, whose blur is no noise
    denoised = restorer.restore(noisy)[0, 0]
    raw = noisy[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert denoised[inner].std() < 0.5 * raw[inner].std()
    assert denoised[inner].mean() == pytest.approx(1000, rel=0.05)


def test_listing_models_needs_no_torch() -> None:
    code = "import sys; from napari_micromri.nn.registry import *; print(available_models() and 'torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_models_of_ones_own_folders(
    folder: Path, tmp_path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more").mkdir()
    variable = os.pathsep.join(["", str(folder), str(tmp_path / "missing"), str(tmp_path / "more")])
    monkeypatch.setenv(registry.FOLDERS_VARIABLE, variable)
    first = model_file(folder / "b.safetensors", name="ours", factor=3)
    second = model_file(tmp_path / "more" / "a.safetensors", name="theirs")
    entries = {entry.name: entry for entry in available_models()}
    assert list(entries) == ["unet-default", "ours", "theirs"]
    assert entries["ours"] == ModelEntry("ours", "unet", first, "untrained", 3, entries["ours"].parameters)
    assert find_model("theirs") == second
    assert load_model("ours").spec.factor == 3


def test_a_home_folder(tmp_path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(registry.FOLDERS_VARIABLE, "~")
    path = model_file()
    assert find_model("small") == path


def test_the_first_of_a_name_wins(folder: Path, model_file: ModelFile) -> None:
    model_file(folder / "a.safetensors", name="unet-default")
    model_file(folder / "b.safetensors", name="ours", factor=2)
    model_file(folder / "c.safetensors", name="ours", factor=3)
    assert [entry.name for entry in available_models()] == ["unet-default", "ours"]
    assert find_model("unet-default").parent == registry.PRETRAINED
    assert load_model("ours").spec.factor == 2


def test_what_is_no_model_is_passed_over(folder: Path, model_file: ModelFile) -> None:
    good = model_file(folder / "good.safetensors", name="good")
    (folder / "empty.safetensors").touch()
    (folder / "truncated.safetensors").write_bytes(good.read_bytes()[:-1])
    (folder / "folder.safetensors").mkdir()
    (folder / "dangling.safetensors").symlink_to(folder / "nowhere")
    (folder / "notes.txt").write_text("hello")
    assert [entry.name for entry in available_models()] == ["unet-default", "good"]


def test_a_path_is_a_model_too(tmp_path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model_file()
    assert find_model(path) == find_model(str(path)) == path
    assert describe_model(path).path == path
    monkeypatch.chdir(tmp_path)
    assert load_model(path.name).spec.name == "small"


@pytest.mark.parametrize("name", ["no-such-model", "no/such/model.safetensors", "nul\0byte"])
def test_an_unknown_name_lists_the_known(name: str) -> None:
    with pytest.raises(ModelError, match=r"no model called .* Known models: unet-default"):
        find_model(name)


def test_a_name_that_no_disk_takes() -> None:
    with pytest.raises(ModelError, match="is too long"):
        find_model("x" * 5000)
