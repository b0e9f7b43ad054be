"""Can a score tell that a scan is unlike what a model learned from? A trial of two, on scans of mice, men and phantoms.

The score of a slice is its Mahalanobis distance from slices that are known, either of ten simple figures of the fast
slice (noise, signal, edges, frequencies) or of the mean and spread of each channel at the bottom of ``unet-default``.
Its threshold is that which one in twenty of other slices of the known sources passes. A score is of use when it stays
silent on *new* sources of the kind that is known, as every scan of a user is one, and not on others:

- ``known, other slices``: half of the slices of each known source that the score wasn't fitted to,
- ``new rodents``: a rodent source that is left out, in turn,
- ``human``, ``phantom``: what the known sources, rodents alone, don't hold.

    python benchmarks/unlike.py --update docs/uncertainty.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from quality import HERE, fast_slice, put_between
from scipy import ndimage
from scipy.stats import rankdata

from napari_micromri.measure.image_quality import foreground
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import MEASURED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Values = NDArray[Any]
    Features = Callable[[Values], Values]

sys.path.insert(0, str(HERE.parent / "scripts" / "models"))
from sources import data_folder, load_source

RODENTS = ("mouse_trunk", "rat_head", "mouse_head", "rat_body", "digital_mouse")
HUMANS = ("human_t2tse", "human_3t", "human_pd", "human_t1")
PHANTOMS = ("geometric_phantoms", "phantom_acr", "lego")
FALSE_ALARMS = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=24, help="slices of each source (default %(default)s)")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    fast = {name: list(fast_slices(name, options.most)) for name in (*RODENTS, *HUMANS, *PHANTOMS)}
    heads = ["AUC against known", "against new rodents", "flagged, 5 % of known", "flagged, 5 % of new rodents"]
    lines = [f"| figures | scans | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * len(heads)]
    for label, features in (("of the slice", slice_figures), ("of the network", bottom_figures())):
        found = {name: np.stack([features(image) for image in images]) for name, images in fast.items()}
        lines += [f"| {label} | {row} |" for row in trial(found)]
    print("\n".join(lines))
    for document in options.update:
        put_between(Path(document), "unlike", "\n".join(lines))


def fast_slices(source: str, most: int) -> Iterable[Values]:
    """Simulate fast slices of a source, each at an SNR by chance that the models know."""
    if source == "lego":
        from napari_micromri.simulation.samples import lego_phantom

        good = list(lego_phantom()[1].read())
    elif source == "phantom_acr":
        import nibabel

        volumes = sorted((data_folder() / source).glob("*_T[12].nii.gz"))
        loaded = [nibabel.nifti1.Nifti1Image.from_filename(path).get_fdata(dtype=np.float32) for path in volumes]
        good = [volume[..., k] for volume in loaded for k in range(volume.shape[-1])]
    else:
        good = load_source(source, random_count=most)
    rng = np.random.default_rng(len(source))
    for k in np.unique(np.linspace(0, len(good) - 1, min(most, len(good))).astype(int)):
        height, width = (size // 2 * 2 for size in good[k].shape)
        yield fast_slice(good[k][:height, :width], float(np.exp(rng.uniform(*np.log((5, 40))))), int(k))


def slice_figures(image: Values) -> Values:
    """Ten figures of a fast slice that no unit and no position changes."""
    inside = foreground(image)
    mean = image[inside].mean()
    relative = image / mean
    noise = estimate_noise(image).sigma / mean
    edges = ndimage.gaussian_gradient_magnitude(relative, 1.0)
    power = np.abs(np.fft.fft2(relative)) ** 2
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in image.shape), indexing="ij"))
    rings = [power[(radius >= low) & (radius < low + 0.1)].mean() for low in (0.02, 0.12, 0.22, 0.32)]
    values = [noise, inside.mean(), edges[inside].mean(), edges[inside].std(), relative[inside].std(), *rings]
    return np.log(np.array([*values, np.percentile(relative[inside], 95)]) + 1e-4)


def bottom_figures() -> Features:
    """Mean and standard deviation of each channel at the coarsest level of the shipped network."""
    model: Any = load_model("unet-default")
    seen: list[torch.Tensor] = []
    model.network.bottom.register_forward_hook(lambda *given: seen.append(given[2]))

    def features(image: Values) -> Values:
        model.restore(torch.from_numpy(image)[None, None], noise=MEASURED)
        level = seen.pop()[0].flatten(1)
        return torch.cat([level.mean(1), level.std(1)]).numpy().astype(float)

    return features


class Distance:
    """Mahalanobis distance from what it was fitted to; the covariance is shrunk towards its diagonal."""

    def __init__(self, known: Values, shrinkage: float = 0.5) -> None:
        self.mean, self.scale = known.mean(0), known.std(0) + 1e-9
        covariance = np.cov((known - self.mean) / self.scale, rowvar=False)
        self.inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * np.eye(known.shape[1]))

    def __call__(self, values: Values) -> Values:
        """Give the squared distance of each row."""
        away = (values - self.mean) / self.scale
        return np.asarray(np.einsum("ij,jk,ik->i", away, self.inverse, away))


def trial(found: dict[str, Values]) -> Iterable[str]:
    """Fit to half of the slices of known rodents, each left out in turn, and score all others; rows of a table."""
    scores: dict[str, list[Values]] = {}
    for left_out in RODENTS:
        known = [found[name] for name in RODENTS if name != left_out]
        distance = Distance(np.concatenate([one[::2] for one in known]))
        others = {f"new: {left_out}": found[left_out]} | {name: found[name] for name in (*HUMANS, *PHANTOMS)}
        for name, values in ({"known": np.concatenate([one[1::2] for one in known])} | others).items():
            scores.setdefault(name, []).append(distance(values))
    joined = {name: np.concatenate(several) for name, several in scores.items()}
    new = np.concatenate([values for name, values in joined.items() if name.startswith("new")])
    for name, values in ({"all new rodents": new} | joined).items():
        limits = [np.quantile(one, 1 - FALSE_ALARMS) for one in (joined["known"], new)]
        cells = [f"{auc(values, one):.2f}" for one in (joined["known"], new)]
        cells += [f"{100 * np.mean(values > limit):.0f} %" for limit in limits]
        yield f"{name.replace('_', ' ')} | {' | '.join(cells)}"


def auc(higher: Values, lower: Values) -> float:
    """Give the chance that one of the first lies above one of the second."""
    count = len(higher)
    ranks = rankdata(np.concatenate([higher, lower]))[:count]
    return float((ranks.sum() - count * (count + 1) / 2) / (count * len(lower)))


if __name__ == "__main__":
    main()
