"""All that changes while a model learns, and its file: weights, optimizer, schedule, average, place in the epoch.

The file is a safetensors file whose header holds everything that is not an array, as JSON. It is replaced in one step,
so a kill at any moment leaves the old one or the new one, and nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.training.engine.optimisation import Patience, Rate, make_average, make_optimizer

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_fabric import Fabric
    from torch import Tensor

    from napari_micromri.nn.network import Network
    from napari_micromri.training.config import TrainConfig

FORMAT = "napari-micromri training state"
VERSION = 1


@dataclass
class Place:
    """Where a run is: ``batch`` batches of ``epoch`` are learned. ``loss`` is summed over them, ``seconds`` as well.

    A last batch that is smaller counts by its part. ``before`` are the seconds of learning in earlier epochs.
    ``smoothed`` is the loss averaged over the last batches, ``least`` its smallest value.
    """

    epoch: int = 1
    batch: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    smoothed: float | None = None
    least: float | None = None
    before: float = 0.0

    def next_epoch(self) -> None:
        """Go to the beginning of the next epoch."""
        self.before += self.seconds
        self.epoch, self.batch, self.loss, self.seconds = self.epoch + 1, 0, 0.0, 0.0

    def passed(self, minutes: float | None) -> float | None:
        """Part of the time for learning that is over; None where there is no limit."""
        return None if minutes is None else (self.before + self.seconds) / (60 * minutes)


class Learner:
    """A network and everything that moves while it learns."""

    def __init__(self, network: Network, config: TrainConfig, fabric: Fabric, batches: int) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
        self._optimizer = make_optimizer(network.parameters(), config)
        self.model, self.optimizer = fabric.setup(self.network, self._optimizer)
        self.rate = Rate(self._optimizer, config, batches)
        self.average = make_average(self.network, config)
        self.patience = Patience(config.patience, config.least_epochs)
        self.place = Place()
        self._fabric = fabric

    @property
    def judged(self) -> Network:
        """The network that is validated and kept: the average, when there is one."""
        network: Network = self.network if self.average is None else self.average.module  # type: ignore[assignment]
        return network

    def save(self, path: Path, fingerprint: str) -> None:
        """Write the state, whole or not at all.

        Raises
        ------
        TrainingError
            The weights are not all finite: such a state is worth less than the one that is there.
        WriteError
            See `napari_micromri.io.atomic.atomic_output`.
        """
        from safetensors.torch import save

        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise TrainingError(
                "The weights are no longer numbers. Lower the learning rate, or limit gradients (clip)."
            )
        arrays, rest = self._content()
        description = json.dumps(rest | {"fingerprint": fingerprint})
        content = save(arrays, {"format": FORMAT, "version": str(VERSION), "state": description})
        with atomic_output(path, overwrite=True, lock=False) as temporary, temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def load(self, path: Path) -> str:
        """Take over a state; gives the fingerprint of the data that it has learned from.

        Raises
        ------
        TrainingError
            The file is missing, damaged, or of another run.
        """
        arrays, rest = _read(path)
        try:
            self.network.load_state_dict(_under("network.", arrays))
            if self.average is not None:
                self.average.load_state_dict(_under("average.", arrays))
            self._optimizer.load_state_dict(_join(arrays, rest["optimizer"]))
            if self.rate.scheduler is not None:
                self.rate.scheduler.load_state_dict(rest["scheduler"])
            self._fabric.strategy.precision.load_state_dict(rest["precision"])
            self.patience.best, self.patience.best_epoch = rest["best"], rest["best_epoch"]
            self.place = Place(**rest["place"])
            return str(rest["fingerprint"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path} belongs to another run or version; start a new run.") from error

    def _content(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        optimizer = self._optimizer.state_dict()
        arrays = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        if self.average is not None:
            arrays |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        plain: dict[str, dict[str, Any]] = {}
        for number, entries in optimizer["state"].items():
            arrays |= {f"optimizer.{number}.{k}": v for k, v in entries.items() if isinstance(v, torch.Tensor)}
            plain[str(number)] = {k: v for k, v in entries.items() if not isinstance(v, torch.Tensor)}
        rest = {
            "optimizer": {"groups": optimizer["param_groups"], "plain": plain},
            "scheduler": self.rate.scheduler.state_dict() if self.rate.scheduler is not None else None,
            "precision": self._fabric.strategy.precision.state_dict(),
            "best": self.patience.best,
            "best_epoch": self.patience.best_epoch,
            "place": asdict(self.place),
        }
        return {name: value.detach().cpu().contiguous() for name, value in arrays.items()}, rest


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        path.open("rb").close()
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or metadata.get("version") != str(VERSION):
                raise TrainingError(f"{path} isn't the state of a training run of this version.")
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        state = json.loads(metadata["state"])
    except FileNotFoundError as error:
        raise TrainingError(f"There is no checkpoint in {path.parent} to resume from. Start a new run.") from error
    except OSError as error:
        raise TrainingError(describe_os_error(error, path)) from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} is damaged. Start a new run; init_from can take its best.safetensors.") from error
    return arrays, state


def _under(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _join(arrays: dict[str, Tensor], saved: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(number): dict(plain) for number, plain in saved["plain"].items()}
    for name, value in _under("optimizer.", arrays).items():
        number, _, key = name.partition(".")
        # As the weights are laid out, or the optimizer would take the slow way through them.
        fits = value.ndim == 4
        state[int(number)][key] = value.contiguous(memory_format=torch.channels_last) if fits else value
    return {"state": state, "param_groups": saved["groups"]}
