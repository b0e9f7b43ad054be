"""How alike the slices of two volumes are, on one grid: shift, correlation, and whether one is turned or exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Volume = NDArray[np.float32]

UPSAMPLING = 50
"""Shifts are found in steps of one over this many pixels."""

MARGIN = 0.03
"""Another way to lay the volumes on each other is better only when the correlation rises by more than this."""

_COMPARED = 12

_TURNS: dict[str, Callable[[Any], Any]] = {
    "mirrored top to bottom": lambda v: v[:, ::-1],
    "mirrored left to right": lambda v: v[:, :, ::-1],
    "turned by 180°": lambda v: v[:, ::-1, ::-1],
    "turned by 90°": lambda v: np.rot90(v, 1, (1, 2)),
    "turned by 270°": lambda v: np.rot90(v, 3, (1, 2)),
    "mirrored along the diagonal (rows and columns exchanged)": lambda v: v.swapaxes(1, 2),
    "mirrored along the other diagonal": lambda v: v[:, ::-1, ::-1].swapaxes(1, 2),
}


def shifts_between(reference: Volume, moved: Volume) -> NDArray[np.float64]:
    """Give the (y, x) in pixels by which the content of each slice lies off that of the reference, ``(n, 2)``.

    From the peak of the cross-correlation (Guizar-Sicairos et al. 2008, as scikit-image has it). The spectrum isn't
    whitened as in phase correlation proper, which on noisy scans spreads more: noise fills the high frequencies.
    """
    from skimage.registration import phase_cross_correlation

    found = [
        phase_cross_correlation(fixed, moving, upsample_factor=UPSAMPLING, normalization=None)[0]
        for fixed, moving in zip(reference, moved, strict=True)
    ]
    return -np.array(found, dtype=np.float64).reshape(-1, 2)


def correlations(reference: Volume, moved: Volume, shift: tuple[float, float]) -> NDArray[np.float64]:
    """Pearson correlation of each slice with the reference once that is shifted by (y, x) pixels as well."""
    from scipy.ndimage import fourier_shift

    spectra = (fourier_shift(np.fft.fft2(image), shift) for image in reference)
    shifted = np.stack([np.fft.ifft2(spectrum).real for spectrum in spectra])
    return _pearson(shifted, moved)


def better_fit(reference: Volume, moved: Volume, used: NDArray[np.intp]) -> tuple[str, float] | None:
    """Say in which way ``moved`` looks turned or its slices exchanged, and what correlation it reaches without that.

    None when it fits best as it is. Turns by 90° are tried on square slices only.

    Parameters
    ----------
    reference, moved
        ``(n, y, x)``, all slices.
    used
        Those that are looked at.
    """
    chosen = used[np.unique(np.linspace(0, len(used) - 1, _COMPARED).round().astype(int))]
    fixed, moving = reference[chosen], moved[chosen]
    likeness = _likeness_to(fixed)
    plain = likeness(moving)
    turned = {name: turn(moving) for name, turn in _TURNS.items()}
    found = {name: (likeness(v), plain) for name, v in turned.items() if v.shape == fixed.shape}
    found |= _reordered(reference, moved, chosen)
    best = max(found, key=lambda name: found[name][0] - found[name][1])
    reached, plain = found[best]
    return (best, reached) if reached > plain + MARGIN else None


def _reordered(reference: Volume, moved: Volume, chosen: NDArray[np.intp]) -> dict[str, tuple[float, float]]:
    """Give for each order of the slices the likeness in it and as they are."""
    found = {}
    orders = {"in reverse order": len(moved) - 1 - chosen, "one slice early": chosen - 1, "one slice late": chosen + 1}
    for name, places in orders.items():
        inside = (places >= 0) & (places < len(moved))
        if inside.any() and len(moved) > 1:
            likeness = _likeness_to(reference[chosen[inside]])
            found[f"as if its slices came {name}"] = likeness(moved[places[inside]]), likeness(moved[chosen[inside]])
    return found


def _likeness_to(fixed: Volume) -> Callable[[Volume], float]:
    """Make the function that gives the median over slices of the highest correlation that any shift reaches."""
    a = _centred(fixed)
    spectrum = np.fft.rfft2(a)

    def likeness(moving: Volume) -> float:
        b = _centred(moving)
        across = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(b)), a.shape[-2:])
        return float(np.median(_quotient(across.max((-2, -1)), a, b)))

    return likeness


def _pearson(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    a, b = _centred(one), _centred(other)
    return _quotient((a * b).sum((-2, -1)), a, b)


def _centred(volume: NDArray[Any]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = volume.astype(np.float64)
    values -= values.mean((-2, -1), keepdims=True)
    return values


def _quotient(product: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.sqrt((a**2).sum((-2, -1)) * (b**2).sum((-2, -1)))
    quotient: NDArray[np.float64] = np.divide(product, norm, out=np.zeros_like(norm), where=norm > 0)
    return quotient
