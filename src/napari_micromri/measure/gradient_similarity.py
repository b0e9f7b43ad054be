"""Where the edges of an image are as in its reference, and where they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.measure.image_quality import as_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STABILISER = 170 / 255**2
"""The paper's constant, for images between 0 and 1."""


def gradient_deviation(image: ArrayLike, reference: ArrayLike) -> float:
    """Gradient magnitude similarity deviation (Xue et al. 2014, eq. 4 to 7): 0 for equal images, more is worse.

    Both images are halved by averages of 2 x 2 pixels and their gradients taken with Prewitt's filters. At each pixel
    the similarity is ``(2 g_i g_r + c) / (g_i^2 + g_r^2 + c)``; the figure is its standard deviation, so that what
    counts is how unevenly edges are lost or invented. Values are divided by the range of the reference; NaN when it has
    none.
    """
    image, reference = as_pair(image, reference)
    span = float(np.ptp(reference))
    if span <= 0:
        return float("nan")
    mine, wanted = (_gradient(picture / span) for picture in (image, reference))
    similarity = (2 * mine * wanted + STABILISER) / (mine**2 + wanted**2 + STABILISER)
    return float(similarity.std())


def _gradient(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import prewitt, uniform_filter

    halved = uniform_filter(picture, 2, origin=-1)[::2, ::2]  # of each pixel and the next
    # Prewitt's weights sum to 3 on each side, and the paper divides by them.
    slopes: NDArray[np.float64] = np.hypot(prewitt(halved, 0) / 3, prewitt(halved, 1) / 3)
    return slopes
