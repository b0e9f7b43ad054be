"""The networks: what they learn, their model file, and their training as a job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_micromri.cli import main
from napari_micromri.errors import InputError, JobError, ModelError
from napari_micromri.io import open_scan, save_scan
from napari_micromri.ivim import FitOptions, make_model
from napari_micromri.ivim.estimators.learning import Learning, LearningSettings
from napari_micromri.ivim.estimators.network import IvimNetwork, NetworkConfig, load_network, save_network
from napari_micromri.ivim.estimators.trained import Trained, to_images
from napari_micromri.ivim.model import to_voxels
from napari_micromri.ivim.signal import Bounds, biexponential
from napari_micromri.ivim.simulation import PHANTOM_B, phantoms
from napari_micromri.ivim.training_job import (
    EpochDone,
    IvimTrainingReader,
    create_training,
    reopen_training,
    run_ivim_training,
)
from napari_micromri.runs.events import Done, Resumed, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.scan import Scan

SMALL = LearningSettings(features=8, epochs=6, batch=2, rounds=3, delta=1e-9)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ivim") / "phantom"
    assert main(["ivim-simulate", str(out), "--slices", "3", "--size", "16", "--snr", "30"]) == 0
    return out


def test_the_network_gives_biexponential_signals_of_maps_within_bounds() -> None:
    network = IvimNetwork(NetworkConfig(PHANTOM_B, features=8)).eval()
    maps = network(torch.rand(1, len(PHANTOM_B), 6, 5))
    D, f, Dp = maps[0].detach().numpy().astype(float)
    assert (D >= 0).all()
    assert (D <= 0.005).all()
    np.testing.assert_allclose(
        network.signals(maps)[0].detach().numpy(), biexponential(PHANTOM_B, D, f, Dp), rtol=1e-4, atol=1e-6
    )


def test_training_lowers_the_loss_and_the_same_seed_gives_the_same_network() -> None:
    made = phantoms(2, 30, size=16)
    settings = replace(SMALL, epochs=8, batch=1)
    runs = [Trained(FitOptions(), settings).learning(made.signals, made.b_values) for _ in range(2)]
    losses = [[epoch.loss for epoch in run.run()] for run in runs]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 8
    assert losses[0][-1] < 0.8 * losses[0][0]


def test_what_is_outside_the_mask_teaches_nothing() -> None:
    made = phantoms(2, 30, size=16)
    mask = np.ones((2, 16, 16), bool)
    mask[:, 4:9, 3:7] = False
    wild = made.signals.copy()
    wild[:, ~mask] *= 100
    losses = []
    for signals in (made.signals, wild):
        learning = Trained(FitOptions(), SMALL).learning(signals, made.b_values, mask)
        losses.append([epoch.loss for epoch in learning.run()])
    assert losses[0] == losses[1]


def test_signals_to_learn_from_move_towards_predictions_where_they_are_far() -> None:
    made = phantoms(2, 10, size=16)
    images, valid = to_images(to_voxels(made.signals, made.b_values, None, "arithmetic")[0], 3)
    settings = replace(SMALL, method="si_cnn", alpha=0.25, fitting_max=0.05, epochs=1)
    learning = Learning(images, valid, made.b_values, settings)
    next(learning.run())
    _, predicted = learning.predict()
    far = (predicted - images).abs() >= 0.05
    assert far.any()
    torch.testing.assert_close(learning.targets[far], (images + 0.25 * (predicted - images))[far])
    torch.testing.assert_close(learning.targets[~far], images[~far])
    torch.testing.assert_close(learning.measured, images)


def test_a_model_file_fits_another_scan_and_refuses_other_b_values(tmp_path: Path) -> None:
    made = phantoms(2, 30, size=16)
    trained = Trained(FitOptions(), SMALL).learn(made.signals, made.b_values)
    assert trained.network is not None
    path = save_network(tmp_path / "model.safetensors", trained.network, "cnn", {})
    loaded = Trained.from_file(path, method="cnn")
    np.testing.assert_array_equal(
        loaded.fit(made.signals, made.b_values).maps["f"], trained.fit(made.signals, made.b_values).maps["f"]
    )
    with pytest.raises(InputError, match="trained on the b-values"):
        loaded.fit(made.signals, [0, 20, 40, 80, 200, 300, 500, 1000])
    with pytest.raises(ModelError, match="'cnn', not 'si_cnn'"):
        Trained.from_file(path, method="si_cnn")


def test_other_files_are_no_networks(tmp_path: Path) -> None:
    from napari_micromri.nn.registry import PRETRAINED

    with pytest.raises(ModelError, match="kind"):
        load_network(PRETRAINED / "unet-default.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError):
        load_network(tmp_path / "model.safetensors")


def test_single_voxels_have_no_neighbours() -> None:
    with pytest.raises(InputError, match="slices"):
        make_model("cnn").fit(np.ones((8, 30)), PHANTOM_B)


def test_a_training_that_is_stopped_and_resumed_ends_at_the_same_weights(phantom: Path, tmp_path: Path) -> None:
    scans = [{"path": str(phantom / "noisy.nii.gz")}]
    settings = replace(SMALL, method="si_cnn", epochs=4)
    whole = create_training(scans, tmp_path / "whole", settings)
    *_, ending = run_ivim_training(whole)
    assert isinstance(ending, Done)
    part, seen = create_training(scans, tmp_path / "part", settings), []
    events = run_ivim_training(part, lambda: len(seen) >= 5)
    for event in events:
        seen += [event] if isinstance(event, EpochDone) else []
    assert isinstance(event, Stopped)
    first, *_, ending = run_ivim_training(reopen_training(tmp_path / "part"))
    assert isinstance(first, Resumed)
    assert isinstance(ending, Done)
    nets = [load_network(folder.model)[0].state_dict() for folder in (whole, part)]
    for name, weights in nets[0].items():
        torch.testing.assert_close(weights, nets[1][name], rtol=0, atol=0)
    job = IvimTrainingReader(tmp_path / "part").read()
    assert job.state == "done"
    assert [(e.epoch, e.round) for e in job.epochs] == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 2), (6, 3)]


def test_the_commands_train_and_use_a_network(phantom: Path, tmp_path: Path, capsys) -> None:
    run, noisy = str(tmp_path / "run"), str(phantom / "noisy.nii.gz")
    bounds = ["--bounds", "D=0,0.0008 f=0,0.3"]
    assert main(["ivim-train", noisy, run, "--method", "cnn", "--epochs", "2", *bounds]) == 0
    assert "Epoch 2" in capsys.readouterr().out
    command = ["ivim", noisy, str(tmp_path / "maps"), "--method", "cnn", "--model", f"{run}/model.safetensors"]
    assert main(command) == 0
    [f] = open_scan(tmp_path / "maps" / "f.nii.gz")
    assert np.isfinite(f.read()).all()
    assert f.read().max() <= 0.3
    assert load_network(f"{run}/model.safetensors")[0].config.bounds == Bounds(D=(0, 0.0008), f=(0, 0.3))
    assert main([*command[:2], str(tmp_path / "other"), "--method", "lsq", *command[5:]]) == 2
    assert "no model file" in capsys.readouterr().err
    with pytest.raises(JobError, match="holds a training of an IVIM network already"):
        create_training([{"path": noisy}], run, SMALL)


def test_a_training_that_diverges_fails_and_nonsense_never_begins(phantom: Path, tmp_path: Path, capsys) -> None:
    """A loss of NaN was reported as trained, with a model of NaN."""
    command = ["ivim-train", str(phantom / "noisy.nii.gz"), str(tmp_path / "run"), "--epochs", "3"]
    for given, said in (
        ("--learning-rate nan", "learning rate"),
        ("--learning-rate inf", "learning rate"),
        ("--batch 0", "batch"),
        ("--alpha 2", "alpha"),
        ("--seed -1", "seed"),
        ("--seed 99999999999999999999", "seed"),
        ("--method cnn --alpha 0.5", "--alpha is for si_cnn"),
        ("--method cnn --rounds 5", "--rounds is for si_cnn"),
    ):
        assert main([*command, *given.split()]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command, "--learning-rate", "1e30"]) == 2
    assert "no longer a number" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_network_without_b_0_learns_signals_relative_to_the_smallest_b() -> None:
    network = IvimNetwork(NetworkConfig((30, 60, 200, 800)))
    D, f, Dp, b = 1e-3, 0.3, 0.05, np.array([30, 60, 200, 800])
    curve = 700 * (f * np.exp(-b * Dp) + (1 - f) * np.exp(-b * D))
    maps = torch.tensor([D, f, Dp]).view(1, 3, 1, 1)
    np.testing.assert_allclose(network.signals(maps).flatten().numpy(), curve / curve[0], rtol=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_over_voxels() -> None:
    rng = np.random.default_rng(0)
    # Six slices in batches of 5 and 1, with 1 to 36 voxels each; nothing is learned at so small a rate.
    signals = torch.as_tensor(rng.random((6, 4, 6, 6)), dtype=torch.float32)
    valid = torch.as_tensor(np.arange(36).reshape(6, 6) < np.array([1, 4, 9, 16, 25, 36])[:, None, None])[:, None]
    settings = LearningSettings(epochs=1, learning_rate=1e-30, dropout=0.0, features=4)
    learning = Learning(signals, valid, (0, 20, 60, 300), settings)
    [epoch] = learning.run()
    _, predicted = learning.predict()
    errors = ((predicted - signals) ** 2).mean(1, keepdim=True)[valid]
    assert epoch.loss == pytest.approx(float(errors.mean()), rel=1e-5)


def test_a_scan_without_b_values_leaves_no_training(
    tmp_path: Path, make_scan: Callable[..., Scan], capsys: pytest.CaptureFixture[str]
) -> None:
    scan, run = save_scan(make_scan((2, 12, 12)), tmp_path / "plain.nii.gz"), tmp_path / "run"
    assert main(["ivim-train", str(scan), str(run)]) == 2
    assert "has one volume" in capsys.readouterr().err
    assert not run.exists()
