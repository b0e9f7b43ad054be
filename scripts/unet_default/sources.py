"""The good slices that the shipped model learns from, by source.

Real scans come from the data folder (``MICROMRI_DATA``, default ``../shared/data``); the others need nothing but the
package and scikit-image. Each source is a list of float32 slices with a maximum around 1.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.simulation.digital_mouse import digital_mouse_slice
from napari_micromri.simulation.random_phantoms import random_phantom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
CLEAN_PHANTOMS = (12, 18, 20)
WEIGHTS = {
    "mouse_trunk": 4.0,
    "rat_head": 4.0,
    "geometric_phantoms": 1.5,
    "photographs": 2.5,
    "random_phantoms": 2.0,
    "digital_mouse": 2.0,
}
"""How often a slice is drawn from a source, in relation to the others."""

PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "camera",
    "cat",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "moon",
    "retina",
    "rocket",
)
"""Images that come with scikit-image, without a download."""

LICENCES = {
    "mouse_trunk": "LarsonLab/hyperpolarized-mri-toolbox, BSD-3-Clause style",
    "rat_head": "nipreps/nirodents, Apache-2.0",
    "geometric_phantoms": "Edinburgh-Imaging/PreclinicalMRIPhantomAnalysis, CC BY 4.0",
    "photographs": "images shipped with scikit-image, public domain or CC0 (see its README)",
    "random_phantoms": "made by napari_micromri.simulation.random_phantoms, BSD-3-Clause",
    "digital_mouse": "made by napari_micromri.simulation.digital_mouse, BSD-3-Clause",
}


def data_folder() -> Path:
    """Find the folder of the real scans."""
    folder = Path(os.environ.get("MICROMRI_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit(f"The scans are not at {folder}. Set MICROMRI_DATA to the folder that holds them.")
    return folder


def load_source(name: str, random_count: int = 150, seed: int = 0) -> list[NDArray[np.float32]]:
    """Load all slices of one source."""
    match name:
        case "mouse_trunk":
            volume = _nifti(data_folder() / "t2w_mouse_trunk" / "mouse_trunk_T2w.nii.gz")
            return _scaled(np.moveaxis(volume, 2, 0))
        case "rat_head":
            volume = _nifti(data_folder() / "t2w_rat_head" / "rat_head_T2w.nii.gz")
            return _scaled(np.moveaxis(volume, 1, 0))
        case "geometric_phantoms":
            return [s for number in CLEAN_PHANTOMS for s in load_phantom(number)]
        case "photographs":
            return _photographs()
        case "random_phantoms":
            rng = np.random.default_rng(seed)
            return [random_phantom(rng) for _ in range(random_count)]
        case "digital_mouse":
            rng = np.random.default_rng(seed)
            return [digital_mouse_slice(rng, 256) for _ in range(random_count)]
    raise SystemExit(f"There is no source called {name}.")


def load_phantom(number: int) -> list[NDArray[np.float32]]:
    """Load the slices of one geometric phantom."""
    import tifffile

    return _scaled(tifffile.imread(data_folder() / "phantom_geometric" / f"phantom_{number:02d}.tif"))


def _nifti(path: Path) -> NDArray[Any]:
    import nibabel

    volume: NDArray[Any] = nibabel.nifti1.Nifti1Image.from_filename(path).get_fdata(dtype=np.float32)
    return volume


def _scaled(slices: Sequence[NDArray[Any]] | NDArray[Any]) -> list[NDArray[np.float32]]:
    """Bring a volume to a maximum of about 1; slices with next to nothing in them are left out."""
    top = np.percentile(slices, 99.9)
    scaled = [np.asarray(s, dtype=np.float32) / np.float32(top) for s in slices]
    typical = np.median([s.mean() for s in scaled])
    return [s for s in scaled if s.mean() > 0.2 * typical]


def _photographs() -> list[NDArray[np.float32]]:
    import skimage.data
    from skimage.color import rgb2gray

    images = []
    for name in PHOTOGRAPHS:
        image = getattr(skimage.data, name)()
        gray = rgb2gray(image) if image.ndim == 3 else image / 255
        images += _tiles(gray.astype(np.float32))
    return images


def _tiles(image: NDArray[np.float32], size: int = 256) -> list[NDArray[np.float32]]:
    """Cut a photograph into tiles at its own resolution and at each halved one, which is sharper."""
    tiles = []
    while min(image.shape) >= size * 3 // 4:
        starts = [range(0, max(1, n - size * 3 // 4 + 1), size) for n in image.shape]
        tiles += [image[y : y + size, x : x + size] for y in starts[0] for x in starts[1]]
        rows, columns = image.shape[0] // 2, image.shape[1] // 2
        image = image[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    return tiles
