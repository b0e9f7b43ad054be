"""The digital mouse: organs have the parameters that they were given."""

from __future__ import annotations

import numpy as np

from napari_micromri.ivim.mouse import TUMOUR, VALUES, mouse
from napari_micromri.ivim.signal import biexponential


def test_organs_have_their_parameters_and_the_outside_is_noise() -> None:
    made = mouse(3, snr=40, size=48)
    D, f, Dp, S0 = (made.truth[name] for name in ("D", "f", "Dp", "S0"))
    body = np.isfinite(D)
    assert 0.2 < body.mean() < 0.7
    for organ in ("liver", TUMOUR):
        values = VALUES[organ]
        pure = np.isclose(D, values[0], rtol=1e-3) & np.isclose(f, values[1], rtol=1e-3)
        assert pure.sum() > 20
        np.testing.assert_allclose(Dp[pure], values[2], rtol=1e-2)
    np.testing.assert_allclose(made.clean[:, body], biexponential(made.b_values, D, f, Dp, S0)[:, body], rtol=1e-4)
    outside = made.signals[:, ~body]
    np.testing.assert_allclose(np.sqrt(np.mean(outside**2) / 2), made.sigma, rtol=0.05)
