"""Training of an IVIM network as a background job: its folder, events, and how it is resumed.

Beside the files of every job (`napari_micromri.runs.folder`) the folder holds ``model.safetensors``, the network as it
is, ready for use, and ``last.safetensors``, all that is needed to continue.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from napari_micromri import __version__
from napari_micromri.errors import CancelledError, InputError, JobError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.ivim.signal import Bounds
from napari_micromri.progress import never
from napari_micromri.runs.events import Done, Event, Progress, Resumed, Started, Stopped, by_name
from napari_micromri.runs.folder import JobFolder
from napari_micromri.runs.kinds import JobKind
from napari_micromri.runs.reading import Job, JobReader
from napari_micromri.runs.record import create_job, describe, reopen_job, run_job
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_micromri.ivim.estimators.learning import Learning, LearningSettings
    from napari_micromri.progress import ShouldStop

KEEP_EVERY = 5
"""Epochs between two checkpoints."""


@dataclass(frozen=True, kw_only=True)
class EpochDone(Event):
    """An epoch with its mean loss; ``round`` and ``change`` (of the signals) are 0 before they are improved."""

    name: ClassVar[str] = "ivim-epoch"
    epoch: int
    loss: float
    round: int = 0
    change: float = 0.0


class IvimTrainingFolder(JobFolder):
    """The files of such a job. Making the object touches nothing."""

    kind = "ivim"
    label = "training of an IVIM network"
    events_read = by_name(EpochDone)
    needed = JobFolder.needed | {"scans"}
    results = ("model.safetensors", "last.safetensors")

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.model, self.last = (self.path / name for name in self.results)


@dataclass(frozen=True, kw_only=True)
class IvimTraining(Job):
    """Such a job as it was when it was read; ``epochs`` are its curves."""

    folder_of: ClassVar[type[JobFolder]] = IvimTrainingFolder
    epochs: tuple[EpochDone, ...] = ()


class IvimTrainingReader(JobReader[IvimTraining]):
    """Reads such a job again and again."""

    job = IvimTraining

    def _forget(self) -> None:
        super()._forget()
        self._epochs: dict[int, EpochDone] = {}

    def _take(self, event: Event) -> None:
        super()._take(event)
        if isinstance(event, EpochDone):
            self._epochs[event.epoch] = event  # one that was trained again after a kill counts once

    def _facts(self) -> dict[str, Any]:
        return {"epochs": tuple(self._epochs[k] for k in sorted(self._epochs))}


def create_training(
    scans: Sequence[Mapping[str, Any]],
    path: Path | str,
    settings: LearningSettings,
    bounds: Bounds | None = None,
    *,
    overwrite: bool = False,
) -> IvimTrainingFolder:
    """Make the folder of a training; it is yet to begin.

    Parameters
    ----------
    scans
        For each: ``path`` and, where needed, ``b_values`` and ``mask`` (a path).
    bounds
        Of the maps that the network gives; None: the usual ones.

    Raises
    ------
    JobError
        The folder holds a job and ``overwrite`` is False, another process is working on it, or it holds something else.
    ReadError, InputError
        A scan can't be read, or isn't a diffusion series.
    """
    for scan in scans:
        _open(scan)
    content = {"scans": [dict(scan) for scan in scans], "config": asdict(settings)}
    content |= {"bounds": asdict(bounds or Bounds())}
    create_job(IvimTrainingReader, path, content, overwrite=overwrite)
    return IvimTrainingFolder(path)


def reopen_training(path: Path | str) -> IvimTrainingFolder:
    """Make a training ready to be resumed.

    Raises
    ------
    JobError
        It is finished, or a process is still working on it.
    """
    reopen_job(IvimTrainingReader(path).read())
    return IvimTrainingFolder(path)


def run_ivim_training(folder: IvimTrainingFolder, should_stop: ShouldStop = never) -> Iterator[Event]:
    """Train in a folder that `create_training` or `reopen_training` gave, and record what happens (see `run_job`)."""
    return run_job(folder, lambda asked: _train(folder, asked), should_stop, words=words)


def _train(folder: IvimTrainingFolder, should_stop: ShouldStop) -> Iterator[Event]:
    learning = _prepare(folder)
    resumed = _restore(learning, folder)
    begun, total = len(learning.losses), learning.settings.most_epochs
    note = f"{counted(len(learning.measured), 'slice')}, {learning.settings.method}."
    yield Resumed(note=note) if resumed else Started(note=note)
    try:
        for epoch in learning.run(should_stop):
            yield EpochDone(epoch=epoch.number, loss=epoch.loss, round=epoch.round, change=epoch.change)
            yield Progress(done=epoch.number, total=total, before=begun, text=f"epoch {epoch.number}")
            if epoch.number % KEEP_EVERY == 0:
                _keep(learning, folder)
    except CancelledError:
        _keep(learning, folder)
        yield Stopped(message=f"Stopped after {counted(len(learning.losses), 'epoch')}.")
        return
    _keep(learning, folder)
    yield Done(message=f"Trained for {counted(len(learning.losses), 'epoch')}. The model is {folder.model}.")


def _prepare(folder: IvimTrainingFolder) -> Learning:
    import torch

    from napari_micromri.ivim.estimators.learning import Learning, LearningSettings
    from napari_micromri.ivim.estimators.network import check_same_b
    from napari_micromri.ivim.estimators.trained import to_images
    from napari_micromri.ivim.model import to_voxels

    content = folder.read_settings()
    settings = LearningSettings(**content["config"])
    images, valid, b_values = [], [], None
    for described in content["scans"]:
        series = _open(described)
        for number in series.filled():
            voxels, _ = to_voxels(series.read(number), series.b_values, series.mask_of(number), "arithmetic")
            found = to_images(voxels, settings.kernel)
            b_values = b_values or tuple(voxels.b_values.tolist())
            _same(b_values, voxels.b_values.tolist(), str(described["path"]), check_same_b)
            images.append(found[0])
            valid.append(found[1])
    if b_values is None:
        raise InputError("There are no slices to train on.")
    height, width = (max(image.shape[axis] for image in images) for axis in (-2, -1))

    def padded(parts: list[torch.Tensor]) -> torch.Tensor:
        pad = torch.nn.functional.pad
        return torch.cat([pad(p, (0, width - p.shape[-1], 0, height - p.shape[-2])) for p in parts])

    bounds = Bounds.of(content.get("bounds", {}))
    return Learning(padded(images), padded(valid), b_values, settings, bounds=bounds)


def _same(b_values: tuple[float, ...], others: list[float], path: str, check: Any) -> None:
    from napari_micromri.ivim.estimators.network import NetworkConfig

    try:
        check(NetworkConfig(b_values), others)
    except InputError as error:
        raise InputError(
            f"{path} has other b-values than the scans before it. Train a network for each set."
        ) from error


def _open(described: Mapping[str, Any]) -> Any:
    from napari_micromri.io import open_scan
    from napari_micromri.ivim.series import Series

    path, mask = described["path"], described.get("mask")
    scans = open_scan(path)
    if len(scans) != 1:
        raise InputError(f"{path} holds {len(scans)} scans. Name the folder or file of one.")
    return Series.of(scans[0], described.get("b_values"), open_scan(mask)[0] if mask else None)


def _keep(learning: Learning, folder: IvimTrainingFolder) -> None:
    """Write the state and the model, each in one step."""
    from safetensors.torch import save

    from napari_micromri.ivim.estimators.network import save_network

    tensors = {f"network.{name}": t for name, t in learning.network.state_dict().items()}
    for number, moments in learning.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": t for name, t in moments.items()}
    tensors["targets"] = learning.targets
    note = {"losses": json.dumps(learning.losses), "round": str(learning.round)}
    content = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, note)
    with atomic_output(folder.last, overwrite=True, lock=False) as temporary:
        temporary.write_bytes(content)
    settings = folder.read_settings()
    provenance = {"scans": settings["scans"], "epochs": len(learning.losses), "version": __version__}
    provenance |= {"settings": settings["config"]}
    save_network(folder.model, learning.network, learning.settings.method, provenance, overwrite=True)


def _restore(learning: Learning, folder: IvimTrainingFolder) -> bool:
    """Go back to the last checkpoint; False when there is none."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    if not folder.last.exists():
        return False
    try:
        tensors = load_file(folder.last)
        with safe_open(folder.last, framework="pt") as file:
            note = file.metadata()
        adam: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "adam":
                number, _, moment = rest.partition(".")
                adam.setdefault(int(number), {})[moment] = tensor
        weights = {n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")}
        learning.network.load_state_dict(weights)
        groups = learning.optimizer.state_dict()["param_groups"]
        learning.optimizer.load_state_dict({"state": adam, "param_groups": groups})
        if tensors["targets"].shape != learning.targets.shape:
            raise JobError(f"The scans of {folder.path} are not those that the training began with.")
        learning.targets = tensors["targets"].to(learning.device)
        learning.losses, learning.round = list(json.loads(note["losses"])), int(note["round"])
    except OSError as error:
        raise JobError(describe_os_error(error, folder.last)) from error
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise JobError(f"{folder.last} is damaged. Start the training again in a new folder.") from error
    return True


def words(event: Event) -> str | None:
    """Say in one line what happened."""
    if isinstance(event, EpochDone):
        improved = f", round {event.round}: signals moved by {event.change:.2g}" if event.round else ""
        return f"Epoch {event.epoch}: loss {event.loss:.4g}{improved}"
    return describe(event)


IVIM_TRAINING = JobKind(reader=IvimTrainingReader, run=run_ivim_training, words=words)
