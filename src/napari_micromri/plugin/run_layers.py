"""The layers that show the validation slice of a training run: LR, DL and HR. Needs neither napari nor Qt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.plugin.layers import LayerData, quick_contrast_limits, scan_to_layer
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

RUN_KEY = "micromri_run"
"""In a layer's metadata: the folder of the run that it shows."""

ROLES = ("LR", "DL", "HR")


@dataclass(frozen=True)
class RunSlice:
    """The validation slice before and after the network of one epoch, and as it should be.

    ``key`` and ``where`` say which slice of the study it is, with its place in mm; sizes are those of a pixel, (y, x)
    in mm.
    """

    run: Path
    epoch: int
    lr: NDArray[np.float32]
    dl: NDArray[np.float32]
    hr: NDArray[np.float32]
    lr_size: tuple[float, float]
    hr_size: tuple[float, float]
    key: str
    where: str

    def layers(self) -> dict[str, LayerData]:
        """Make the layers by role; LR overlays the others exactly, DL has the contrast of HR."""
        fine = quick_contrast_limits(self.hr[None])
        made = {}
        for role, image, size, limits in (
            ("LR", self.lr, self.lr_size, quick_contrast_limits(self.lr[None])),
            ("DL", self.dl, self.hr_size, fine),
            ("HR", self.hr, self.hr_size, fine),
        ):
            info = ScanInfo(name=self.name_of(role), axes="yx", voxel_size=size, origin=(size[0] / 2, size[1] / 2))
            data, attributes, kind = scan_to_layer(Scan(image, info), contrast_limits=limits)
            attributes["metadata"][RUN_KEY] = str(self.run)
            made[role] = (data, attributes, kind)
        return made

    def name_of(self, role: str) -> str:
        """Name a layer."""
        return f"{self.run.name} {role}" + (f" epoch {self.epoch}" if role == "DL" else "")

    @property
    def title(self) -> str:
        """Say which slice it is."""
        return f"{self.key}, slice {self.where}"


def load_run_slice(run: Path, epoch: int, image: Path) -> RunSlice:
    """Read the slice as it was after an epoch; made for a thread.

    Raises
    ------
    TrainingError
        A file is gone or damaged.
    """
    folder = image.parent
    about = _read_about(folder / "about.json")
    lr, dl, hr = (_read(path) for path in (folder / "lr.npy", image, folder / "hr.npy"))
    factor = hr.shape[0] / max(1, lr.shape[0])
    hr_size = _size(about.get("hr_voxel_size"), (1.0, 1.0))
    lr_size = _size(about.get("lr_voxel_size"), (hr_size[0] * factor, hr_size[1] * factor))
    where = str(about.get("where", about.get("index", 0)))  # runs of before tell the number alone
    return RunSlice(run, epoch, lr, dl, hr, lr_size, hr_size, str(about.get("key", "")), where)


def _read(path: Path) -> NDArray[np.float32]:
    try:
        image = np.load(path, allow_pickle=False)
    except OSError as error:
        raise TrainingError(describe_os_error(error, path)) from error
    except (ValueError, EOFError) as error:
        raise TrainingError(f"{path} isn't an image, or it is damaged.") from error
    if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype.kind not in "fiu":
        raise TrainingError(f"{path} contains no slice.")
    return image.astype(np.float32, copy=False)


def _read_about(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(describe_os_error(error, path)) from error
    except ValueError as error:
        raise TrainingError(f"{path} is damaged.") from error
    if not isinstance(content, dict):
        raise TrainingError(f"{path} is damaged.")
    return content


def _size(value: object, default: tuple[float, float]) -> tuple[float, float]:
    match value:
        case [float() | int() as y, float() | int() as x] if y > 0 and x > 0:
            return float(y), float(x)
        case _:
            return default
