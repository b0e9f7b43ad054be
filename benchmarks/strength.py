"""How much does a wrong noise cost? The network is told the measured noise times a strength.

Judged as in ``quality.py``, by the models that were trained without the source; the shipped diffusion model isn't told
the noise.

    python benchmarks/strength.py --update docs/training.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from quality import HERE, LEFT_OUT, REAL, best_figures, denoised, fast_slice, load, put_between

STRENGTHS = (0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 1.6, 2.0)


def main() -> None:
    """Measure and print the change of the PSNR against strength 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=4, help="of each source (default %(default)s)")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    heads = [f"{strength:g} times" for strength in STRENGTHS]
    lines = [f"| source | SNR | {' | '.join(heads)} |", "| --- |" + " ---: |" * (1 + len(heads))]
    for source in REAL:
        every = load(source)
        good = every[np.linspace(0, len(every) - 1, options.slices + 2).astype(int)[1:-1]]
        model = HERE / "models" / f"{LEFT_OUT[source]}.safetensors"
        for snr in (8, 15, 30):
            fast = np.stack([fast_slice(image, snr, k) for k, image in enumerate(good)])
            found = {s: best_figures([denoised(fast, model, strength=s)], good)["psnr"] for s in STRENGTHS}
            cells = [f"{found[s]:.2f} dB" if s == 1 else f"{found[s] - found[1.0]:+.2f}" for s in STRENGTHS]
            lines.append(f"| {source.replace('_', ' ')} | {snr} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    print("\n".join(lines))
    for document in options.update:
        put_between(Path(document), "strength", "\n".join(lines))


if __name__ == "__main__":
    main()
