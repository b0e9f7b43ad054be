"""Compare IVIM estimators on signals with known parameters, with their limits, and on real scans.

Everything runs on one thread; times are processor times, so that other work on the machine changes little. Fixed seeds.
The peers OSIPI and dipy are not dependencies: least squares are compared with `scipy.optimize.curve_fit` in the way
that OSIPI's biexponential fit (OGC Amsterdam UMC) calls it: same starting values and bounds.

    python benchmarks/ivim.py                                # all parts: some twenty minutes on a free core
    python benchmarks/ivim.py --seeds 2                      # fewer trainings of the networks
    python benchmarks/ivim.py --parts voxels limit --results benchmarks/ivim.json --update docs/ivim.md

With ``--results`` figures of other parts that stand in the file are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.io import open_scan
from napari_micromri.ivim import AT_BOUND, Bounds, FitOptions, biexponential, make_model
from napari_micromri.ivim.b_values import read_b_values
from napari_micromri.ivim.series import Series
from napari_micromri.ivim.signal_study import EVERY, begin, watch
from napari_micromri.ivim.simulation import VOXEL_RANGES, phantoms, voxels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Result = dict[str, Any]

HERE = Path(__file__).parent
DATA = Path(os.environ.get("MICROMRI_DATA", HERE.parents[1] / "shared" / "data"))
NAMES = ("D", "f", "Dp")
LIMITS = {15: (3.35e-4, 0.0699, 0.0211), 50: (1.40e-4, 0.0299, 0.0129)}
"""RMSE of the posterior mean under the simulation's own prior, as stated with the task; `limit` computes it here."""

IVIM_NET = {15: (3.8e-4, 0.080, 0.024), 50: (2.4e-4, 0.054, 0.016)}
"""RMSE of IVIM-NET_optim after training on 100,000 voxels, as published with the task; not run here."""

VOXELS, PEER_VOXELS = 20000, 2000
SNRS = (8, 15, 25, 50, 100)
SEEDS = 5
"""Of the networks at SNR 15; at the others one."""


def rmse(found: dict[str, NDArray[Any]], truth: dict[str, NDArray[Any]]) -> list[float]:
    """Root mean square errors of D, f, D*; voxels without a value (`segmented`, negative signals) are left out."""
    return [float(np.sqrt(np.nanmean((found[name] - truth[name]) ** 2))) for name in NAMES]


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Run, and give the processor time."""
    start = time.process_time()
    found = work(*arguments)
    return found, time.process_time() - start


def part_voxels(_known: Result) -> Result:
    """Anchor A: independent voxels, Gaussian noise, divided by their noisy S0."""
    result: Result = {}
    for snr in (15, 50):
        made = voxels(VOXELS, snr, seed=1)
        rows: Result = {}
        for method in ("segmented", "lsq", "bayes"):
            model = make_model(method, FitOptions(noise="gaussian"))
            model, learning = timed(model.learn, made.signals, made.b_values)
            fit, seconds = timed(model.fit, made.signals, made.b_values)
            rows[method] = {"rmse": rmse(fit.maps, made.truth), "speed": VOXELS / seconds, "learning": learning}
            if fit.sd:
                rows[method]["coverage"] = [_coverage(fit, made.truth, name) for name in NAMES]
        peer = voxels(PEER_VOXELS, snr, seed=2)
        found, seconds = timed(ogc, peer.signals, peer.b_values)
        rows["curve_fit"] = {"rmse": rmse(found, peer.truth), "speed": PEER_VOXELS / seconds}
        mine = make_model("lsq").fit(peer.signals, peer.b_values)
        rows["lsq, same voxels"] = {"rmse": rmse(mine.maps, peer.truth)}
        result[str(snr)] = rows
    return result


def _coverage(fit: Any, truth: dict[str, NDArray[Any]], name: str) -> list[float]:
    """Share of voxels whose truth lies within the 68 % and the 95 % interval."""
    off = np.abs(fit.maps[name] - truth[name]) / fit.sd[name]
    return [float(np.mean(off < 1)), float(np.mean(off < 1.96))]


def ogc(signals: NDArray[Any], b_values: tuple[float, ...], bounds: Bounds | None = None) -> dict[str, NDArray[Any]]:
    """Fit voxel by voxel as OSIPI's OGC biexponential least squares do."""
    from scipy.optimize import curve_fit

    def model(b: NDArray[Any], D: float, f: float, Dp: float, S0: float) -> NDArray[Any]:
        curve: NDArray[Any] = S0 * (f * np.exp(-b * Dp) + (1 - f) * np.exp(-b * D))
        return curve

    within = bounds or Bounds()
    limits = ([*within.lower, 0.7], [*within.upper, 1.3])
    found = [
        curve_fit(model, np.asarray(b_values), signal, p0=[0.001, 0.1, 0.01, 1], bounds=limits)[0]
        for signal in signals.T
    ]
    return dict(zip(NAMES, np.array(found).T[:3], strict=True))


def part_limit(_known: Result) -> Result:
    """Compare `bayes` with `best_possible`."""
    result: Result = {}
    for snr in (15, 50):
        made = voxels(2000, snr, seed=1)
        found, weight = best_possible(made, snr)
        mine = make_model("bayes", FitOptions(noise="gaussian", sigma=1 / snr))
        more = voxels(VOXELS, snr, seed=1)
        fit = mine.learn(more.signals, more.b_values).fit(made.signals, made.b_values)
        effective = float(np.median(1 / (weight**2).sum(axis=1)))
        result[str(snr)] = {
            "limit": rmse(found, made.truth),
            "bayes": rmse(fit.maps, made.truth),
            "effective_draws": effective,
        }
    return result


def best_possible(made: Any, snr: float) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Give the posterior mean under the simulation's true prior, by importance sampling, and the draws' weights.

    No voxelwise method can beat it on average.
    """
    rng = np.random.default_rng(5)
    drawn = {name: rng.uniform(*limits, 60000) for name, limits in VOXEL_RANGES.items()}
    # The b = 0 image is 1 by division; what is left of its noise moves all others alike.
    curves = biexponential(made.b_values, drawn["D"], drawn["f"], drawn["Dp"]).astype(np.float32)
    norm = np.linalg.norm(curves, axis=0)
    score = (made.signals.T.astype(np.float32) @ (curves / norm)) ** 2 * np.float32(snr**2 / 2) - np.log(norm)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return {name: weight @ values for name, values in drawn.items()}, weight


def part_generic(_known: Result) -> Result:
    """Anchor C: OSIPI's generic tissues, nearly without noise."""
    tissues = json.loads((DATA / "osipi" / "generic.json").read_text())
    b = tissues.pop("config")["bvalues"]
    rows = {name: t for name, t in tissues.items() if "data" in t}
    signals = np.array([t["data"] for t in rows.values()], dtype=float).T
    truth = {name: np.array([t[name] for t in rows.values()]) for name in NAMES}
    fit = make_model("lsq").fit(signals, b)
    off = {name: np.abs(fit.maps[name] - truth[name]) for name in NAMES}
    worst = {name: list(rows)[int(np.argmax(values))] for name, values in off.items()}
    # If the fitted curve is nearer to the data than the true one, no search could have ended nearer to the truth.
    true = biexponential(b, *truth.values())
    true *= (signals * true).sum(axis=0) / (true**2).sum(axis=0)
    nearer = ((signals - fit.curve(b)) ** 2).sum(axis=0) < ((signals - true) ** 2).sum(axis=0)
    median = [float(np.median(off[n])) for n in NAMES]
    return {"rmse": rmse(fit.maps, truth), "worst": worst, "median": median, "nearer_than_truth": nearer.mean()}


def part_spatial(_known: Result) -> Result:
    """Anchor B: phantoms with regions."""
    result: Result = {}
    for snr in SNRS:
        made = phantoms(24, snr, seed=0)
        edge = _edges(made.truth["D"])
        rows: Result = {}
        for method in ("lsq", "bayes", "spatial"):
            model = make_model(method, FitOptions(noise="gaussian", sigma=made.sigma))
            model = model.learn(made.signals, made.b_values)
            fit, seconds = timed(model.fit, made.signals, made.b_values)
            at_edge = rmse({n: fit.maps[n][edge] for n in NAMES}, {n: made.truth[n][edge] for n in NAMES})
            rows[method] = {"rmse": rmse(fit.maps, made.truth), "edge": at_edge, "speed": edge.size / seconds}
            if fit.sd:
                rows[method]["coverage"] = [_coverage(fit, made.truth, name) for name in NAMES]
        result[str(snr)] = rows
    return result


def _edges(regions: NDArray[Any]) -> NDArray[np.bool_]:
    edge = np.zeros(regions.shape, dtype=bool)
    for axis in (-2, -1):
        differs = np.diff(regions, axis=axis) != 0
        for side in (0, 1):
            pad = [(0, 0)] * regions.ndim
            pad[axis] = (side, 1 - side)
            edge |= np.pad(differs, pad)
    return edge


def part_networks(known: Result, snrs: Sequence[int] = SNRS, seeds: int = SEEDS, epochs: int = 150) -> Result:
    """Train `cnn` and `si_cnn` on fewer phantoms (8 of 32 x 32), beside the other methods on the same phantoms."""
    result: Result = dict(known)
    for snr in snrs:
        runs: Result = {}
        for seed in range(seeds if snr == 15 else 1):
            made = phantoms(8, snr, size=32, seed=10 + seed)
            for method in ("lsq", "bayes", "spatial"):
                fit = make_model(method, FitOptions(noise="gaussian", sigma=made.sigma)).fit(
                    made.signals, made.b_values
                )
                runs.setdefault(method, []).append({"last": rmse(fit.maps, made.truth)})
            for method in ("cnn", "si_cnn"):
                runs.setdefault(method, []).append(_train(method, made, seed, epochs))
        result[str(snr)] = runs
    return result


def _train(method: Any, made: Any, seed: int, epochs: int, **changes: Any) -> Result:
    """Train to the given epoch; keep errors on the way, and DSQ at some epochs."""
    history = []
    for look in watch(begin(made, method, epochs=epochs, seed=seed, **changes), made, epochs=epochs):
        found = look.quality
        row: Result = {"epoch": look.epoch, "loss": look.loss, "rmse": list(look.rmse.values()), "q_p": found.q_p}
        row |= {"q_n": found.q_n, "training_signals": look.training_rmse, "round": look.round}
        if look.epoch in (EVERY, 30, 50, 100, epochs):
            row["dsq"] = {
                "eq9": found.eq9, "eq14": found.eq14, "overshoot": found.overshoot, "trend": found.gap_trend,
                "bins": [[b.low, b.count, b.noise, b.recon_error] for b in found.bins],
            }  # fmt: skip
        history.append(row)
    best = [min(row["rmse"][k] for row in history) for k in range(3)]
    return {"last": history[-1]["rmse"], "best": best, "history": history if made.sigma == 1 / 15 and seed == 0 else []}


VARIANTS: dict[str, Result] = {
    "with the gate": {"gate": True},
    "alpha 0.5": {"alpha": 0.5},
    "alpha 0.02": {"alpha": 0.02},
    "fitting error from 0.06": {"fitting_max": 0.06},
    "batches of 5": {"batch": 5},
    "dropout 0.1": {"dropout": 0.1},
    "one seed: warm-up ends at 1 % (tol)": {"tol": 0.01, "seeds": 1},
    "one seed: warm-up ends at 20 % (tol)": {"tol": 0.2, "seeds": 1},
    "one seed: at most 80 rounds": {"rounds": 80, "seeds": 1},
    "one seed: at most 200 rounds, 300 epochs": {"rounds": 200, "total": 300, "seeds": 1},
    "one seed: `cnn`, 300 epochs": {"method": "cnn", "total": 300, "seeds": 1},
    "one seed: batches of 25, 50 phantoms": {"batch": 25, "count": 50, "seeds": 1},
    "one seed: `cnn`, batches of 25, 50 phantoms": {"method": "cnn", "batch": 25, "count": 50, "seeds": 1},
}
VARIANT_SEEDS = 3


def part_variants(known: Result, seeds: int = SEEDS, epochs: int = 150) -> Result:
    """Train `si_cnn` with other settings at SNR 15; mean errors at the last epoch over the first seeds.

    What is known already is kept.
    """

    def last(
        total: int = epochs, seeds: int = seeds, count: int = 8, method: str = "si_cnn", **changes: Any
    ) -> list[float]:
        made = [phantoms(count, 15, size=32, seed=10 + seed) for seed in range(min(seeds, VARIANT_SEEDS))]
        found = [_train(method, m, k, total, **changes)["last"] for k, m in enumerate(made)]
        mean: list[float] = np.mean(found, axis=0).tolist()
        return mean

    return {name: known.get(name) or last(**changes) for name, changes in VARIANTS.items()}


ORGANS = {2: "liver", 3: "kidney", 4: "spleen", 1: "pancreas"}
REAL_METHODS = ("segmented", "lsq", "bayes", "spatial")
IMAGES = 6
"""Images of each b-value in the abdomen: repetitions or directions, which the file doesn't say."""


def abdomen() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Images (N, y, x) of one diffusion time and one kind of gradients, their b-values, and the regions."""
    from scipy.io import loadmat

    file = loadmat(DATA / "ivim_abdomen" / "volunteer1.mat", squeeze_me=True)
    # Gradients of the first kind; the images without any stand under the second, which compensates for flow.
    chosen = (file["T"] == 70) & ((file["betta"] == 1) | (file["b"] == 0))
    return file["data"][chosen].astype(np.float32), file["b"][chosen].astype(float), file["rois"]


def part_abdomen(_known: Result) -> Result:
    """Real abdomen: medians of regions, and how much they differ between maps from a sixth of the images each."""
    images, b, rois = abdomen()
    rank = np.zeros(len(b), dtype=int)
    for value in np.unique(b):
        rank[b == value] = np.arange((b == value).sum()) % IMAGES
    result: Result = {}
    for method in REAL_METHODS:
        whole = make_model(method).fit(images, b.tolist())
        parts = [make_model(method).fit(images[rank == k], b[rank == k].tolist()) for k in range(IMAGES)]
        result[method] = {}
        for number, organ in ORGANS.items():
            inside = rois == number
            medians = np.array([[np.nanmedian(fit.maps[n][inside]) for n in NAMES] for fit in parts])
            result[method][organ] = {
                "voxels": int(inside.sum()),
                "median": [float(np.nanmedian(whole.maps[n][inside])) for n in NAMES],
                "cv": (medians.std(axis=0, ddof=1) / medians.mean(axis=0)).tolist(),
            }
    return result


def part_cord(_known: Result) -> Result:
    """Real spinal cord: medians within the cord, for which the mask of cord and fluid is eroded."""
    from scipy import ndimage

    folder = DATA / "ivim_spinal_cord"
    b_values = read_b_values(folder / "bval_rl.txt")
    scan, mask = (open_scan(folder / name)[0] for name in ("dwi_rl.nii.gz", "cord_seg_dilated.nii.gz"))
    series = Series.of(scan, b_values, mask)
    cord = ndimage.binary_erosion(series.mask, np.ones((1, 3, 3)), iterations=5)
    signals = np.stack([series.read(k) for k in range(series.slices)], axis=1)
    result: Result = {}
    for method in REAL_METHODS:
        fit = make_model(method).fit(signals, b_values, series.mask)
        inside = {name: fit.maps[name][cord & np.isfinite(fit.maps["D"])] for name in NAMES}
        result[method] = {
            "median": [float(np.median(inside[name])) for name in NAMES],
            "spread": [float(np.subtract(*np.percentile(inside[name], (75, 25)))) for name in NAMES],
            "at_bound": float(np.mean((fit.flags[cord] & np.uint8(AT_BOUND)) > 0)),
            "voxels": int(cord.sum()),
        }
    return result


PARTS: dict[str, Callable[..., Result]] = {
    "voxels": part_voxels,
    "limit": part_limit,
    "generic": part_generic,
    "spatial": part_spatial,
    "abdomen": part_abdomen,
    "cord": part_cord,
    "networks": part_networks,
    "variants": part_variants,
}


def figure(values: list[float]) -> str:
    """Write D, f and D* in the units that people are shown."""
    D, f, Dp = values
    return f"{1e3 * D:.3f} / {100 * f:.2f} / {1e3 * Dp:.2f}"


def percent(values: list[float]) -> str:
    """Write three shares."""
    return " / ".join(f"{100 * v:.0f}" for v in values)


def document(known: Result) -> dict[str, str]:
    """Make the tables, by the names of their places in the document."""
    makers = {
        "variants": _variant_table, "voxels": _voxel_table, "spatial": _spatial_table,
        "networks": _network_table, "dsq": _dsq_table,
        "abdomen": _abdomen_table, "cord": _cord_table,
    }  # fmt: skip
    return {name: make(known) for name, make in makers.items() if (name if name != "dsq" else "networks") in known}


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _voxel_table(known: Result) -> str:
    rows = []
    names = {
        "curve_fit": "`scipy.optimize.curve_fit`, as OSIPI's OGC fit calls it",
        "lsq, same voxels": "`lsq`, same 2000 voxels",
    }
    for method in ("curve_fit", "lsq, same voxels", "lsq", "segmented", "bayes"):
        both = [known["voxels"][snr][method] for snr in ("15", "50")]
        speed = f"{both[0]['speed']:,.0f}" if "speed" in both[0] else ""
        cover = "; ".join(percent([c[0] for c in b["coverage"]]) for b in both) if "coverage" in both[0] else ""
        rows.append([names.get(method, f"`{method}`"), *[figure(b["rmse"]) for b in both], speed, cover])
    if "limit" in known:
        limits = [known["limit"][snr] for snr in ("15", "50")]
        rows.append(["limit (2000 voxels)", *[figure(one["limit"]) for one in limits], "", ""])
        rows.append(["`bayes`, the same 2000", *[figure(one["bayes"]) for one in limits], "", ""])
    rows.append(["IVIM-NET, as published", *[figure(list(IVIM_NET[snr])) for snr in (15, 50)], "", ""])
    return _table(["method", "RMSE at SNR 15", "at SNR 50", "voxels/s", "68 % interval covers, % (SNR 15; 50)"], rows)


def _spatial_table(known: Result) -> str:
    rows = []
    for method in ("lsq", "bayes", "spatial"):
        for place, key in (("", "rmse"), (", at edges", "edge")):
            rows.append([f"`{method}`{place}", *[figure(known["spatial"][str(snr)][method][key]) for snr in SNRS]])
    return _table(["method", *[f"SNR {snr}" for snr in SNRS]], rows)


def _network_table(known: Result) -> str:
    rows = []
    for method in ("lsq", "bayes", "spatial", "cnn", "si_cnn"):
        for which in ("last", "best") if method.endswith("cnn") else ("last",):
            cells = [
                figure(np.mean([run[which] for run in known["networks"][str(snr)][method]], axis=0).tolist())
                for snr in SNRS
            ]
            label = {"last": ", last epoch", "best": ", best epoch of each"}[which] if method.endswith("cnn") else ""
            rows.append([f"`{method}`{label}", *cells])
    return _table(["method", *[f"SNR {snr}" for snr in SNRS]], rows)


def _variant_table(known: Result) -> str:
    runs = known["networks"]["15"]
    same = {
        f"{before}`{m}`, as above": np.mean([r["last"] for r in runs[m][:count]], axis=0).tolist()
        for before, count in (("", _variant_seeds(known)), ("one seed: ", 1))
        for m in ("cnn", "si_cnn")
    }
    found = sorted((same | known["variants"]).items(), key=lambda item: item[0].startswith("one seed"))
    rows = [[name, figure(values)] for name, values in found]
    return _table([f"`si_cnn` at SNR 15, {_variant_seeds(known)} seeds, last epoch", "RMSE"], rows)


def _variant_seeds(known: Result) -> int:
    return min(VARIANT_SEEDS, len(known["networks"]["15"]["cnn"]))


def _dsq_table(known: Result) -> str:
    rows = []
    for row in known["networks"]["15"]["cnn"][0]["history"]:
        if "dsq" in row:
            found = row["dsq"]
            shares = [f"{100 * found[k]:.1f} %" for k in ("eq9", "eq14", "overshoot")]
            rows.append(
                [str(row["epoch"]), f"{row['q_n']:.4f}", f"{row['q_p']:.4f}", *shares, f"{found['trend']:+.2f}"]
            )
    head = [
        "epoch",
        "Q_n",
        "Q_p",
        "eq. 9 holds",
        "eq. 14 holds",
        "better by less than eq. 14 says",
        "gap's rank correlation",
    ]
    return _table(head, rows)


def _abdomen_table(known: Result) -> str:
    rows = []
    for method, organs in known["abdomen"].items():
        cells = [f"{figure(o['median'])} ({percent(o['cv'])})" for o in organs.values()]
        rows.append([f"`{method}`", *cells])
    return _table(["method", *known["abdomen"]["lsq"]], rows)


def _cord_table(known: Result) -> str:
    rows = [
        [f"`{method}`", figure(row["median"]), figure(row["spread"]), f"{100 * row['at_bound']:.0f} %"]
        for method, row in known["cord"].items()
    ]
    return _table(["method", "median", "interquartile range", "voxels on a bound"], rows)


def judge(known: Result) -> list[str]:
    """Compare with the limits."""
    lines = []

    def say(good: bool, text: str) -> None:
        lines.append(f"{'passed' if good else 'FAILED'} {text}")

    for snr, rows in known.get("voxels", {}).items():
        ratio = np.divide(rows["lsq, same voxels"]["rmse"], rows["curve_fit"]["rmse"])
        say(bool((ratio <= 1.03).all()), f"lsq at SNR {snr}: RMSE {np.round(ratio, 3)} of curve_fit's")
        faster = rows["lsq"]["speed"] / rows["curve_fit"]["speed"]
        say(faster >= 100, f"lsq at SNR {snr}: {faster:.0f} times its speed")
        ratio = np.divide(rows["bayes"]["rmse"], LIMITS[int(snr)])
        say(bool((ratio <= 1.1).all()), f"bayes at SNR {snr}: RMSE {np.round(ratio, 3)} of the limit")
        say(bool(np.less(rows["bayes"]["rmse"], IVIM_NET[int(snr)]).all()), f"bayes at SNR {snr}: below IVIM-NET")
        say(rows["bayes"]["speed"] >= 20000, f"bayes at SNR {snr}: {rows['bayes']['speed']:.0f} voxels/s")
        cover = np.array(rows["bayes"]["coverage"])
        good = ((cover[:, 0] >= 0.63) & (cover[:, 0] <= 0.73) & (cover[:, 1] >= 0.92) & (cover[:, 1] <= 0.97)).all()
        say(bool(good), f"bayes at SNR {snr}: intervals cover {cover.round(3).tolist()}")
    if "generic" in known:
        found = known["generic"]["rmse"]
        # Least squares by any program end there, so a miss is told and fails nothing.
        reached = bool(np.less_equal(found, (5e-6, 2e-3, 3e-4)).all())
        lines.append(f"{'passed' if reached else 'not met'} generic tissues: RMSE {found}")
    if "spatial" in known:
        rows = known["spatial"]["15"]
        for key in ("rmse", "edge"):
            ratio = np.divide(rows["spatial"][key], rows["bayes"][key])
            say(
                bool((ratio[:2] <= (0.9 if key == "rmse" else 1)).all()),
                f"spatial, {key}: {np.round(ratio, 3)} of bayes",
            )
    if "networks" in known:
        runs = known["networks"]["15"]
        for which in ("last", "best"):
            mine, other = (np.mean([r[k] for r in runs[m]], axis=0) for m, k in (("si_cnn", "last"), ("cnn", which)))
            met = "passed" if (mine <= other).all() else "not met"
            lines.append(f"{met} si_cnn / cnn's {which} epoch, {len(runs['cnn'])} seeds: {np.round(mine / other, 3)}")
        trail = runs["cnn"][0]["history"]
        say(trail[-1]["q_p"] < trail[-1]["q_n"], "phenomenon 1")
        say(trail[-1]["dsq"]["trend"] > 0, "phenomenon 2")
    return lines


def figures(known: Result, folder: Path) -> None:
    """Draw the maps of the abdomen and the curves of DSQ (the source's figures 1 to 4)."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from napari_micromri.ivim import PARAMETERS
    from napari_micromri.measure.image_quality import foreground

    images, b, _ = abdomen()
    figure_, axes = plt.subplots(3, 4, figsize=(11, 7.5), layout="constrained")
    for column, method in enumerate(REAL_METHODS):
        fit = make_model(method).fit(images, b.tolist(), foreground(images[b == 0].mean(axis=0)))
        for axis, name in zip(axes[:, column], NAMES, strict=True):
            shown = PARAMETERS[name]
            low, high = shown.limits or (None, None)
            drawn = axis.imshow(shown.factor * fit.maps[name], cmap=shown.colormap, vmin=low, vmax=high)
            axis.set(xticks=[], yticks=[], title=method if name == "D" else "")
            if column == len(REAL_METHODS) - 1:
                figure_.colorbar(drawn, ax=axis, label=f"{shown.label} ({shown.unit})")
    figure_.savefig(folder / "ivim_abdomen.png", dpi=90)
    if "networks" not in known:
        return
    figure_, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    trails = {m: known["networks"]["15"][m][0]["history"] for m in ("cnn", "si_cnn")}
    cnn = trails["cnn"]
    epochs = [row["epoch"] for row in cnn]
    axes[0, 0].plot(epochs, [row["q_n"] for row in cnn], "r", label="noise Q_n")
    axes[0, 0].plot(epochs, [row["q_p"] for row in cnn], "b", label="reconstruction error Q_p")
    axes[0, 0].set(xlabel="epoch", ylabel="mean error", title="1: all signals, cnn")
    for row, colour in zip([r for r in cnn if "dsq" in r][1:], ("r", "b", "g"), strict=False):
        low, count, noise, recon = np.array(row["dsq"]["bins"], dtype=float).T
        many = count >= 30
        axes[0, 1].plot(low[many], noise[many], f"{colour}--", label=f"noise, epoch {row['epoch']}")
        axes[0, 1].plot(low[many], recon[many], colour, label=f"reconstruction, epoch {row['epoch']}")
    axes[0, 1].set(xlabel="fitting error", ylabel="mean error", title="2: by fitting error, cnn")
    first, improved = trails["si_cnn"][0], [row["epoch"] for row in trails["si_cnn"]]
    for name, k in (("D", 0), ("f", 1), ("D*", 2)):
        axes[1, 0].plot(improved, [r["rmse"][k] / first["rmse"][k] for r in trails["si_cnn"]], label=name)
    axes[1, 0].plot(
        improved, [r["training_signals"] / first["training_signals"] for r in trails["si_cnn"]], label="signals"
    )
    axes[1, 0].set(xlabel="epoch", ylabel="RMSE over that at first", title="3: si_cnn")
    for method, trail in trails.items():
        axes[1, 1].semilogy([r["epoch"] for r in trail], [r["loss"] for r in trail], label=method)
    axes[1, 1].set(xlabel="epoch", ylabel="loss", title="4: losses")
    for axis in axes.flat:
        axis.legend(fontsize=8)
    figure_.savefig(folder / "ivim_dsq.png", dpi=90)


def put_table(path: Path, name: str, table: str) -> None:
    """Put a table between its marks in a document."""
    text = path.read_text()
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{path} has no place for the table '{name}': {begin} ... {end}")
    head, tail = text.split(begin, 1)[0], text.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n\n{table}\n\n{end}{tail}")


def main() -> None:
    """Run the parts, keep the figures."""
    import torch

    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=[*PARTS, "none"])
    parser.add_argument("--snrs", nargs="+", type=int, default=SNRS, choices=SNRS, help="of the networks' part")
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="of the networks' part, at SNR 15 (default %(default)s)"
    )
    parser.add_argument("--results", type=Path)
    parser.add_argument("--update", type=Path, help="document to put the tables into")
    parser.add_argument("--figures", type=Path, help="folder for the figures")
    options = parser.parse_args()
    known = json.loads(options.results.read_text()) if options.results and options.results.exists() else {}
    for part in options.parts:
        if part == "none":
            break
        extras = {"networks": {"snrs": options.snrs, "seeds": options.seeds}, "variants": {"seeds": options.seeds}}
        known[part], seconds = timed(partial(PARTS[part], known.get(part, {}), **extras.get(part, {})))
        print(f"{part} is done, {seconds:.0f} s of processor time", flush=True)
        if options.results:
            options.results.write_text(json.dumps(known, indent=1) + "\n")
    for name, table in document(known).items():
        print(f"\n## {name}\n\n{table}")
    verdicts = judge(known)
    print("\n" + "\n".join(verdicts))
    if options.update:
        for name, table in document(known).items():
            put_table(options.update, name, table)
    if options.figures:
        figures(known, options.figures)
    if any(line.startswith("FAILED") for line in verdicts):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
