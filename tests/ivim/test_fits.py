"""Every estimator on signals with known parameters, and on ones that can't be fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.ivim import METHODS, Bounds, Fit, FitOptions, Flag, biexponential, make_model
from napari_micromri.ivim.fit import FLAG_WORDS
from napari_micromri.ivim.simulation import VOXEL_B, phantoms, simulate, voxels

BIEXPONENTIAL = ("segmented", "lsq", "bayes")
OPTIONS = FitOptions(noise="gaussian")


def _error(fit: Fit, truth: dict[str, np.ndarray], name: str) -> float:
    return float(np.sqrt(np.mean((fit.maps[name] - truth[name]) ** 2)))


def test_the_model_is_the_sum_of_two_exponentials() -> None:
    found = biexponential([0, 100], [1e-3, 2e-3], 0.25, 0.05, 200)
    assert found.shape == (2, 2)
    assert found[0].tolist() == [200, 200]
    assert found[1, 1] == pytest.approx(200 * (0.25 * np.exp(-5) + 0.75 * np.exp(-0.2)))


@pytest.mark.parametrize("method", BIEXPONENTIAL)
def test_nearly_noise_free_signals_give_the_parameters_back(method: str) -> None:
    truth = {
        "D": np.array([0.8e-3, 1.5e-3]),
        "f": np.array([0.1, 0.3]),
        "Dp": np.array([0.05, 0.08]),
        "S0": np.full(2, 500.0),
    }
    made = simulate(truth, (0, 5, 10, 20, 30, 50, 75, 100, 200, 400, 600, 800), 1e5)
    options = FitOptions(noise="gaussian", sigma=1.0)
    fit = make_model(method, options).fit(made.signals, made.b_values)
    tolerance = 0.02 if method != "bayes" else 0.05
    for name in ("D", "f", "Dp", "S0"):
        np.testing.assert_allclose(fit.maps[name], truth[name], rtol=5 * tolerance if name == "Dp" else tolerance)
    assert not fit.flags.any()
    np.testing.assert_allclose(fit.residual, 0, atol=2e-3)


def test_least_squares_finds_what_scipy_finds() -> None:
    made = voxels(30, 50, seed=3)
    fit = make_model("lsq").fit(made.signals, made.b_values)
    for k in range(30):
        expected, _ = curve_fit(
            lambda b, *p: biexponential(b, *p),
            made.b_values,
            made.signals[:, k],
            p0=[0.001, 0.25, 0.0245, 1],
            bounds=([0, 0, 0.005, 0], [0.005, 1, 0.2, 5]),
        )
        mine = [fit.maps[name][k] for name in ("D", "f", "Dp", "S0")]
        cost = [np.sum((biexponential(VOXEL_B, *p) - made.signals[:, k]) ** 2) for p in (mine, expected)]
        assert cost[0] <= cost[1] * 1.001


def test_one_exponential_gives_the_diffusion_coefficient_and_nothing_else() -> None:
    b = np.array([0, 300, 600])
    signals = 100 * np.exp(-b * 1.1e-3)[:, None, None] * np.ones((1, 2, 3))
    fit = make_model("adc").fit(signals, b)
    np.testing.assert_allclose(fit.maps["D"], 1.1e-3, rtol=1e-4)
    np.testing.assert_allclose(fit.maps["S0"], 100, rtol=1e-4)
    assert np.isnan(fit.maps["f"]).all()
    np.testing.assert_allclose(fit.curve([600], where=(0, 1)), 100 * np.exp(-0.66), rtol=1e-4)


def test_the_posterior_mean_is_better_than_least_squares_and_its_spread_is_true() -> None:
    made = voxels(700, 20, seed=1)
    least, fit = (make_model(m, OPTIONS).fit(made.signals, made.b_values) for m in ("lsq", "bayes"))
    for name in ("D", "f", "Dp"):
        assert _error(fit, made.truth, name) < 0.75 * _error(least, made.truth, name)
        off = np.abs(fit.maps[name] - made.truth[name]) / fit.sd[name]
        assert 0.6 < np.mean(off < 1) < 0.8
        assert 0.9 < np.mean(off < 1.96) < 0.99
    assert fit.sigma == pytest.approx(made.sigma, rel=0.15)


def test_magnitudes_at_low_signal_are_compared_with_their_rician_mean() -> None:
    size = 12
    flat = {"D": np.full((size, size), 2.5e-3), "f": np.full((size, size), 0.2), "Dp": np.full((size, size), 0.05)}
    made = simulate(
        flat | {"S0": np.ones((size, size))}, (0, 10, 20, 50, 100, 300, 700, 1200), 12, noise="rician", seed=2
    )
    off = {}
    for noise in ("rician", "gaussian"):
        fit = make_model("bayes", FitOptions(noise=noise, sigma=made.sigma)).fit(made.signals, made.b_values)
        off[noise] = abs(float(fit.maps["D"].mean()) - 2.5e-3)
    assert off["rician"] < 0.5 * off["gaussian"]


def test_a_prior_that_was_learned_is_used_for_other_slices() -> None:
    made = phantoms(2, 30, size=24, seed=1)
    model = make_model("bayes", FitOptions(noise="gaussian", sigma=made.sigma)).learn(made.signals, made.b_values)
    whole = model.fit(made.signals, made.b_values)
    first = model.fit(made.signals[:, :1], made.b_values)
    np.testing.assert_allclose(first.maps["D"], whole.maps["D"][:1], rtol=1e-4)


def test_repeats_weigh_as_much_as_all_images_would() -> None:
    made = voxels(20, 30, seed=4)
    twice = np.concatenate([made.signals, made.signals[3:]])
    b = (*made.b_values, *made.b_values[3:])
    weighted = make_model("lsq").fit(twice, b).maps
    single = make_model("lsq").fit(made.signals, made.b_values).maps
    # equal weights of all but three b-values: near the single fit, but not the same
    assert not np.allclose(weighted["D"], single["D"], rtol=1e-4)
    doubled = make_model("lsq").fit(np.concatenate([made.signals] * 2), (*made.b_values, *made.b_values)).maps
    np.testing.assert_allclose(doubled["D"], single["D"], rtol=1e-4)


@pytest.mark.parametrize("method", [m.name for m in METHODS.values() if not m.needs_grid])
def test_signals_that_cannot_be_fitted_are_nan_and_flagged(method: str) -> None:
    signals = np.repeat(biexponential(VOXEL_B, 1e-3, 0.2, 0.05, 300)[:, None], 40, axis=1)
    signals += np.random.default_rng(0).normal(0, 3, signals.shape)
    signals[4, 1], signals[0, 2], signals[:, 3], signals[10, 4] = np.nan, -1, 0, -0.5
    mask = np.ones(40, dtype=bool)
    mask[5] = False
    fit = make_model(method, FitOptions(sigma=3.0)).fit(signals, VOXEL_B, mask)
    assert [Flag(int(v)) for v in fit.flags[1:4]] == [Flag.UNUSABLE] * 3
    assert fit.flags[4] & Flag.NOT_POSITIVE
    assert np.isnan(fit.maps["D"][[1, 2, 3, 5]]).all()
    assert fit.flags[5] == 0
    assert np.isfinite(fit.maps["D"][6:]).all()
    assert np.isnan(fit.maps["D"][4]) == (method in ("adc", "segmented"))


def test_parameters_on_a_bound_are_flagged() -> None:
    signals = biexponential(VOXEL_B, np.array([1e-3, 4e-3]), 0.2, np.array([0.3, 0.05]))
    fit = make_model("lsq", FitOptions(bounds=Bounds(D=(0, 0.003)))).fit(signals, VOXEL_B)
    assert fit.flags[0] & Flag.DP_AT_BOUND
    assert fit.flags[1] & Flag.D_AT_BOUND
    assert fit.count(Flag.D_AT_BOUND) == 1


def test_what_bayes_brings_back_to_a_bound_is_flagged() -> None:
    import torch

    from napari_micromri.ivim.estimators.bayes import estimates

    mean = torch.tensor([[1, 1e-3, 1.01, 0.02], [1, 1e-3, -0.01, 0.02], [1, -1e-5, 0.5, 0.02], [1, 1e-3, 0.5, 0.02]])
    found = estimates(mean, torch.zeros_like(mean))
    assert found.values["f"].tolist() == [1.0, 0.0, 0.5, 0.5]
    assert found.flags is not None
    assert [Flag(int(v)) for v in found.flags] == [Flag.F_AT_BOUND, Flag.F_AT_BOUND, Flag.D_AT_BOUND, Flag(0)]


def test_where_bayes_finds_no_signal_all_is_flagged() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 5, (len(VOXEL_B), 2000))
    fit = make_model("bayes", FitOptions(sigma=5, noise="gaussian")).fit(noise, VOXEL_B)
    usable = np.isfinite(fit.maps["S0"])
    assert 900 < usable.sum() < 1100  # where the first one is above 0
    assert fit.maps["S0"][usable].min() == 0
    everything = int(Flag.D_AT_BOUND | Flag.F_AT_BOUND | Flag.DP_AT_BOUND)
    assert (fit.flags[fit.maps["S0"] == 0] & everything == everything).all()


def test_each_flag_has_words() -> None:
    assert list(FLAG_WORDS) == [str(flag.name).lower() for flag in Flag]


def test_one_voxel_is_fitted_but_its_noise_must_be_given() -> None:
    signal = biexponential(VOXEL_B, 1e-3, 0.2, 0.05, 300)[:, None]
    assert make_model("lsq").fit(signal, VOXEL_B).maps["D"][0] == pytest.approx(1e-3, rel=1e-3)
    with pytest.raises(InputError, match="sigma"):
        make_model("bayes").fit(signal, VOXEL_B)
    fit = make_model("bayes", FitOptions(sigma=3)).fit(signal, VOXEL_B)
    assert abs(fit.maps["D"][0] - 1e-3) < 2 * fit.sd["D"][0]


def test_noise_from_curves_is_that_of_calm_voxels_where_others_pulsate() -> None:
    rng, still = np.random.default_rng(0), 600
    clean = np.repeat(biexponential(VOXEL_B, 1e-3, 0.2, 0.05, 300)[:, None], 1000, axis=1)
    spread = np.where(np.arange(1000) < still, 4.0, 40.0)
    model = make_model("bayes", FitOptions(noise="gaussian"))
    even = model.learn(clean + rng.normal(0, 4, clean.shape), VOXEL_B)
    pulsating = model.learn(clean + spread * rng.normal(0, 1, clean.shape), VOXEL_B)
    assert even.prior is not None and pulsating.prior is not None
    assert even.prior.sigma == pytest.approx(4, rel=0.1)
    assert pulsating.prior.sigma == pytest.approx(4, rel=0.3)


@pytest.mark.parametrize("mask", [np.zeros((4, 4)), np.ones((4, 5))])
def test_a_mask_that_is_empty_or_of_another_grid_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(InputError, match="mask"):
        make_model("lsq").fit(np.ones((len(VOXEL_B), 4, 4)), VOXEL_B, mask)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="median"):
        make_model("median")
    with pytest.raises(InputError, match="sigma"):
        FitOptions(sigma=0)
    for limit in (0, -5, float("nan")):
        with pytest.raises(InputError, match="above 0"):
            FitOptions(high_b=limit)
    with pytest.raises(InputError, match="bounds of f"):
        Bounds(f=(0, 2))
    with pytest.raises(InputError, match="complex"):
        make_model("lsq").fit(np.ones((11, 4), dtype=complex), VOXEL_B)


def test_a_fit_stops_when_asked() -> None:
    made = voxels(50, 30)
    with pytest.raises(CancelledError):
        make_model("lsq").fit(made.signals, made.b_values, should_stop=lambda: True)


def test_learning_noise_and_prior_stops_at_its_next_step() -> None:
    made = phantoms(2, 15, size=40, seed=0)
    asked = [0]

    def counting() -> bool:
        asked[0] += 1
        return False

    make_model("bayes").learn(made.signals, made.b_values, should_stop=counting)
    steps = asked[0]
    assert steps > len(made.b_values) + 800  # each image, each round of the prior
    for last in (1, len(made.b_values) + 1, steps):
        left = iter([False] * (last - 1) + [True])
        with pytest.raises(CancelledError):
            make_model("bayes").learn(made.signals, made.b_values, should_stop=lambda left=left: next(left))


def test_neighbours_help_also_at_edges() -> None:
    made = phantoms(4, 15, size=28, seed=0)
    alone, together = (
        make_model(m, FitOptions(noise="gaussian", sigma=made.sigma)).fit(made.signals, made.b_values)
        for m in ("bayes", "spatial")
    )
    D = made.truth["D"]
    edge = np.zeros(D.shape, bool)
    edge[:, 1:] |= D[:, 1:] != D[:, :-1]
    edge[..., 1:] |= D[..., 1:] != D[..., :-1]
    for name in ("D", "f"):
        assert _error(together, made.truth, name) < 0.9 * _error(alone, made.truth, name)
        at_edge = [np.mean((fit.maps[name] - made.truth[name])[edge] ** 2) for fit in (together, alone)]
        assert at_edge[0] < at_edge[1]


def test_a_lone_voxel_of_a_slice_has_the_scans_prior() -> None:
    made = phantoms(1, 30, size=16, seed=1)
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 3, 3] = True
    fits = []
    for method in ("bayes", "spatial"):
        model = make_model(method, FitOptions(noise="gaussian", sigma=made.sigma)).learn(made.signals, made.b_values)
        fits.append(model.fit(made.signals, made.b_values, mask).maps["D"][0, 3, 3])
    assert fits[0] == pytest.approx(fits[1], rel=1e-2)


def test_the_densities_of_a_voxel_have_its_mean_and_spread() -> None:
    made = phantoms(1, 40, size=16, seed=3)
    model = make_model("bayes", FitOptions(noise="gaussian", sigma=made.sigma))
    with pytest.raises(InputError, match="learned"):
        model.marginals(made.signals[:, 0, 4, 4], made.b_values)
    model = model.learn(made.signals, made.b_values)
    fit = model.fit(made.signals, made.b_values)
    densities = model.marginals(made.signals[:, 0, 4, 4], made.b_values, points=2000)
    for name in ("D", "f"):
        values, density = densities[name]
        step = values[1] - values[0]
        mean = (values * density).sum() * step
        assert density.sum() * step == pytest.approx(1, abs=0.05)
        assert mean == pytest.approx(fit.maps[name][0, 4, 4], rel=0.05)
        sd = np.sqrt(((values - mean) ** 2 * density).sum() * step)
        assert sd == pytest.approx(fit.sd[name][0, 4, 4], rel=0.1)


def test_signals_that_scatter_far_more_than_the_air_are_not_taken_for_exact() -> None:
    """Air without noise (masked or filtered by the scanner) said that all curves were exact: D and D* came out as 0."""
    rng = np.random.default_rng(1)
    b = (0, 10, 20, 40, 80, 200, 400, 600, 800)
    clean = biexponential(b, 1e-3, 0.15, 0.03, 1000.0)[:, None, None] * np.ones((1, 40, 40))
    signals = clean + rng.normal(0, 40, clean.shape)
    signals[:, :, :20] = np.abs(rng.normal(0, 0.5, (len(b), 40, 20)))
    mask = np.zeros((40, 40), bool)
    mask[:, 20:] = True
    fit = make_model("bayes").fit(signals, b, mask)
    assert fit.sigma == pytest.approx(40, rel=0.15)
    assert np.nanmedian(fit.maps["D"]) == pytest.approx(1e-3, rel=0.1)
    assert (fit.maps["D"][mask] > 2e-4).all()


def test_fine_texture_of_tissue_is_not_taken_for_noise() -> None:
    """Maps without smooth parts, at SNR 50: sigma came out 4.5 times too large, and f 40 % off, without a word."""
    rng = np.random.default_rng(3)
    b = (0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700)
    low, high = np.array([[0.5e-3, 0.05, 0.01], [2.5e-3, 0.4, 0.08]])
    D, f, Dp = rng.uniform(low, high, (3, 24, 20, 3)).transpose(3, 0, 1, 2)
    clean = biexponential(b, D, f, Dp, 1000.0)
    signals = np.hypot(clean + rng.normal(0, 20, clean.shape), rng.normal(0, 20, clean.shape))
    fit = make_model("bayes").fit(signals, b)
    assert fit.sigma == pytest.approx(20, rel=0.1)
    assert (np.abs(fit.maps["f"] - f) < fit.sd["f"]).mean() == pytest.approx(0.7, abs=0.1)


def test_few_b_values_at_low_snr_do_not_double_the_noise() -> None:
    """Five b-values leave one degree of freedom, and parameters on a bound more: sigma came out twice too large."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] - 32
    clean = biexponential((0, 20, 60, 200, 800), 1e-3, 0.2, 0.03, 1000.0 * (y**2 + x**2 < 24**2))
    signals = np.hypot(clean + rng.normal(0, 200, clean.shape), rng.normal(0, 200, clean.shape))
    model = make_model("bayes").learn(signals, (0, 20, 60, 200, 800))
    assert model.prior is not None
    assert model.prior.sigma == pytest.approx(200, rel=0.1)


@pytest.mark.parametrize("method", ["bayes", "lsq"])
def test_without_an_image_at_b_0_maps_noise_and_misfit_are_those_of_the_true_s0(method: str) -> None:
    b, S0, sigma = np.array([30, 40, 50, 60, 80, 100, 150, 200, 400, 600, 800.0]), 1000.0, 10.0
    rng = np.random.default_rng(0)
    truth = {name: rng.uniform(*span, 2000) for name, span in (("D", (6e-4, 2e-3)), ("f", (0.1, 0.4)))}
    truth["Dp"] = rng.uniform(0.01, 0.05, 2000)
    D, f, Dp = (truth[name] for name in ("D", "f", "Dp"))
    clean = S0 * (f * np.exp(-b[:, None] * Dp) + (1 - f) * np.exp(-b[:, None] * D))
    fit = make_model(method, FitOptions(noise="gaussian")).fit(clean + rng.normal(0, sigma, clean.shape), b)
    # The curve takes up three or four of eleven values, so a little less than the noise is left over.
    left = np.sqrt(np.mean((fit.residual * fit.maps["S0"]) ** 2))
    assert 0.75 * sigma < left < 0.95 * sigma
    if method == "bayes":
        assert fit.sigma == pytest.approx(sigma, rel=0.1)
        for name, expected in truth.items():
            within = np.abs(fit.maps[name] - expected) < fit.sd[name]
            assert within.mean() > 0.6, name
        assert _error(fit, truth, "f") < 0.06
        assert np.mean(fit.maps["S0"]) == pytest.approx(S0, rel=0.03)
