"""Model files: they come back whole, and whatever is wrong with one is a sentence."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from napari_micromri.errors import ModelError, OutputExistsError
from napari_micromri.nn.checkpoint import FORMAT, ModelCard, ModelSpec, load_weights, read_spec, save_checkpoint
from napari_micromri.nn.network import count_parameters
from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.nn.registry import load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.nn.families.unet.network import UNet

    ModelFile = Callable[..., Path]


def _edited(path: Path, edit: Callable[[dict[str, object]], object], data: bytes | None = None) -> Path:
    """Write a copy whose header was changed; lengths and offsets are as ``edit`` leaves them."""
    content = path.read_bytes()
    [length] = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    copy = path.with_name("edited.safetensors")
    copy.write_bytes(struct.pack("<Q", len(text)) + text + (content[8 + length :] if data is None else data))
    return copy


def _refusal(path: Path) -> str:
    with pytest.raises(ModelError) as refused:
        load_model(path)
    sentence = str(refused.value)
    assert str(path) in sentence
    assert sentence.isprintable()
    assert len(sentence) < 400 + len(str(path))
    return sentence


# -- good files


def test_a_model_comes_back_as_it_was(tmp_path: Path, make_network: Callable[..., UNet]) -> None:
    network = make_network(features_main=(4, 6), activation="prelu", patch_size=2)
    spec = ModelSpec(
        name="mäuse-7T",
        kind="unet",
        config=network.config.model_dump(mode="json"),
        factor=3,
        upsampling="bicubic",
        normalisation=Normalisation(kind="zscore"),
        provenance={"seeds": [1, 2], "split": {"test": ["7", "16"]}, "hours": 1.5},
        card=ModelCard(summary="for a test", training_data={"phantom": "CC0"}, licence="BSD-3-Clause"),
    )
    path = save_checkpoint(tmp_path / "new" / "model.safetensors", network.state_dict(), spec)
    assert read_spec(path) == (spec, count_parameters(network))
    restorer = load_model(path)
    assert restorer.spec == spec
    assert restorer.network.config == network.config
    before, after = network.state_dict(), restorer.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_fingerprint_is_that_of_the_file(model_file: ModelFile) -> None:
    path = model_file()
    assert load_model(path).fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def test_nothing_is_overwritten_unasked(model_file: ModelFile, make_spec: Callable[..., ModelSpec]) -> None:
    path = model_file()
    before = path.read_bytes()
    with pytest.raises(OutputExistsError):
        save_checkpoint(path, {"x": torch.zeros(1)}, make_spec())
    assert path.read_bytes() == before
    save_checkpoint(path, {"x": torch.zeros(1)}, make_spec(name="other"), overwrite=True)
    assert read_spec(path)[0].name == "other"
    assert list(path.parent.iterdir()) == [path]


def test_weights_of_half_and_double_precision_load_as_float32(tmp_path: Path, model_file: ModelFile) -> None:
    spec, _ = read_spec(model_file())
    weights = load_model(model_file(tmp_path / "a.safetensors")).network.state_dict()
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        converted = {name: tensor.to(dtype) for name, tensor in weights.items()}
        path = save_checkpoint(tmp_path / f"{dtype}.safetensors", converted, spec)
        assert {tensor.dtype for tensor in load_model(path).network.state_dict().values()} == {torch.float32}


def test_describing_a_model_needs_no_weights(model_file: ModelFile) -> None:
    path = model_file(config={"features_main": [64, 128]})
    read_spec(path)
    tracemalloc.start()
    read_spec(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * path.stat().st_size


# -- files that are no models


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    torch.save({"weights": Bomb(mark)}, tmp_path / "zipped.pt")
    torch.save({"weights": Bomb(mark)}, tmp_path / "old.safetensors", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.ckpt").write_bytes(pickle.dumps(Bomb(mark)))
    for name in ("zipped.pt", "old.safetensors", "bare.ckpt"):
        assert "never loaded, since they can run code" in _refusal(tmp_path / name)
    assert not mark.exists()
    pickle.loads((tmp_path / "bare.ckpt").read_bytes())  # noqa: S301  # the mark works
    assert mark.exists()


def test_other_files(tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "short": b"\x05\0\0",
        "text": b"hello, this is no model at all",
        "absurd": struct.pack("<Q", 2**62) + b"{}",
        "long": struct.pack("<Q", 99_000_000) + b"{}",
        "list": struct.pack("<Q", 2) + b"[]",
        "zeros": bytes(4096),
        "deep": struct.pack("<Q", 100_000) + b"[" * 100_000,
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        assert "isn't a model file" in _refusal(path)
    with zipfile.ZipFile(tmp_path / "zip.safetensors", "w") as archive:
        archive.writestr("data.pkl", b"x")
    assert "isn't a model file" in _refusal(tmp_path / "zip.safetensors")


def test_a_folder_and_what_is_not_there(tmp_path: Path) -> None:
    assert _refusal(tmp_path) == f"{tmp_path} is a folder; a model is one .safetensors file."
    with pytest.raises(ModelError, match="does not exist"):
        read_spec(tmp_path / "nothing.safetensors")


def test_a_file_that_may_not_be_read(model_file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model_file()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ModelError, match="You may not access"):
        read_spec(path)


def test_another_librarys_weights(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(3)}, tmp_path / "bare.safetensors")
    save_file({"layer.weight": torch.zeros(3)}, tmp_path / "other.safetensors", {"format": "pt"})
    for name in ("bare", "other"):
        assert "not of a model of napari-micromri" in _refusal(tmp_path / f"{name}.safetensors")


# -- our files, damaged


@pytest.mark.parametrize("kept", [0, 7, 8, 100, 0.5, -1])
def test_a_truncated_model(model_file: ModelFile, kept: float) -> None:
    path = model_file()
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert "isn't a model file" in _refusal(path)


@pytest.mark.parametrize(
    ("version", "words"),
    [("2", "a later version"), ("1" * 9, "a later version")]
    + [(text, "which version wrote it") for text in ("", "0", "-1", "1.5", "²", "9" * 5000)],
)
def test_the_version(model_file: ModelFile, version: str, words: str) -> None:
    assert words in _refusal(_edited(model_file(), lambda header: header["__metadata__"].update(version=version)))


@pytest.mark.parametrize(
    "model", ["", "{", "[]", "null", "3", "9" * 5000, "[" * 100_000, '{"name": "\ud800"}', '{"name": 3}', "NaN"]
)
def test_a_description_that_makes_no_sense(model_file: ModelFile, model: str) -> None:
    assert "damaged" in _refusal(_edited(model_file(), lambda header: header["__metadata__"].update(model=model)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "\x1b[2J"),
        ("name", "x" * 1000),
        ("name", "\ud800"),
        ("kind", "un\x07et"),
        ("factor", 0),
        ("factor", 10**9),
        ("upsampling", "magic"),
        ("normalisation", {"kind": "none"}),
        ("card", {}),
        ("config", []),
        ("new\nfield" * 100, 1),
    ],
)
def test_a_field_that_makes_no_sense(model_file: ModelFile, field: str, value: object) -> None:
    def edit(header: dict[str, dict[str, str]]) -> None:
        model = json.loads(header["__metadata__"]["model"])
        header["__metadata__"]["model"] = json.dumps(model | {field: value})

    sentence = _refusal(_edited(model_file(), edit))
    assert field[:3] in sentence
    assert "makes no sense" in sentence


def test_an_unknown_kind(model_file: ModelFile) -> None:
    assert "of the kind 'wavelets'; this version knows unet" in _refusal(model_file(kind="wavelets"))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"features_main": [4, 7]}, "don't fit"),
        ({"features_main": [4]}, "don't fit"),
        ({"features_main": [4, 6], "patch_size": 2}, "don't fit"),
        ({"features_main": [4096] * 8, "convolutions": 8}, "don't fit"),
        ({"features_main": [2**40]}, "'features_main.0' makes no sense"),
        ({"features_main": "many"}, "'features_main' makes no sense"),
        ({"features_main": [4, 6], "attention": True}, "'attention' makes no sense"),
    ],
)
def test_weights_of_another_network(
    tmp_path: Path,
    make_network: Callable[..., UNet],
    make_spec: Callable[..., ModelSpec],
    config: dict[str, object],
    words: str,
) -> None:
    path = save_checkpoint(tmp_path / "a.safetensors", make_network().state_dict(), make_spec(config=config))
    assert words in _refusal(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_no_numbers(
    tmp_path: Path, make_network: Callable[..., UNet], make_spec: Callable[..., ModelSpec], number: float
) -> None:
    weights = {name: tensor.double() for name, tensor in make_network().state_dict().items()}
    weights["bottom.0.weight"][0, 0, 0, 0] = number
    path = save_checkpoint(tmp_path / "a.safetensors", weights, make_spec())
    assert "'bottom.0.weight' are not all numbers" in _refusal(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [0, *[1] * 200], "data_offsets": [0, 0]},
        {"dtype": "BOOL", "shape": [0], "data_offsets": [0, 0]},
    ],
)
def test_a_weight_too_many(model_file: ModelFile, entry: dict[str, object]) -> None:
    assert "don't fit" in _refusal(_edited(model_file(), lambda header: header.update(extra=entry)))


@pytest.mark.parametrize("dtype", ["I32", "U32"])
def test_weights_of_a_wrong_type(model_file: ModelFile, dtype: str) -> None:
    assert "don't fit" in _refusal(_edited(model_file(), lambda header: header["head.bias"].update(dtype=dtype)))


def test_more_weights_than_bytes_reserve_nothing(model_file: ModelFile) -> None:
    def edit(header: dict[str, dict[str, object]]) -> None:
        header["head.bias"] |= {"shape": [2**45], "data_offsets": [0, 2**47]}

    tracemalloc.start()
    assert "isn't a model file" in _refusal(_edited(model_file(), edit))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_shapes_are_compared_before_weights_are_made(model_file: ModelFile) -> None:
    path = model_file()
    with pytest.raises(ModelError, match="don't fit"):
        load_weights(path, {"head.bias": (1,)})


# -- our files, damaged anyhow


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_loads_or_is_a_sentence(model_file: ModelFile, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "damaged.safetensors"
    path.unlink(missing_ok=True)
    content = bytearray(model_file(path).read_bytes())
    [length] = struct.unpack("<Q", content[:8])
    where = st.one_of(st.integers(0, 7), st.integers(8, 8 + length), st.integers(0, len(content) - 1))
    for place in data.draw(st.lists(where, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    try:
        restorer = load_model(path)
    except ModelError as error:
        assert str(error).isprintable()
    else:
        assert restorer.restore(torch.rand(1, 1, 5, 4)).shape[-2:] == (
            5 * restorer.spec.factor,
            4 * restorer.spec.factor,
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from([*ModelSpec.model_fields, "other"]), value=JSON, inner=st.booleans())
def test_any_description_loads_or_is_a_sentence(
    model_file: ModelFile, tmp_path: Path, field: str, value: object, inner: bool
) -> None:
    path = tmp_path / "whole.safetensors"
    path.unlink(missing_ok=True)

    def edit(header: dict[str, dict[str, str]]) -> None:
        model = json.loads(header["__metadata__"]["model"])
        model |= {"config": {"features_main": [4, 6], "convolutions": value}} if inner else {field: value}
        header["__metadata__"]["model"] = json.dumps(model)

    damaged = _edited(model_file(path), edit)
    try:
        loaded = load_model(damaged)
    except ModelError as error:
        assert str(error).isprintable()
    else:
        assert loaded.spec.name.isprintable()


def test_the_format_is_written_down(model_file: ModelFile) -> None:
    content = model_file().read_bytes()
    [length] = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert metadata["format"] == FORMAT == "napari-micromri model"
    assert metadata["version"] == "1"
    assert json.loads(metadata["model"])["config"] == {"features_main": [4, 6]}


def test_a_description_that_would_fill_the_memory_is_not_parsed(model_file: ModelFile) -> None:
    keys = {f"k{number}": 1 for number in range(300_000)}
    path = _edited(model_file(), lambda header: header["__metadata__"].update(model=json.dumps({"config": keys})))
    tracemalloc.start()
    assert "isn't a model file" in _refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
