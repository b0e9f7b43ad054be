"""What a tuning finds, how much faster two workers are than one, and what a trial costs beside its bare training.

The study is simulated from two real scans: LR of a mouse trunk is learned from, that of a rat head judges. All trials
have one thread. (a) A search of 24 trials by two workers: its best trial against the median of those of its trials that
were drawn at random. (b) The same trials by one worker and by two, each in processes that are started for it: the time
until all are finished. (c) A training of about a minute, bare and as a trial, in turn in this process.

    python benchmarks/tuning.py                            # some 15 minutes on two quiet cores
    python benchmarks/tuning.py --trials 6 --same 2 --rounds 1 --seconds 10 --epochs 2    # a first look
    python benchmarks/tuning.py --results benchmarks/tuning.json --update docs/tuning.md
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.progress import never
from napari_micromri.study.build import build
from napari_micromri.study.model import Assign
from napari_micromri.study.simulated import plan_simulated
from napari_micromri.study.store import Study
from napari_micromri.training.config import TrainConfig, make_config
from napari_micromri.training.runner import create_run, run_training
from napari_micromri.tuning.config import TuneConfig, make_tune_config
from napari_micromri.tuning.objective import Workplace
from napari_micromri.tuning.process import create_tuning, read_workers, start_workers
from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.report.text import as_text
from napari_micromri.tuning.space import Choice, Float, SearchSpace
from napari_micromri.tuning.storage import open_tuning
from napari_micromri.tuning.worker import Worker

if TYPE_CHECKING:
    from napari_micromri.tuning.reading import TuneState

FASTER, OVERHEAD = 1.7, 0.05
PARTS = ("search", "workers", "cost")
WORKERS = 2
START_UP = 8
SCANS = ("t2w_mouse_trunk", "t2w_rat_head")
SPACE = SearchSpace(
    parameters={
        "network.features_main.0": Choice(values=(8, 16)),
        "network.features_main.1": Choice(values=(16, 32)),
        "network.downsampling": Choice(values=("maxpool", "meanpool", "conv_strided")),
        "network.residual": Choice(values=(True, False)),
        "learning_rate": Float(low=1e-5, high=1e-2, log=True),
        "optimizer": Choice(values=("adam", "adamw", "sgd", "rmsprop")),
    }
)
SAME: tuple[dict[str, Any], ...] = (
    {"learning_rate": 1e-3, "optimizer": "adamw", "network.residual": True},
    {"learning_rate": 3e-3, "optimizer": "adam", "network.residual": True},
)
"""What the trials of (b) are told in turn; the rest is the same for all, so that they take the same time."""


@dataclass
class Figures:
    """What was measured; ``seconds`` are of the clock."""

    trials: int = 0
    done: int = 0
    pruned: int = 0
    failed: int = 0
    tuning_seconds: float = 0.0
    best_mse: float = 0.0
    random_median_mse: float = 0.0
    random_trials: int = 0
    input_mse: float = 0.0
    same_trials: int = 0
    one_worker_seconds: float = 0.0
    two_workers_seconds: float = 0.0
    bare_seconds: float = 0.0
    trial_seconds: float = 0.0
    cores: int = 0
    report: str = ""
    """What ``micromri tune-report`` says of the search."""

    @property
    def faster(self) -> float:
        """How much faster two workers are than one."""
        return self.one_worker_seconds / self.two_workers_seconds

    @property
    def overhead(self) -> float:
        """Part of the bare training that a trial takes on top."""
        return self.trial_seconds / self.bare_seconds - 1

    @property
    def passed(self) -> bool:
        """Whether all limits are kept."""
        return self.best_mse < self.random_median_mse and self.faster >= FASTER and self.overhead < OVERHEAD


def main() -> int:
    """Measure, print, write where asked; 1 when a limit is passed."""
    options = parse()
    results = Path(options.results) if options.results else None
    known = json.loads(results.read_text()) if results is not None and results.exists() else {}
    figures = Figures(**known | {"cores": len(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        measure(figures, Path(folder), options)
    if results is not None:
        results.write_text(json.dumps(asdict(figures), indent=1) + "\n")
    print(table(figures))
    print("passed" if figures.passed else "FAILED")
    for document in options.update:
        update(Path(document), figures)
    return int(not figures.passed)


def measure(figures: Figures, folder: Path, options: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    if not options.parts:
        return
    study = make_study(folder)
    if "search" in options.parts:
        search(figures, study, folder / "search", options)
        print(f"(a) best {figures.best_mse:.5f}, median of random ones {figures.random_median_mse:.5f}", flush=True)
    if "workers" in options.parts:
        figures.same_trials = options.same
        figures.one_worker_seconds = same_trials(study, folder / "one", options, workers=1)
        figures.two_workers_seconds = same_trials(study, folder / "two", options, workers=2)
        print(f"(b) two workers are {figures.faster:.2f} times faster", flush=True)
    if "cost" in options.parts:
        figures.bare_seconds, figures.trial_seconds = cost(study, folder / "cost", options)
        print(f"(c) a trial takes {100 * figures.overhead:.1f} % longer than its training", flush=True)


def make_study(folder: Path) -> Study:
    """Simulate LR from two real scans; the second judges what is learned from the first."""
    default = Path(__file__).parents[2] / "shared" / "data"
    data = Path(os.environ.get("MICROMRI_DATA", default))
    if not data.is_dir():
        raise SystemExit(f"The scans are not at {data}. Set MICROMRI_DATA to the folder that holds them.")
    path = folder / "real.mri.zarr"
    result = build(plan_simulated([data / scan for scan in SCANS]), path)
    if result.failed or len(result.added) != len(SCANS):
        raise SystemExit(f"The study can't be made: {result}")
    study = Study.open(path)
    rat = next(subject for subject in study.subjects if "rat" in subject)
    study.apply([Assign(rat, "validation")])
    return study


def told(study: Study, name: str, epochs: int, **fields: Any) -> TuneConfig:
    """Put together what a tuning of small networks is told."""
    settings = ["network.features_main=8,16", f"epochs={epochs}", "patience=none", "device=cpu", "threads=1"]
    content: dict[str, Any] = {"space": SPACE, "base": make_config("quick", settings=settings)}
    return make_tune_config(name=name, study=str(study.path), **content | fields)


def search(figures: Figures, study: Study, path: Path, options: argparse.Namespace) -> None:
    """Search with two workers (a)."""
    config = told(
        study, "search", options.epochs, trials=options.trials, sampler_options={"n_startup_trials": START_UP}
    )
    create_tuning(path, config)
    figures.tuning_seconds = work(path, WORKERS)
    state = read_tuning(path)
    chance = [row.values[0] for row in state.done() if row.origin == "random" and row.values]
    figures.trials, figures.random_trials = state.finished, len(chance)
    figures.done, figures.pruned, figures.failed = (state.counts[key] for key in ("done", "pruned", "failed"))
    figures.best_mse = (state.best_rows[0].values or (0.0,))[0]
    figures.random_median_mse = statistics.median(chance)
    figures.input_mse = _input_mse(state)
    figures.report = as_text(state).replace(str(path), "search")


def _input_mse(state: TuneState) -> float:
    from napari_micromri.training.run import read_run

    run = state.best_rows[0].run
    began = read_run(run).began if run is not None else None
    return began.baseline.mse if began is not None else 0.0


def same_trials(study: Study, path: Path, options: argparse.Namespace, *, workers: int) -> float:
    """Finish the same trials, and tell how long it took (b)."""
    config = told(study, path.name, options.epochs, trials=options.same, pruner="none", sampler="random")
    rest = {"network.features_main.0": 16, "network.features_main.1": 32, "network.downsampling": "meanpool"}
    create_tuning(path, config, first=[rest | SAME[number % len(SAME)] for number in range(options.same)])
    return work(path, workers)


def work(path: Path, workers: int) -> float:
    """Let workers finish a tuning; tells the seconds from their start to their end."""
    start = time.monotonic()
    start_workers(path, workers, threads=1)
    while any(row.state not in ("ended", "died") for row in read_workers(path)):
        time.sleep(1.0)  # looking takes its time, too, from the cores that are measured
    seconds = time.monotonic() - start
    state = read_tuning(path)
    if state.config is None or state.finished < state.config.trials:
        raise SystemExit(f"{path.name}: {[row.message for row in read_workers(path)]}")
    return seconds


def cost(study: Study, path: Path, options: argparse.Namespace) -> tuple[float, float]:
    """Train about so long (c), bare and as a trial in turn; the medians of both, in seconds."""
    bare(study, path / "warm-up", told(study, "warm-up", 1).base)  # loads what later ones find loaded
    first = bare(study, path / "first", told(study, "first", 3).base)
    again = bare(study, path / "again", told(study, "again", 6).base)
    epochs = max(1, 3 + round((options.seconds - first) / ((again - first) / 3)))
    alone, trials = [], []
    for number in range(options.rounds):
        config = told(study, f"cost {number}", epochs, trials=1, pruner="none")
        given = {"network.features_main.0": 8, "network.features_main.1": 16, **SAME[0]}
        given["network.downsampling"] = config.base.network.model_dump()["downsampling"]
        alone.append(bare(study, path / f"bare {number}", config.base))
        folder = create_tuning(path / f"trial {number}", config, first=[given])
        with open_tuning(folder.path) as tuning:
            worker = Worker(tuning, "worker-01", Workplace(study.path, folder.runs, 1), never)
            start = time.monotonic()
            worker.work()
            trials.append(time.monotonic() - start)
        print(f"    {epochs} epochs: bare {alone[-1]:.2f} s, as a trial {trials[-1]:.2f} s", flush=True)
    return statistics.median(alone), statistics.median(trials)


def bare(study: Study, path: Path, config: TrainConfig) -> float:
    """Train without a tuning."""
    start = time.monotonic()
    for _ in run_training(create_run(config, study.path, path)):
        pass
    return time.monotonic() - start


def table(figures: Figures) -> str:
    """Format as Markdown."""
    f = figures
    rows = [
        ("measured", "value", "limit"),
        ("---", "---", "---"),
        (f"trials of the search by {WORKERS} workers", f"{f.done} done, {f.pruned} pruned, {f.failed} failed", ""),
        ("its time", f"{f.tuning_seconds / 60:.1f} min", ""),
        ("validation MSE of the input", f"{f.input_mse:.5f}", ""),
        (f"of the {f.random_trials} trials drawn at random, median", f"{f.random_median_mse:.5f}", ""),
        ("of the best trial", f"{f.best_mse:.5f}", "below that median"),
        (f"the same {f.same_trials} trials, one worker", f"{f.one_worker_seconds:.0f} s", ""),
        (f"the same {f.same_trials} trials, two workers", f"{f.two_workers_seconds:.0f} s", ""),
        ("two workers are faster by", f"{f.faster:.2f}", f"at least {FASTER}"),
        ("a training alone", f"{f.bare_seconds:.1f} s", ""),
        ("the same as a trial", f"{f.trial_seconds:.1f} s", ""),
        ("a trial takes longer by", f"{100 * f.overhead:.1f} %", f"under {100 * OVERHEAD:.0f} %"),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def update(document: Path, figures: Figures) -> None:
    """Put table and report between their marks in a document."""
    text = document.read_text()
    for name, content in (("table", table(figures)), ("report", f"```text\n{figures.report}\n```")):
        begin, end = f"<!-- tuning {name}: begin -->", f"<!-- tuning {name}: end -->"
        if begin not in text or end not in text:
            raise SystemExit(f"{document} has no place for the {name}: {begin} ... {end}")
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n\n{content}\n\n{end}{rest.split(end, 1)[1]}"
    document.write_text(text)


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24, help="trials of the search (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=12, help="of each trial in (a) and (b) (default %(default)s)")
    parser.add_argument("--same", type=int, default=12, help="trials of (b) (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of (c) (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="of a training in (c) (default %(default)s)")
    parser.add_argument(
        "--parts", nargs="*", default=list(PARTS), choices=PARTS, help="(a), (b), (c); others keep their figures"
    )
    parser.add_argument("--results", help="JSON file for the figures: read if it is there, and written")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the table into")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
