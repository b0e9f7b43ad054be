"""Compare IVIM fits with other programs on the same voxels (anchor A of ``ivim.py``), in one run on one thread.

The peers are installed into an environment of their own, which borrows numpy, scipy and torch from this one:

    python benchmarks/ivim_peers.py --update docs/ivim.md

Peers: the fits of OSIPI's code collection (least squares, segmented, Bayesian; OGC Amsterdam UMC), IVIM-NET (package
IVIMNET, with the settings "optim" of its authors, trained on simulated voxels of the same SNR), and dipy's trust
region. Times are processor times; IVIM-NET's doesn't count its training.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _peers import environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Result = dict[str, Any]

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / "build" / "ivim-peers"
PINNED = ("dipy==1.12.1", "osipi-ivim==0.1.0", "IVIMNET==0.1.1", "joblib==1.5.2", "h5py", "trx-python", "tqdm")
NAMES = ("D", "f", "Dp")
COUNT, TRAINED_ON, SNRS = 1000, 100_000, (15, 50)

OURS = {"segmented": {}, "lsq": {}, "lsq, f up to 0.7 as OSIPI": {"f": (0.0, 0.7)}, "bayes": {}}
"""Methods with their bounds."""


def peers() -> dict[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]]:
    """Name functions of b-values (B,) and signals (N, B) that give D, f, D* (N, 3). Runs in the peers' environment."""
    names = ("dipy.core.gradients", "dipy.reconst.ivim", "original.OGC_AmsterdamUMC.LSQ_fitting")
    gradients, dipy_ivim, ogc = map(import_module, names)

    def each(fit: Callable[..., Any]) -> Callable[..., NDArray[Any]]:
        return lambda b, signals: np.array([np.asarray(fit(b, one), dtype=float)[:3] for one in signals])

    def bayesian(b: NDArray[Any], signals: NDArray[Any]) -> NDArray[Any]:
        first = np.array([ogc.fit_least_squares(b, one, S0_output=True) for one in signals])
        prior = ogc.empirical_neg_log_prior(*first.T)
        return np.array([ogc.fit_bayesian(b, one, prior, x0=x)[:3] for one, x in zip(signals, first, strict=True)])

    def dipy(b: NDArray[Any], signals: NDArray[Any]) -> NDArray[Any]:
        table = gradients.gradient_table(b, bvecs=np.tile([1.0, 0, 0], (len(b), 1)), b0_threshold=0)
        found = dipy_ivim.IvimModel(table, fit_method="trr").fit(signals)
        return np.stack([found.D, found.perfusion_fraction, found.D_star], axis=-1)

    return {
        "OSIPI, OGC least squares": each(ogc.fit_least_squares),
        "OSIPI, OGC segmented": each(ogc.fit_segmented),
        "OSIPI, OGC Bayesian": bayesian,
        "dipy, trust region": dipy,
    }


def ivim_net(b: NDArray[Any], training: NDArray[Any]) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]:
    """Train IVIM-NET without true maps, as its authors do. Runs in the peers' environment."""
    import contextlib

    import torch

    deep, settings = map(import_module, ("IVIMNET.deep", "original.OGC_AUMC_IVIMNET.hyperparams"))
    torch.manual_seed(0)
    torch.set_num_threads(1)
    options = deep.checkarg(settings.hyperparams())
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        network = deep.learn_IVIM(training, b, options)
    return lambda b, signals: np.stack(deep.predict_IVIM(signals, b, network, options)[:3], axis=1)


def score(found: NDArray[Any], truth: NDArray[Any], seconds: float) -> Result:
    """Give RMSE of D, f, D* over the voxels that were fitted with an f in 0..1, how many weren't, and the speed."""
    bad = ~np.isfinite(found).all(axis=1) | (found[:, 1] < 0) | (found[:, 1] > 1)
    errors = np.sqrt(np.mean((found[~bad] - truth[~bad]) ** 2, axis=0))
    return {"rmse": errors.tolist(), "failed": int(bad.sum()), "voxels": len(found), "speed": len(found) / seconds}


def inside(folder: Path) -> None:
    """Fit with every peer; one that fails is told with its error."""
    import warnings

    warnings.simplefilter("ignore")
    result: Result = {}
    for snr in SNRS:
        with np.load(folder / f"{snr}.npz") as file:
            b, signals, truth, training = (file[name] for name in ("b", "signals", "truth", "training"))
        fits = peers()
        for name in (*fits, "IVIM-NET"):
            try:
                fit = fits.get(name) or ivim_net(b, training)
                start = time.process_time()
                found = fit(b, signals)
                one = score(found, truth, time.process_time() - start)
            except Exception as error:  # a peer of another version: told, and the others continue
                one = {"error": f"{type(error).__name__}: {error}"}
            result.setdefault(name, {})[str(snr)] = one
            print(snr, name, one, file=sys.stderr, flush=True)
    (folder / "peers.json").write_text(json.dumps(result))


def ours(folder: Path) -> Result:
    """Write the voxels for the peers, and fit them here."""
    from ivim import best_possible
    from napari_micromri.ivim import Bounds, FitOptions, make_model
    from napari_micromri.ivim.simulation import voxels

    result: Result = {}
    for snr in SNRS:
        made = voxels(COUNT, snr, seed=2)
        truth = np.stack([made.truth[name] for name in NAMES], axis=1)
        training = voxels(TRAINED_ON, snr, seed=3).signals.T.astype(float)
        signals = made.signals.T.astype(float)
        np.savez(folder / f"{snr}.npz", b=made.b_values, signals=signals, truth=truth, training=training)
        for label, bounds in OURS.items():
            start = time.process_time()
            options = FitOptions(noise="gaussian", bounds=Bounds(**bounds))
            fit = make_model(label.partition(",")[0], options).fit(made.signals, made.b_values)
            seconds = time.process_time() - start
            found = np.stack([fit.maps[name] for name in NAMES], axis=1)
            result.setdefault(label, {})[str(snr)] = score(found, truth, seconds)
        best = np.stack([*best_possible(made, snr)[0].values()], axis=1)
        result.setdefault("limit", {})[str(snr)] = score(best, truth, 1) | {"speed": None}
    return result


def table(known: Result) -> str:
    """Lay the results out."""
    lines = ["| method | RMSE at SNR 15 | at SNR 50 | voxels/s (SNR 15) |", "| --- | ---: | ---: | ---: |"]
    for name, both in known.items():
        cells = []
        for snr in SNRS:
            one = both[str(snr)]
            if "error" in one:
                cells.append("fails")
                continue
            D, f, Dp = one["rmse"]
            failed = f" ({one['failed']} of {one['voxels']} not fitted)" if one["failed"] else ""
            cells.append(f"{1e3 * D:.3f} / {100 * f:.2f} / {1e3 * Dp:.2f}{failed}")
        speed = both[str(SNRS[0])].get("speed")
        count = both[str(SNRS[0])].get("voxels", COUNT)
        name += f" ({count} voxels)" if count < COUNT and str(count) not in name else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {f'{speed:,.0f}' if speed else ''} |")
    return "\n".join(lines)


def main() -> None:
    """Run both sides, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="folder of the peers' environment")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=HERE / "ivim_peers.json")
    parser.add_argument("--update", type=Path, help="document to put the table into")
    options = parser.parse_args()
    if options.inside:
        inside(options.inside)
        return
    import tempfile

    import torch

    torch.set_num_threads(1)
    python = environment(options.environment, PINNED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mine = ours(folder)
        command = [str(python), __file__, "--environment", str(options.environment), "--inside", name]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        known = mine | json.loads((folder / "peers.json").read_text())
    options.results.write_text(json.dumps(known, indent=1) + "\n")
    print(table(known))
    if options.update:
        from ivim import put_table

        put_table(options.update, "peers", table(known))


if __name__ == "__main__":
    main()
