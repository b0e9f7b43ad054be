"""Read the image data of Bruker ParaVision 5, 6, 7 and 360.

Own code rather than ``brukerapi``, for three reasons: slices are read one at a time, while ``brukerapi`` reads and
scales a whole ``2dseq``; a damaged header can't make it unpack compact arrays such as ``@1000000000*(0)`` for minutes;
and orthogonal localizers and slice packages become scans of their own. The tests compare the two.
"""

from __future__ import annotations

from napari_micromri.io.paravision.study import looks_like_paravision, read_paravision

__all__ = ["looks_like_paravision", "read_paravision"]
