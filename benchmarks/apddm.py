"""Judge the diffusion model on scans that it never saw: texture, uncertainty, time, and what it gains over its rivals.

    python benchmarks/apddm.py                                     # dial, calibration and time; some minutes
    python benchmarks/apddm.py --rivals RUNS --parts rivals        # RUNS: two models, trained by micromri train
    python benchmarks/apddm.py --results benchmarks/apddm.json --update docs/apddm.md --images docs/images

Fast slices are simulated as in ``quality.py``, and as there each source is judged with a model that was trained without
it. Four things were wanted; the script says of each whether it was reached, and with ``--strict`` exits with 1 when one
was not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import quality
import torch
from quality import HERE, LEFT_OUT, REAL, best_figures, bm3d_filter, filtered, load
from scipy.stats import spearmanr

from napari_micromri.inference.devices import resolve_precision
from napari_micromri.measure.metrics import assess
from napari_micromri.nn.families.apddm.network import estimate
from napari_micromri.nn.families.apddm.sampler import sample
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import MEASURED, Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_micromri.nn.families.apddm.sampler import Rule

    Volume = NDArray[np.float32]
    Row = dict[str, Any]

SNR = (8.0, 15.0, 30.0)
DIAL = {
    "1 step": Sampling(),
    "5 steps": Sampling(steps=5),
    "10 steps": Sampling(steps=10),
    "20 steps": Sampling(steps=20),
    "50 steps": Sampling(steps=50),
    "50 steps, eta 0.15": Sampling(steps=50, eta=0.15, seed=1),
    "10 steps, eta 0.3": Sampling(steps=10, eta=0.3, seed=1),
    "mean of 8 draws of 5 steps": Sampling(steps=5, draws=8, eta=1.0, seed=1),
}
FILTER = "BM3D + sinc"
TEXTURED = "50 steps, eta 0.15"
ENSEMBLE = "mean of 8 draws of 5 steps"
BINS = 10
RULES: dict[str, Rule] = {"posterior (this model's)": "posterior", "InDI": "indi", "cold diffusion": "cold"}
RULE_STEPS = (5, 20)
PARTS = ("dial", "rules", "time", "rivals")
MOST_OVERHEAD = 0.15
TIMED_STEPS = (1, 5, 10)


def main() -> None:
    """Measure, print, judge, and fill in tables and plots."""
    options = parse()
    file = Path(options.results) if options.results else None
    results: dict[str, list[Row]] = json.loads(file.read_text()) if file and file.exists() else {}
    torch.set_num_threads(1)
    if "dial" in options.parts:
        for name, rows in zip(("dial", "calibration"), measure_dial(options), strict=True):
            kept = [row for row in results.get(name, []) if row["source"] not in options.sources]
            results[name] = sorted(kept + rows, key=lambda row: REAL.index(row["source"]))
    if "rules" in options.parts:
        results["rules"] = list(measure_rules(options.every))
    if "time" in options.parts:
        results["time"] = list(measure_time(options.rounds))
    if "rivals" in options.parts and options.rivals:
        results["rivals"] = list(measure_rivals(Path(options.rivals), options))
    if file:
        file.write_text(json.dumps(results, indent=1) + "\n")
    tables = {name: TABLES[name](rows) for name, rows in results.items() if rows}
    for name, text in tables.items():
        print(f"\n## {name}\n\n{text}")
    verdicts = list(judge(results))
    print("\n" + "\n".join(verdicts))
    for document in options.update:
        fill_in(Path(document), tables | {"verdicts": "\n".join(f"- {verdict}" for verdict in verdicts)})
    if options.images and "calibration" in results:
        draw_calibration(results["calibration"], Path(options.images) / "apddm_calibration.png")
    if options.strict and any(verdict.startswith("**missed") for verdict in verdicts):
        raise SystemExit(1)


def measure_dial(options: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    """Judge the UNet and every position of the dial on each source, and the uncertainty of the draws."""
    dial, calibration = [], []
    for source in options.sources:
        good = load(source)[:: options.every]
        unet, apddm = models_for(source)
        for snr in SNR:
            fast = fast_slices(good, snr)
            dial += [filtered_row(source, snr, fast, good), judged(source, snr, "UNet", unet.restore(fast), good)]
            for name, sampling in DIAL.items():
                sampled = apddm.sample(fast, sampling, range(len(fast)), at_once=16)
                dial.append(judged(source, snr, name, sampled.image, good))
                if name == ENSEMBLE:
                    calibration.append({"source": source, "snr": snr} | calibrated(sampled, good))
    return dial, calibration


def filtered_row(source: str, snr: float, fast: torch.Tensor, good: Volume) -> Row:
    """Judge the best of the filters on the same slices."""
    variants = filtered(fast[:, 0].numpy(), [bm3d_filter()])
    return {"source": source, "snr": snr, "method": FILTER} | best_figures(variants, good)


def models_for(source: str) -> tuple[Any, Any]:
    """Load the UNet and the diffusion model that never saw a source."""
    name = LEFT_OUT[source].removeprefix("unet-")
    return prepared(HERE / "models" / f"unet-{name}.safetensors"), prepared(
        HERE / "models" / f"apddm-{name}.safetensors"
    )


def prepared(path: Path) -> Any:
    """Load a model to compute as by default on this CPU."""
    model, cpu = load_model(path), torch.device("cpu")
    model.prepare(cpu, resolve_precision("auto", cpu))
    return model


def fast_slices(good: Volume, snr: float) -> torch.Tensor:
    """Simulate the fast slices, (N, 1, h, w)."""
    return torch.from_numpy(quality.fast_slices(good, snr))[:, None]


def judged(source: str, snr: float, method: str, found: torch.Tensor, good: Volume) -> Row:
    """Average every figure of quality over the slices."""
    figures = [asdict(assess(*pair)) for pair in zip(found[:, 0].numpy(), good, strict=True)]
    means = {key: float(np.mean([one[key] for one in figures])) for key in figures[0]}
    print(f"{source} SNR {snr:g} {method}: {means['psnr']:.2f} dB, detail {means['power_ratio']:.2f}", file=sys.stderr)
    return {"source": source, "snr": snr, "method": method} | means


def calibrated(sampled: Any, good: Volume) -> Row:
    """Bin all pixels by their predicted standard deviation, ten equal bins, and measure the real error in each."""
    spread = sampled.spread[:, 0].numpy().ravel()
    error = (sampled.image[:, 0].numpy() - good).ravel()
    order = np.argsort(spread, kind="stable")
    predicted = [float(np.sqrt(np.mean(spread[part] ** 2))) for part in np.array_split(order, BINS)]
    real = [float(np.sqrt(np.mean(error[part] ** 2))) for part in np.array_split(order, BINS)]
    return {"predicted": predicted, "real": real, "rank_correlation": float(spearmanr(predicted, real)[0])}


def measure_rules(every: int) -> Iterator[Row]:
    """Walk back along the path by three rules with the same network, without any chance."""
    for source in REAL:
        good = load(source)[::every]
        unet, apddm = models_for(source)
        for snr in SNR:
            fast = fast_slices(good, snr)
            yield judged(source, snr, "UNet", unet.restore(fast), good)
            for name, rule in RULES.items():
                for steps in RULE_STEPS:
                    found = walked(apddm, fast, rule, steps)
                    yield judged(source, snr, f"{name}, {steps} steps", found, good)


@torch.inference_mode()
def walked(model: Any, fast: torch.Tensor, rule: Rule, steps: int) -> torch.Tensor:
    """Denoise by one of the rules."""
    anchor, scaling = model.prepared(fast, MEASURED)

    def predict(x: torch.Tensor, anchor: torch.Tensor, t: int) -> torch.Tensor:
        with model.autocast():
            return estimate(model.network, model.config, x, anchor, torch.full((len(x),), t), scaling.noise).float()

    found: torch.Tensor = scaling.restore(sample(model.path, predict, anchor, steps=steps, rule=rule))
    return found


def measure_time(rounds: int) -> Iterator[Row]:
    """Compare the processor's time per slice with that of as many runs of the UNet."""
    unet, apddm = models_for("rat_head")
    fast = fast_slices(load("mouse_trunk")[:4], 15.0)

    def steps(count: int) -> Callable[[], Any]:
        return lambda: apddm.sample(fast, Sampling(steps=count), range(4), at_once=4)

    runs: dict[str, Callable[[], Any]] = {"UNet": lambda: unet.restore(fast)}
    runs |= {f"{n} step{'s' * (n > 1)}": steps(n) for n in TIMED_STEPS}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():  # in turn, so that other work on the machine meets all alike
            start = time.thread_time()
            run()
            seconds[name].append((time.thread_time() - start) / len(fast))
    for name, calls in zip(runs, (1, *TIMED_STEPS), strict=True):
        # Pace drifts with what else the machine does: each is compared with the UNet's of its own round.
        ratio = statistics.median(a / b for a, b in zip(seconds[name][1:], seconds["UNet"][1:], strict=True))
        yield {"method": name, "calls": calls, "ratio": ratio, "overhead": ratio / calls - 1}


def measure_rivals(runs: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Judge what trained for equal time from the same UNet on the same batches, on the sources left out."""
    apddm = prepared(HERE / "models" / "apddm-without-rat-head.safetensors")
    start = prepared(HERE / "models" / "unet-without-rat-head.safetensors")
    names = {"UNet, trained on": "unet-on", "simplified APDDM": "simplified"}
    files = {title: runs / f"{name}.safetensors" for title, name in names.items()}
    rivals = {"UNet, where all start": start} | {k: prepared(path) for k, path in files.items() if path.exists()}
    for source in ("rat_head", "geometric_phantoms"):
        good = load(source)[:: options.every]
        for snr in SNR:
            fast = fast_slices(good, snr)
            for title, model in rivals.items():
                yield judged(source, snr, title, model.restore(fast), good)
            yield judged(source, snr, "APDDM, 1 step", apddm.restore(fast), good)
            for steps in (5, 20):
                found = apddm.sample(fast, Sampling(steps=steps), range(len(fast)), at_once=16).image
                yield judged(source, snr, f"APDDM, {steps} steps", found, good)


def judge(results: dict[str, list[Row]]) -> Iterator[str]:
    """Say what was wanted, and whether it was reached."""
    at = {(row["source"], row["snr"], row["method"]): row for row in results.get("dial", [])}
    for (source, snr, method), unet in at.items():
        if method != "UNet":
            continue
        where = f"{source.replace('_', ' ')}, SNR {snr:g}"
        one, textured = at[source, snr, "1 step"], at[source, snr, TEXTURED]
        loss = unet["psnr"] - one["psnr"]
        yield f"{reached(loss <= 0.2)} {where}: one step loses {loss:.2f} dB to the UNet (at most 0.20)"
        closed = 1 - abs(1 - textured["power_ratio"]) / abs(1 - unet["power_ratio"])
        cost = unet["psnr"] - textured["psnr"]
        over = textured["psnr"] - at[source, snr, FILTER]["psnr"]
        yield (
            f"{reached(closed >= 1 / 3 and cost <= 1 and over > 0)} {where}: {TEXTURED} close {100 * closed:.0f} % of "
            f"the UNet's gap in detail (at least 33) for {cost:.2f} dB (at most 1), {over:+.2f} dB over {FILTER}; "
            f"true detail {textured['ring_correlation']:.2f} against {unet['ring_correlation']:.2f}"
        )
    for row in results.get("calibration", []):
        where = f"{row['source'].replace('_', ' ')}, SNR {row['snr']:g}"
        rank = row["rank_correlation"]
        yield f"{reached(rank > 0.8)} {where}: the real error rises with the predicted, rank correlation {rank:.2f}"
    for row in results.get("time", []):
        if row["method"] != "UNet":
            overhead = 100 * row["overhead"]
            yield (
                f"{reached(row['overhead'] < MOST_OVERHEAD)} {row['method']}: {row['ratio']:.2f} times the UNet's "
                f"time, {overhead:+.0f} % over {row['calls']} runs of a network (less than 15)"
            )


def reached(good: bool) -> str:
    """Mark a verdict."""
    return "reached:" if good else "**missed:**"


def dial_table(rows: list[Row]) -> str:
    """Format as Markdown, a line per source and method, with a figure for each SNR in turn."""
    heads = ["source", "method", "PSNR in dB", "SSIM", "detail", "true detail", "bias in %"]
    lines = ["| " + " | ".join(heads) + " |", "| --- | --- |" + " ---: |" * 5]
    keys = [("psnr", "{:.2f}", 1), ("ssim", "{:.3f}", 1), ("power_ratio", "{:.2f}", 1)]
    keys += [("ring_correlation", "{:.2f}", 1), ("bias", "{:+.1f}", 100)]
    for source, method in dict.fromkeys((row["source"], row["method"]) for row in rows):
        mine = [row for row in rows if (row["source"], row["method"]) == (source, method)]
        cells = [", ".join(form.format(factor * row[key]) for row in mine) for key, form, factor in keys]
        lines.append(f"| {source.replace('_', ' ')} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def calibration_table(rows: list[Row]) -> str:
    """Format as Markdown: real over predicted error in the lowest, a middle and the highest bin."""
    lines = [
        "| source | SNR | rank correlation | predicted SD / real RMSE, bins 1, 5, 10 |",
        "| --- | ---: | ---: | ---: |",
    ]
    for row in rows:
        ratios = [p / r for p, r in zip(row["predicted"], row["real"], strict=True)]
        shown = ", ".join(f"{ratios[k]:.2f}" for k in (0, 4, 9))
        lines.append(
            f"| {row['source'].replace('_', ' ')} | {row['snr']:g} | {row['rank_correlation']:.2f} | {shown} |"
        )
    return "\n".join(lines)


def time_table(rows: list[Row]) -> str:
    """Format as Markdown."""
    lines = ["| | runs of a network | time per slice over the UNet's |", "| --- | ---: | ---: |"]
    return "\n".join([*lines, *(f"| {r['method']} | {r['calls']} | {r['ratio']:.2f} |" for r in rows)])


TABLES = {
    "dial": dial_table,
    "rules": dial_table,
    "calibration": calibration_table,
    "time": time_table,
    "rivals": dial_table,
}


def draw_calibration(rows: list[Row], path: Path) -> None:
    """Plot the real error over the predicted one, one line per source and SNR."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, panels = plt.subplots(1, len(REAL), figsize=(8, 3.8), layout="constrained")
    for source, axes in zip(REAL, panels, strict=True):
        mine = [row for row in rows if row["source"] == source]
        for row in mine:
            axes.loglog(row["predicted"], row["real"], "o-", markersize=3, label=f"SNR {row['snr']:g}")
        top = max(max(row["real"]) for row in mine)
        axes.plot([top / 30, top], [top / 30, top], ":", color="gray", label="predicted = real")
        axes.set(title=source.replace("_", " "), xlabel="predicted SD", ylabel="real RMSE")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.legend()
    figure.savefig(path, dpi=120)


def fill_in(document: Path, texts: dict[str, str]) -> None:
    """Put each text between its marks."""
    content = document.read_text()
    for name, text in texts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin in content and end in content:
            before, rest = content.split(begin, 1)
            content = f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end, 1)[1]}"
    document.write_text(content)


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--sources", nargs="+", default=list(REAL), choices=REAL, help="for the dial")
    parser.add_argument("--every", type=int, default=4, help="take every n-th slice, as in quality.json (default 4)")
    parser.add_argument("--rounds", type=int, default=15, help="of timing (default %(default)s)")
    parser.add_argument("--rivals", help="folder with simplified.safetensors and unet-on.safetensors")
    parser.add_argument("--results", help="JSON file with the figures: read if it is there, and written")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the tables into")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when something wanted was not reached")
    parser.add_argument("--images", help="folder for the calibration plot")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.simplefilter("error", RuntimeWarning)
    main()
