"""The good slices that the shipped models learn from, by source.

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

VOLUMES: dict[str, tuple[tuple[str, int, slice], ...]] = {
    "mouse_trunk": (("t2w_mouse_trunk/mouse_trunk_T2w.nii.gz", 2, slice(None)),),
    "rat_head": (("t2w_rat_head/rat_head_T2w.nii.gz", 1, slice(None)),),
    # The longest inversion times: the only ones whose SNR makes a target.
    "mouse_head": (("mouse_head_ir/mouse_head_IR_mag.nii.gz", 2, slice(9, 12)),),
    "rat_body": (("rat_body_bssfp/rat_body_bSSFP_mean4.nii.gz", 2, slice(None)),),
    "human_t2tse": (("human_brain_t2tse/human_brain_T2w_TSE.nii.gz", 2, slice(None)),),
    "human_3t": tuple(
        (f"human_brain_3t_ulf/s{person}_3T_{contrast}.nii.gz", 2, slice(None))
        for person in range(1, 7)
        for contrast in ("T2w", "T1w", "FLAIR")
    ),
    "human_pd": (("human_brain_pd_fse/human_brain_PD_FSE.nii.gz", 2, slice(None)),),
    "human_t1": tuple((f"human_brain_t1_fl2d/{name}_T1_fl2d_sag.nii.gz", 2, slice(None)) for name in ("HFP", "HFS")),
}
"""Files of each source, the array axis that slices lie along, and which indices count of a fourth axis."""

SOURCES = (*VOLUMES, "geometric_phantoms", "photographs", "random_phantoms", "digital_mouse")

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
    "mouse_head": "BeataWereszczynska/T1wIR_to_T1wSR, CC BY 4.0",
    "rat_body": "LarsonLab/hyperpolarized-mri-toolbox, BSD-3-Clause style",
    "human_t2tse": "openmrslab/suspect, MIT",
    "human_3t": "bispmri/Ultra-low-field-MRI-Scanner, CC0 1.0",
    "human_pd": "rii-mango/Papaya, BSD-3-Clause wording",
    "human_t1": "neurolabusc/dcm_qa_decubitus, BSD-2-Clause",
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
    if name in VOLUMES:
        return [image for file, axis, kept in VOLUMES[name] for image in _scaled(_slices(file, axis, kept))]
    match name:
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


def _slices(file: str, axis: int, kept: slice) -> list[NDArray[np.float32]]:
    import nibabel

    volume = nibabel.nifti1.Nifti1Image.from_filename(data_folder() / file).get_fdata(dtype=np.float32)
    echoes = [volume] if volume.ndim == 3 else [volume[..., k] for k in range(volume.shape[3])[kept]]
    return [np.asarray(image) for echo in echoes for image in np.moveaxis(echo, axis, 0)]


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
