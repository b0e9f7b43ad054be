"""Tabulate what was tried: for each run folder of ``train.py`` its PSNR on sources that it never saw.

Usage: ``python scripts/unet_default/report.py RUN... [--update docs/training.md]``.

The figures are those that the training logged at its end: five slices of each source, averaged.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

CHECKED = ("mouse_trunk", "rat_head")
BEGIN, END = "<!-- runs table: begin -->", "<!-- runs table: end -->"


def main() -> None:
    """Print the table and put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--update", type=Path)
    options = parser.parse_args()
    text = table(options.runs)
    print(text)
    if options.update:
        document = options.update.read_text()
        body = f"{BEGIN}\n\n{text}\n\n{END}"
        options.update.write_text(
            re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: body, document, flags=re.DOTALL)
        )


def table(runs: list[Path]) -> str:
    """Format as Markdown, one line per run and source that it didn't see."""
    lines = [
        "| run | what | minutes | steps | judged on | PSNR in dB at SNR 8, 15, 30 |",
        "| --- | --- | ---: | ---: | --- | ---: |",
    ]
    for source in CHECKED:
        lines.append(f"| | sinc interpolation alone | | | {source.replace('_', ' ')} | {sinc_of(runs, source)} |")
    for run in runs:
        knobs = json.loads((run / "config.json").read_text())
        last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
        for source in CHECKED:
            if source in knobs["without"]:
                found = ", ".join(f"{psnr:.2f}" for _, psnr, _ in last[source])
                lines.append(
                    f"| {run.name} | {describe(knobs)} | {knobs['minutes']:g} | {last['step']} | "
                    f"{source.replace('_', ' ')} | {found} |"
                )
    return "\n".join(lines)


def sinc_of(runs: list[Path], source: str) -> str:
    """Find what plain sinc reaches in the log of a run that starts from it."""
    for run in runs:
        if json.loads((run / "config.json").read_text())["upsampling"] == "sinc":
            last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
            return ", ".join(f"{psnr:.2f}" for psnr, _, _ in last[source])
    return ""


def describe(knobs: dict[str, Any]) -> str:
    """Say what a run did, in short."""
    parts = [
        f"features {'-'.join(str(n) for n in knobs['features'])}",
        f"patch {knobs['patch_size']}",
        knobs["upsampling"],
        "residual" if knobs["residual"] else "not residual",
        f"loss {knobs['loss']}",
    ]
    if knobs["start"]:
        parts.append(f"after {Path(knobs['start']).name}")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
