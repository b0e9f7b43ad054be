"""Do the suggestions find the bad slices? Plants them into good pairs, ranks, and counts.

A study here is four pairs of one source (LR at SNR 8, 12, 20 and 30, each with another matrix, field of view, contrast
and offset) with 15 % of the slices spoilt. A planted slice counts as found when its score is above that of 95 % of the
good slices of its study. What is planted, and how strongly, stands in `_planting.py`.

Seeds 0 to 4 of the mouse trunk and the digital mouse were used to choose the limits in `napari_micromri.study.clues`;
the defaults here are other seeds, and no limit was chosen on the rat head.

    python benchmarks/curation.py                     # 10 seeds, some ten minutes
    python benchmarks/curation.py --seeds 100-101     # a first look
    python benchmarks/curation.py --results benchmarks/curation.json
    python benchmarks/curation.py --results benchmarks/curation.json --reuse --update docs/study-quality.md
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from _planting import KINDS, PLANTED, SNRS, SOURCES, data_folder, make_pair, plant

from napari_micromri.scan import ScanInfo
from napari_micromri.study.model import Pair, PairReport, StudyImage
from napari_micromri.study.quality import Suspicion, measure_slices, rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _planting import Volume

    Faults: TypeAlias = Mapping[tuple[str, int], str]

LIMIT, GOOD_BELOW = 0.95, 0.95
SUSPICIOUS = 0.5
STUDY_SLICES = 4320


@dataclass(frozen=True)
class Row:
    """One kind of fault in one source: how many were planted, found, and given a score of 0.5 or more.

    The kind ``good`` counts the good slices: found are those above their own 95 %.
    """

    source: str
    kind: str
    planted: int
    found: int
    suspicious: int


def main() -> None:
    """Run, print, and update the table in the documents that were named."""
    options = parse()
    rows = [Row(**row) for row in json.loads(Path(options.results).read_text())] if options.reuse else []
    for source in () if options.reuse else options.sources:
        if source != "digital mouse" and not data_folder().is_dir():
            raise SystemExit(f"The scans are not at {data_folder()}. Set MICROMRI_DATA to the folder that holds them.")
        rows += run_source(source, options.seeds)
        print(table([row for row in rows if row.source == source]) + "\n", flush=True)
    share = total(rows)
    print(f"{'passed' if share >= LIMIT else 'FAILED'} found {100 * share:.1f} % of all planted slices, limit 95 %")
    if not options.reuse:
        speed()
    if options.results and not options.reuse:
        Path(options.results).write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    for document in options.update:
        update(Path(document), rows)
    if share < LIMIT:
        raise SystemExit(1)


def run_source(source: str, seeds: list[int]) -> list[Row]:
    """Count over the studies of all seeds."""
    counts: dict[str, list[tuple[bool, bool]]] = {}
    for seed in seeds:
        pairs, faults = make_study(source, seed)
        for kind, one in judge(rank(pairs), faults):
            counts.setdefault(kind, []).append(one)
    kinds = [kind for kind in (*KINDS, "good") if kind in counts]
    return [
        Row(source, kind, len(counts[kind]), sum(f for f, _ in counts[kind]), sum(s for _, s in counts[kind]))
        for kind in kinds
    ]


def make_study(source: str, seed: int, snrs: tuple[float, ...] = SNRS) -> tuple[list[Pair], Faults]:
    """Make one pair per SNR, and say which slices of them are spoilt, and how."""
    pairs: list[Pair] = []
    faults: dict[tuple[str, int], str] = {}
    for number, snr in enumerate(snrs):
        rng = np.random.default_rng([seed, number, SOURCES.index(source)])
        lr, hr = make_pair(source, snr, rng)
        shuffled = [KINDS[k] for k in rng.permutation(len(KINDS))]
        count = max(2, round(PLANTED * len(lr))) - 1  # a swap spoils two
        planted = plant(lr, hr, snr, rng, [shuffled[k % len(KINDS)] for k in range(count)])
        key = f"{source}-{seed}/SNR-{snr:g}/any"
        pairs.append(describe(key, planted.lr, planted.hr))
        faults |= {(key, index): kind for index, kind in planted.faults.items()}
    return pairs, faults


def describe(key: str, lr: Volume, hr: Volume) -> Pair:
    """Measure a pair and wrap the figures as a study would hold them."""
    nothing = PairReport(
        extent_difference=0,
        shift=(0, 0),
        shift_spread=0,
        correlation=1,
        intensity_ratio=1,
        lr_snr=1,
        hr_snr=1,
    )
    images = [
        StudyImage((len(a), a.shape[1], a.shape[2]), str(a.dtype), ScanInfo(name=key, axes="zyx", voxel_size=size))
        for a, size in ((lr, (1, 0.2, 0.2)), (hr, (1, 0.1, 0.1)))
    ]
    subject, region, plane = key.split("/")
    return Pair(
        key=key,
        subject=subject,
        region=region,
        plane=plane,
        session=None,
        lr=images[0],
        hr=images[1],
        shift=(0, 0),
        report=nothing,
        quality=measure_slices(lr, hr),
        sources={},
        digest="",
    )


def judge(ranked: list[Suspicion], faults: Faults) -> list[tuple[str, tuple[bool, bool]]]:
    """Tell for each slice its kind, whether it stands above 95 % of the good ones, and whether it is suspicious."""
    good = [one.score for one in ranked if (one.key, one.index) not in faults]
    threshold = float(np.quantile(good, GOOD_BELOW))
    return [
        (faults.get((one.key, one.index), "good"), (one.score > threshold, one.score >= SUSPICIOUS)) for one in ranked
    ]


def total(rows: list[Row]) -> float:
    """Part of all planted slices that was found."""
    planted = [row for row in rows if row.kind != "good"]
    return sum(row.found for row in planted) / sum(row.planted for row in planted)


def table(rows: list[Row]) -> str:
    """Format as Markdown: a line per kind, two columns per source."""
    sources = list(dict.fromkeys(row.source for row in rows))
    at = {(row.source, row.kind): row for row in rows}
    heads = [text for source in sources for text in (f"{source}: found", "score ≥ 0.5")]
    lines = ["| planted | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for kind in (*KINDS, "all", "good"):
        cells: list[str] = []
        for source in sources:
            mine = [r for r in rows if r.source == source and r.kind != "good"] if kind == "all" else []
            mine = mine or ([at[source, kind]] if (source, kind) in at else [])
            cells += _cells(mine, kind)
        name = {"all": "**all**", "good": "(good slices)"}.get(kind, kind)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(rows: list[Row], kind: str) -> list[str]:
    planted = sum(row.planted for row in rows)
    if not planted:
        return ["", ""]
    found, suspicious = (sum(getattr(row, name) for row in rows) for name in ("found", "suspicious"))
    first = f"{planted} slices" if kind == "good" else f"{found} of {planted} ({100 * found / planted:.0f} %)"
    return [first, f"{100 * suspicious / planted:.1f} %" if kind == "good" else f"{100 * suspicious / planted:.0f} %"]


def speed() -> None:
    """Time one pair of the usual size, and the ranking of a study of 144 pairs."""
    rng = np.random.default_rng(0)
    lr, hr = make_pair("digital mouse", 15, rng)
    start = time.process_time()
    pair = describe("a/b/c", lr, hr)
    print(
        f"measuring {len(lr)} slices of {lr.shape[1:]} and {hr.shape[1:]}: {time.process_time() - start:.1f} s of CPU"
    )
    pairs = [pair] * (STUDY_SLICES // len(lr))
    start = time.process_time()
    rank(pairs)
    print(f"ranking {STUDY_SLICES} slices: {1000 * (time.process_time() - start):.0f} ms of CPU")


def update(document: Path, rows: list[Row]) -> None:
    """Put the table between the marks in a document."""
    begin, end = "<!-- curation table: begin -->", "<!-- curation table: end -->"
    text = document.read_text()
    if begin not in text or end not in text:
        raise SystemExit(f"{document} has no place for the table: {begin} ... {end}")
    body = f"{begin}\n\n{table(rows)}\n\n{end}"
    document.write_text(re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: body, text, flags=re.DOTALL))


def seeds(text: str) -> list[int]:
    """Read ``100-109`` or ``3``."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--seeds", type=seeds, default=seeds("100-109"), help="one seed or a range (default 100-109)")
    parser.add_argument("--results", help="JSON file for the counts")
    parser.add_argument("--reuse", action="store_true", help="count nothing, take the counts from --results")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    if options.reuse and not options.results:
        parser.error("--reuse needs --results")
    return options


if __name__ == "__main__":
    main()
