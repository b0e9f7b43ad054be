from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from npe2 import PluginManager

from napari_micromri.plugin.layers import METADATA_KEY

PLUGIN = "napari-micromri"


@pytest.mark.parametrize("key", ["digital-mouse", "lego-phantom"])
def test_a_sample_is_a_good_and_a_fast_scan_of_one_field_of_view(key):
    manager = PluginManager.instance()
    manager.discover()
    samples = {sample.key: sample for _, found in manager.iter_sample_data() for sample in found}
    good, fast = (Image(data, **attributes) for data, attributes, _ in samples[key].open())
    assert good.data.shape[-1] > fast.data.shape[-1]
    edges = [layer.extent.world + np.array([[-0.5], [0.5]]) * layer.scale for layer in (good, fast)]
    np.testing.assert_allclose(edges[0], edges[1], atol=1e-9)
    for layer in (good, fast):
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
        low, high = layer.contrast_limits
        assert np.mean(np.asarray(layer.data[layer.data.shape[0] // 2]) > low) > 0.2
        assert high > low
        assert layer.metadata[METADATA_KEY].voxel_size[0] > 0
    assert good.name != fast.name
