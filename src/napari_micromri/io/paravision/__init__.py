"""Read the image data of Bruker ParaVision 5, 6, 7 and 360.

Own code rather than ``brukerapi`` (compared with it in the tests), for four reasons:

- ``brukerapi`` 0.4.6 evaluates its recipes without Python's builtins, which makes PySide6 abort the whole process: it
  can't be used inside napari.
- Slices are read one at a time; ``brukerapi`` reads and scales a whole ``2dseq``.
- A damaged header can't make it unpack compact arrays such as ``@1000000000*(0)`` for minutes.
- Orthogonal localizers and slice packages become scans of their own.
"""

from __future__ import annotations

from napari_micromri.io.paravision.study import looks_like_paravision, read_paravision, reconstructions

__all__ = ["looks_like_paravision", "read_paravision", "reconstructions"]
