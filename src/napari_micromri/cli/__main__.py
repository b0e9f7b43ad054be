"""Make `python -m napari_micromri.cli` the same as `micromri`."""

import sys

from napari_micromri.cli import main

sys.exit(main())
