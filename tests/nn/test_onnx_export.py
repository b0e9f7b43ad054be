"""What is exported computes what torch computes, and says all that is needed to use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from napari_micromri.cli import main
from napari_micromri.errors import ModelError, OutputExistsError
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.nn.onnx_export import METADATA_KEY, OPSET, export_onnx
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.nn.registry import load_model
from napari_micromri.simulation.resampling import upsample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    ModelFile = Callable[..., Path]

# Exporting takes seconds, so that all tests look at these two, which differ in all that a recipe says.
MODELS: dict[str, dict[str, Any]] = {
    "mean": {
        "config": {"features_main": [4, 6], "convolutions": 1, "patch_size": 2},
        "normalisation": {"kind": "mean"},
        "upsampling": "sinc",
        "factor": 3,
        "provenance": {"seed": 7},
    },
    "zscore": {
        "config": {
            "features_main": [4, 6],
            "convolutions": 1,
            "downsampling": "conv_strided",
            "upsampling": "bicubic",
            "residual": False,
            "noise_input": True,
        },
        "normalisation": {"kind": "zscore"},
        "upsampling": "bicubic",
    },
}
SMALLEST = {"features_main": [4]}
SLICES = 1000 * torch.arange(130.0).reshape(1, 1, 13, 10).sin().abs()
_exported: dict[str, tuple[Path, PlainRestorer]] = {}


@pytest.fixture(params=MODELS)
def exported(
    request: pytest.FixtureRequest, model_file: ModelFile, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, PlainRestorer]:
    """Give the ONNX file of a model, and the model, which was in use before and after."""
    name: str = request.param
    if name not in _exported:
        folder = tmp_path_factory.mktemp(name)
        restorer = load_model(model_file(folder / "small.safetensors", **MODELS[name]))
        assert isinstance(restorer, PlainRestorer)
        restorer.prepare(torch.device("cpu"), torch.bfloat16)
        before = restorer.restore(SLICES)
        path = export_onnx(restorer, folder / "network.onnx")
        assert torch.equal(restorer.restore(SLICES), before)  # exporting leaves the model as it was
        restorer.prepare(torch.device("cpu"), torch.float32)
        _exported[name] = path, restorer
    return _exported[name]


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def _denoise_without_torch(path: Path, image: NDArray[np.float32]) -> NDArray[Any]:
    """Follow the recipe of the file, for one slice (h, w)."""
    session = _session(path)
    recipe = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    offset, scale = {
        "mean": (0, np.abs(image).mean()),
        "zscore": (image.mean(), image.std()),
    }[recipe["normalisation"]["kind"]]
    height, width = (recipe["factor"] * count for count in image.shape)
    given = (upsample(image, (height, width), recipe["upsampling"]) - offset) / scale
    channels = [given]
    if "noise_gain" in recipe:
        channels.append(np.full_like(given, recipe["noise_gain"] * estimate_noise(image).sigma / scale))
    [[[denoised]]] = session.run(None, {"slices": np.stack(channels)[None].astype(np.float32)})
    return denoised * scale + offset


def test_the_numbers_are_torchs_at_any_size(exported: tuple[Path, PlainRestorer]) -> None:
    path, restorer = exported
    session = _session(path)
    channels = restorer.network.config.input_channels
    for shape in [(1, 64, 48), (3, 37, 50), (2, 1, 7)]:
        image = torch.randn(shape[0], channels, *shape[1:])
        with torch.no_grad():
            expected = restorer.network(image).numpy()
        [found] = session.run(["denoised"], {"slices": image.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_recipe_gives_the_whole_restoration(exported: tuple[Path, PlainRestorer]) -> None:
    path, restorer = exported
    expected = restorer.restore(SLICES)[0, 0].numpy()
    np.testing.assert_allclose(_denoise_without_torch(path, SLICES[0, 0].numpy()), expected, atol=0.1)


def test_the_file_describes_itself_and_not_this_computer(exported: tuple[Path, PlainRestorer]) -> None:
    path, restorer = exported
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", OPSET)]
    channels = restorer.network.config.input_channels
    for value, name, count in ((graph.graph.input[0], "slices", channels), (graph.graph.output[0], "denoised", 1)):
        assert value.name == name
        sizes = [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        assert sizes == ["batch", count, "height", "width"]
    [recipe] = [json.loads(entry.value) for entry in graph.metadata_props if entry.key == METADATA_KEY]
    assert recipe["fingerprint"] == restorer.fingerprint
    spec = restorer.spec
    assert (recipe["factor"], recipe["upsampling"], recipe["provenance"]) == (
        spec.factor,
        spec.upsampling,
        spec.provenance,
    )
    assert recipe["card"] == spec.card.model_dump()
    assert b".py" not in path.read_bytes()


def test_refusals(tmp_path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    model, there = model_file(config=SMALLEST), tmp_path / "there.onnx"
    there.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        export_onnx(model, there)
    assert there.read_bytes() == b"mine"
    with pytest.raises(ModelError, match="'nothing'"):
        export_onnx("nothing", tmp_path / "a.onnx")

    class Other:
        spec = load_model(model).spec.model_copy(update={"kind": "wavelets"})
        fingerprint = ""

    with pytest.raises(ModelError, match="wavelets"):
        export_onnx(Other(), tmp_path / "a.onnx")
    monkeypatch.setattr("napari_micromri.nn.onnx_export.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=r"onnx and onnxscript.*pip install"):
        export_onnx(model, tmp_path / "a.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.safetensors", "there.onnx"]


def test_the_command(tmp_path: Path, model_file: ModelFile, capfd: pytest.CaptureFixture[str]) -> None:
    model, output = str(model_file(config=SMALLEST)), tmp_path / "small.onnx"
    assert main(["export", model, str(output)]) == 0
    printed = capfd.readouterr()
    assert printed.out.startswith(f"Wrote {output} (")
    assert printed.out.count("\n") == 1
    assert printed.err == ""
    onnx.checker.check_model(onnx.load(output))

    assert main(["export", model, str(output)]) == 2
    assert str(output) in capfd.readouterr().err
    assert main(["export", model, str(tmp_path / "small.pb")]) == 2
    assert ".onnx" in capfd.readouterr().err
    assert main(["export", "nothing", str(tmp_path / "b.onnx")]) == 2
    assert "'nothing'" in capfd.readouterr().err
