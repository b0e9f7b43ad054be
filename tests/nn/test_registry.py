"""Finding models: the shipped one, those of one's own folders, and files."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_gradient_magnitude

from napari_micromri.errors import ModelError
from napari_micromri.measure.image_quality import power_ratio, psnr
from napari_micromri.nn import registry
from napari_micromri.nn.registry import ModelEntry, available_models, describe_model, find_model, load_model
from napari_micromri.nn.restorer import Sampling, SamplingRestorer
from napari_micromri.simulation.acquisition import truncate_k_space
from napari_micromri.simulation.digital_mouse import digital_mouse_slice

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


@pytest.mark.parametrize(("name", "kind", "most_steps"), [("unet-default", "unet", 1), ("apddm-default", "apddm", 50)])
def test_the_shipped_models_are_small_and_describe_themselves(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str, most_steps: int
) -> None:
    monkeypatch.delenv(registry.FOLDERS_VARIABLE, raising=False)
    entries = {entry.name: entry for entry in available_models()}
    assert set(entries) == {"unet-default", "apddm-default"}
    entry = entries[name]
    assert (entry.kind, entry.factor, entry.most_steps) == (kind, 2, most_steps)
    assert entry.path.stat().st_size <= 5_000_000
    assert 0 < entry.parameters <= 650_000
    spec = load_model(name).spec
    assert spec.card.summary == entry.summary
    assert spec.card.training_data
    assert spec.card.limits
    assert spec.card.licence
    assert spec.provenance


@pytest.mark.parametrize("name", ["unet-default", "apddm-default"])
def test_a_shipped_model_improves_a_noisy_disc(name: str) -> None:
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    good = 1000 * ((y - 47.5) ** 2 + (x - 47.5) ** 2 < 30**2).float()
    fast = torch.nn.functional.avg_pool2d(good[None, None], 2)
    noisy = torch.hypot(fast + 80 * torch.randn_like(fast), 80 * torch.randn_like(fast))
    restorer = load_model(name)
    inner = (y - 47.5) ** 2 + (x - 47.5) ** 2 < 24**2  # away from the edge, whose blur is no noise
    denoised = restorer.restore(noisy)[0, 0]
    raw = noisy[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert denoised[inner].std() < 0.5 * raw[inner].std()
    assert denoised[inner].mean() == pytest.approx(1000, rel=0.05)


def test_the_shipped_diffusion_model_gives_texture_back_and_is_unsure_at_edges() -> None:
    good = torch.from_numpy(digital_mouse_slice(np.random.default_rng(2), 128).astype(np.float32))[None, None]
    coarse = torch.from_numpy(truncate_k_space(good.numpy(), (64, 64)))
    noise = 0.05 * torch.randn(coarse.shape, dtype=coarse.dtype, generator=torch.Generator().manual_seed(1))
    fast = (coarse + noise).abs().float()
    restorer = load_model("apddm-default")
    assert isinstance(restorer, SamplingRestorer)
    reference = good[0, 0].numpy()
    smooth = restorer.restore(fast)[0, 0].numpy()
    textured = restorer.sample(fast, Sampling(steps=20), [0]).image[0, 0].numpy()
    assert power_ratio(smooth, reference) < power_ratio(textured, reference) < 1.2
    assert psnr(textured, reference) > psnr(smooth, reference) - 1
    spread = restorer.sample(fast, Sampling(steps=5, draws=4, eta=1.0), [0]).spread[0, 0].numpy()
    edges = gaussian_gradient_magnitude(reference, 1.0)
    assert spread[edges > np.quantile(edges, 0.9)].mean() > 1.5 * spread[edges < np.median(edges)].mean()


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
    assert list(entries) == ["apddm-default", "unet-default", "ours", "theirs"]
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
    assert [entry.name for entry in available_models()] == ["apddm-default", "unet-default", "ours"]
    assert find_model("unet-default").parent == registry.PRETRAINED
    assert load_model("ours").spec.factor == 2


def test_what_is_no_model_is_passed_over(folder: Path, model_file: ModelFile) -> None:
    good = model_file(folder / "good.safetensors", name="good")
    (folder / "empty.safetensors").touch()
    (folder / "truncated.safetensors").write_bytes(good.read_bytes()[:-1])
    (folder / "folder.safetensors").mkdir()
    (folder / "dangling.safetensors").symlink_to(folder / "nowhere")
    (folder / "notes.txt").write_text("hello")
    assert [entry.name for entry in available_models()] == ["apddm-default", "unet-default", "good"]


def test_a_path_is_a_model_too(tmp_path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model_file()
    assert find_model(path) == find_model(str(path)) == path
    assert describe_model(path).path == path
    monkeypatch.chdir(tmp_path)
    assert load_model(path.name).spec.name == "small"


@pytest.mark.parametrize("name", ["no-such-model", "no/such/model.safetensors", "nul\0byte"])
def test_an_unknown_name_lists_the_known(name: str) -> None:
    with pytest.raises(ModelError, match=r"apddm-default, unet-default"):
        find_model(name)


def test_a_name_that_no_disk_takes() -> None:
    with pytest.raises(ModelError, match="long"):
        find_model("x" * 5000)
