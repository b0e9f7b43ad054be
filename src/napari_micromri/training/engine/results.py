"""What a run leaves for people: the finished model of the best epoch, and an image of each epoch."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_micromri import __version__
from napari_micromri.io.atomic import atomic_output
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.training.engine.batches import collate
from napari_micromri.training.engine.samples import judged_pair, whole_sample
from napari_micromri.training.figures import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair, TrainingData
    from napari_micromri.training.engine.batches import Batch
    from napari_micromri.training.engine.methods import Method
    from napari_micromri.training.events import Epoch
    from napari_micromri.training.folder import RunFolder


def save_model(
    folder: RunFolder,
    weights: Mapping[str, Tensor],
    method: Method,
    config: TrainConfig,
    data: TrainingData,
    factor: int,
    epoch: Epoch,
) -> None:
    """Write the finished model, with all that says where it comes from."""
    name = _line(config.name or folder.path.resolve().name)
    gain = epoch.validation.psnr - epoch.baseline.psnr
    spec = ModelSpec(
        name=name,
        kind=config.kind,
        config=config.model.model_dump(mode="json"),
        factor=factor,
        upsampling=config.upsampling,
        normalisation=config.normalisation,
        provenance={
            "study": data.source,
            "study_fingerprint": data.fingerprint,
            "split": {subset: list(subjects) for subset, subjects in data.split.items()},
            "slices": {"train": len(data.train), "validation": len(data.validation)},
            "epoch": epoch.epoch,
            "time": epoch.time,
            "validation": _figures(epoch),
            "training": config.model_dump(mode="json"),
            **method.provenance(),
            "versions": {
                "napari-micromri": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        },
        card=ModelCard(
            summary=_line(
                f"{method.label} trained on {data.source or 'slices'}: {gain:+.1f} dB over its input in validation"
            ),
            intended_use="Scans of the protocol that it was trained on.",
            limits="Judged on the validation subjects of its own study only.",
        ),
    )
    save_checkpoint(folder.best, weights, spec, overwrite=True)


def _figures(epoch: Epoch) -> dict[str, dict[str, float | None]]:
    return {
        who: {figure.name: value if np.isfinite(value := getattr(metrics, figure.name)) else None for figure in FIGURES}
        for who, metrics in (("model", epoch.validation), ("input", epoch.baseline))
    }


def _line(text: str) -> str:
    """Leave out what can't stand in one visible line."""
    return "".join(letter for letter in text if letter.isprintable())[:200].strip() or "model"


class ShownSlice:
    """The validation slice in the middle, denoised after each epoch: ``images/epoch_0001.npy`` in the scanner's units.

    ``lr.npy`` and ``hr.npy`` lie beside it, and ``about.json``, which says where it is from.
    """

    def __init__(self, folder: RunFolder, slices: Sequence[SlicePair], config: TrainConfig) -> None:
        number = len(slices) // 2
        pair = judged_pair(slices[number], number, config)
        self._folder = folder
        self._batch = collate([whole_sample(pair, config)], 1)
        folder.images.mkdir(exist_ok=True)
        about: dict[str, Any] = {"key": pair.key, "index": pair.index, "where": getattr(pair, "where", str(pair.index))}
        for size in ("lr_voxel_size", "hr_voxel_size"):
            if hasattr(pair, size):
                about[size] = [float(value) for value in getattr(pair, size)]
        with atomic_output(folder.images / "about.json", overwrite=True, lock=False) as temporary:
            temporary.write_text(json.dumps(about), encoding="utf-8")
        _save(folder.images / "lr.npy", pair.lr)
        _save(folder.images / "hr.npy", pair.hr)

    def save(self, epoch: int, predict: Callable[[Batch], Tensor], to_device: Callable[[Tensor], Tensor]) -> str:
        """Denoise and write it; gives the name of the file in the run."""
        batch = self._batch.map(to_device)
        with torch.no_grad():
            image = predict(batch) * batch.scales + batch.offsets
        path = self._folder.images / f"epoch_{epoch:04d}.npy"
        _save(path, image[0, 0].cpu().numpy())
        return path.relative_to(self._folder.path).as_posix()


def _save(path: Path, image: NDArray[np.float32]) -> None:
    with atomic_output(path, overwrite=True, lock=False) as temporary:
        np.save(temporary, image.astype(np.float32, copy=False), allow_pickle=False)
