"""Export networks to ONNX, for programs that have no torch.

The file holds the network, from a slice that is normalised and on the fine grid to the denoised slice, for any number
of slices of any height and width. What surrounds the network is described in its metadata.
"""

from __future__ import annotations

import copy
import json
import logging
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_micromri.errors import ModelError, OutputExistsError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.nn.preparation import NOISE_GAIN
from napari_micromri.nn.registry import load_model
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.restorer import Restorer

OPSET = 18
"""Version of ONNX's operators: the oldest that torch writes without converting, so that most programs can read it."""

METADATA_KEY = "napari-micromri"
"""Entry of the file's ``metadata_props`` that holds the recipe, as JSON."""

RECIPE = (
    "For each slice of shape (h, w): (1) compute offset and scale from the slice as 'normalisation' says (mean: "
    "offset 0, scale the mean of the absolute values; zscore: offset the mean, scale the population standard "
    "deviation); (2) bring the slice to (factor h, factor w) with 'upsampling' over the same field of view, edge to "
    "edge (sinc: zero-filling k-space, with the half-pixel shift that keeps the edges in place); (3) subtract offset, "
    "divide by scale; (4) run the network on float32 (N, C, factor h, factor w): C is 1, or 2 where 'noise_gain' is "
    "given: then the second channel is constant: noise_gain times the standard deviation of the slice's noise (of "
    "each channel of the complex signal) over scale; (5) multiply by scale, add offset. A slice that is constant is "
    "its own result."
)


def export_onnx(model: str | Path | Restorer, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write the network of a model as an ONNX file, whole or not at all.

    Its input ``slices`` and its output ``denoised`` are float32 of shape (batch, channels, height, width), all but the
    channels free. The output has one channel; so has the input, or two where the model is told the noise.
    The entry ``napari-micromri`` of its metadata is JSON: a ``recipe`` in words, and name, ``factor``, ``upsampling``,
    ``normalisation``, ``provenance`` and ``card`` of the model, and the ``fingerprint`` of its file.

    Parameters
    ----------
    model
        Name of a known model, a model file, or a loaded model, which stays as it is.

    Raises
    ------
    ModelError
        The model can't be loaded or takes several steps, or the packages of the extra ``onnx`` are missing.
    WriteError
        See `napari_micromri.io.atomic.atomic_output`.
    """
    _check_packages()
    path = Path(path)
    if path.exists() and not overwrite:  # before the work, not after it
        raise OutputExistsError(path)
    restorer = load_model(model) if isinstance(model, str | Path) else model
    if not isinstance(restorer, PlainRestorer):
        raise ModelError(
            f"'{restorer.spec.name}' is of the kind '{restorer.spec.kind}'; only networks that denoise in one step can "
            "be exported."
        )
    graph = _trace(restorer.network, restorer.network.config.input_channels)
    graph.doc_string = restorer.spec.card.summary
    entry = graph.metadata_props.add()
    entry.key, entry.value = (
        METADATA_KEY,
        _describe(restorer.spec, restorer.fingerprint, takes_noise=restorer.takes_noise),
    )
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(graph.SerializeToString())
    return path


def _check_packages() -> None:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"Exporting to ONNX needs {' and '.join(missing)}. Install with: pip install 'napari-micromri[onnx]'"
        )


def _trace(network: nn.Module, channels: int) -> Any:
    """Give the network as an ``onnx.ModelProto`` with free batch, height and width."""
    network = copy.deepcopy(network).to("cpu", torch.float32).eval()
    example = torch.zeros(
        2, channels, 37, 46
    )  # sizes that are no multiple of anything, so that nothing is taken for granted
    names = {0: "batch", 2: "height", 3: "width"}
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["slices"],
            output_names=["denoised"],
            opset_version=OPSET,
            dynamic_shapes=(dict.fromkeys(names, torch.export.Dim.AUTO),),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    graph = program.model_proto
    # What torch notes for debugging holds paths of this computer, and its own names for the sizes.
    del graph.graph.value_info[:]
    for part in (*graph.graph.node, *graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del part.metadata_props[:]
    for value in (*graph.graph.input, *graph.graph.output):
        for axis, name in names.items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporter says to developers: a package that it doesn't need here, functions it should not call."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        logger.setLevel(before)


def _describe(spec: ModelSpec, fingerprint: str, *, takes_noise: bool) -> str:
    known = spec.model_dump(mode="json", exclude={"config"})
    gain = {"noise_gain": NOISE_GAIN} if takes_noise else {}
    return json.dumps({"recipe": RECIPE, **known, **gain, "fingerprint": fingerprint}, ensure_ascii=False)
