"""How long importing the manifest and opening the dock take, beside importing napari itself.

Needs a display (`make bench` brings one). Each figure is the median of several processes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

RUNS = 5
LIMIT_MS = 300

MEASURE = """
import json, sys, time
start = time.perf_counter()
import napari
napari.Viewer  # napari itself is lazy: this imports it
imported = time.perf_counter()
viewer = napari.Viewer(show=False)
ready = time.perf_counter()
import npe2
npe2.PluginManifest.from_distribution("napari-micromri")
manifest = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-micromri")
from qtpy.QtWidgets import QApplication
QApplication.processEvents()
dock = time.perf_counter()
print(json.dumps({"napari": imported - start, "viewer": ready - imported, "manifest": manifest - ready,
                  "dock": dock - manifest, "torch": "torch" in sys.modules}))
viewer.close()
"""


def main() -> int:
    """Measure, print a table; 1 when the dock is slow or brings torch with it."""
    runs = [_run() for _ in range(RUNS)]
    milliseconds = {name: 1000 * statistics.median(run[name] for run in runs) for name in runs[0]}
    ours = milliseconds["manifest"] + milliseconds["dock"]
    print(f"importing napari        {milliseconds['napari']:7.0f} ms")
    print(f"opening its window      {milliseconds['viewer']:7.0f} ms")
    print(f"reading our manifest    {milliseconds['manifest']:7.0f} ms")
    print(f"opening our dock        {milliseconds['dock']:7.0f} ms")
    print(f"ours together           {ours:7.0f} ms, {ours / milliseconds['napari']:.2f} of importing napari")
    torch = any(run["torch"] for run in runs)
    print(f"torch was {'' if torch else 'not '}imported")
    return int(torch or ours > LIMIT_MS)


def _run() -> dict[str, float]:
    result = subprocess.run([sys.executable, "-c", MEASURE], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    sys.exit(main())
