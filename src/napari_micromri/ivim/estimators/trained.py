"""The methods `cnn` and `si_cnn`: a network that is trained on the scan at hand, or comes from a model file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from napari_micromri.errors import CancelledError, InputError, ModelError
from napari_micromri.inference.devices import resolve_device
from napari_micromri.ivim.estimators.learning import Learning, LearningSettings
from napari_micromri.ivim.estimators.network import check_same_b, load_network
from napari_micromri.ivim.model import Estimates, FitOptions, to_fit, to_voxels
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_micromri.ivim.estimators.network import IvimNetwork
    from napari_micromri.ivim.fit import Fit
    from napari_micromri.ivim.model import Voxels
    from napari_micromri.progress import Progress, ShouldStop


@dataclass(frozen=True)
class Trained:
    """A method whose network `learn` trains."""

    options: FitOptions
    settings: LearningSettings = field(default_factory=LearningSettings)
    network: IvimNetwork | None = None
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """Its name in the table of methods."""
        return self.settings.method

    @classmethod
    def from_file(cls, path: Path | str, options: FitOptions | None = None, method: str | None = None) -> Self:
        """Take a trained network; ``method`` is the one that was asked for.

        Raises
        ------
        ModelError
            The file is missing, damaged, or was trained by another method.
        """
        network, trained_by, fingerprint = load_network(path)
        if method is not None and method != trained_by:
            raise ModelError(f"{path} was trained by '{trained_by}', not '{method}'. Choose the method '{trained_by}'.")
        settings = LearningSettings(method=cast("Any", trained_by), kernel=network.config.kernel)
        return cls(options or FitOptions(), settings, network, fingerprint)

    def learn(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Self:
        """Train a network on these slices, unless there is one already; see `Model.learn`."""
        if self.network is not None:
            return self
        learning = self.learning(signals, b_values, mask)
        for epoch in learning.run(should_stop):
            progress(epoch.number, self.settings.most_epochs)
        return replace(self, network=learning.network.cpu().eval())

    def learning(self, signals: NDArray[Any], b_values: Sequence[float], mask: ArrayLike | None = None) -> Learning:
        """Prepare the training on these slices."""
        voxels, _ = to_voxels(signals, b_values, mask, self.options.average)
        images, valid = to_images(voxels, self.settings.kernel)
        device = resolve_device(self.options.device)
        return Learning(images, valid, tuple(voxels.b_values.tolist()), self.settings, device, self.options.bounds)

    def fit(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Fit:
        """See `Model.fit`; without a trained network, it trains one on these signals."""
        if self.network is None:
            model = self.learn(signals, b_values, mask, progress=progress, should_stop=should_stop)
            return model.fit(signals, b_values, mask, progress=progress, should_stop=should_stop)
        voxels, flags = to_voxels(signals, b_values, mask, self.options.average)
        check_same_b(self.network.config, voxels.b_values.tolist())
        images, _ = to_images(voxels, self.settings.kernel)
        device = resolve_device(self.options.device)
        network = self.network.to(device).eval()
        parts = []
        with torch.inference_mode():
            for number, image in enumerate(torch.split(images, 1), 1):
                if should_stop():
                    raise CancelledError("The fit was stopped.")
                parts.append(network(image.to(device)).cpu())
                progress(number, len(images))
        self.network.cpu()
        maps = torch.cat(parts).transpose(0, 1).reshape(3, -1)[:, torch.as_tensor(voxels.where)].numpy()
        values = dict(zip(("D", "f", "Dp"), maps, strict=True)) | {"S0": _best_s0(voxels, maps)}
        return to_fit(self.name, voxels, Estimates(values), flags)


def to_images(voxels: Voxels, kernel: int) -> tuple[Tensor, Tensor]:
    """Lay voxels out as slices (N, B, y, x), 0 where there are none, and tell where there are (N, 1, y, x).

    Raises
    ------
    InputError
        Single voxels, which a network with neighbours can't use.
    """
    grid = voxels.grid
    if kernel > 1 and (len(grid) < 2 or min(grid[-2:]) < 3):
        raise InputError(f"A network that looks at neighbours needs slices, and the signals have the grid {grid}.")
    if len(grid) < 2:
        grid = (1, *grid)
    shape = (int(np.prod(grid[:-2])), *grid[-2:])
    images = np.zeros((int(np.prod(shape)), len(voxels.b_values)), dtype=np.float32)
    images[voxels.where] = voxels.signals
    valid = np.zeros(len(images), dtype=np.float32)
    valid[voxels.where] = 1
    tensor = torch.from_numpy(images.reshape(*shape, -1)).permute(0, 3, 1, 2).contiguous()
    return tensor, torch.from_numpy(valid.reshape(shape))[:, None]


def _best_s0(voxels: Voxels, maps: NDArray[Any]) -> NDArray[Any]:
    """Give the S0, as a fraction of the measured one, with which the curves fit best."""
    D, f, Dp = (m[:, None].astype(np.float64) for m in maps)
    curve = f * np.exp(-voxels.b_values * Dp) + (1 - f) * np.exp(-voxels.b_values * D)
    weight = voxels.counts * curve
    best: NDArray[Any] = (weight * voxels.signals).sum(axis=1) / (weight * curve).sum(axis=1)
    return best


def cnn(options: FitOptions) -> Trained:
    """Make the method `cnn`."""
    return Trained(options, LearningSettings(method="cnn"))


def si_cnn(options: FitOptions) -> Trained:
    """Make the method `si_cnn`."""
    return Trained(options, LearningSettings(method="si_cnn"))
