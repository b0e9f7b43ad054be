"""Reading lazy arrays beside napari, whose cache dask calls for every computation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from numpy.testing import assert_array_equal

from napari_micromri.io.lazy import computed_here
from napari_micromri.plugin.layers import quick_contrast_limits
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.widgets.scans.finding import picture_of

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = np.arange(3 * 8 * 6, dtype=np.float32).reshape(3, 8, 6)
INFO = ScanInfo(name="lazy", axes="zyx", voxel_size=(1, 1, 1))


@pytest.mark.parametrize(
    "read",
    [computed_here, quick_contrast_limits, lambda data: picture_of(Scan(data, INFO), 0)],
    ids=["all of it", "limits", "thumbnail"],
)
def test_napari_s_cache_is_not_told(read: Callable[[da.Array], object]) -> None:
    told = []
    with Callback(pretask=lambda *args: told.append(args)):
        read(da.from_array(VALUES, chunks=(1, 8, 6)))
        assert told == []
        da.from_array(VALUES, chunks=(1, 8, 6)).compute()
    assert told


def test_it_is_read() -> None:
    assert_array_equal(computed_here(da.from_array(VALUES, chunks=(1, 8, 6))), VALUES)
    assert_array_equal(computed_here(VALUES), VALUES)
