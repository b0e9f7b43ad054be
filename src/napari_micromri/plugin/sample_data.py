"""File > Open Sample: pairs of a fast and a good scan that need no download."""

from __future__ import annotations

from napari_micromri.plugin.layers import LayerData, scan_to_layer


def digital_mouse() -> list[LayerData]:
    """Show the trunk of a procedural mouse, the good scan below the fast one."""
    from napari_micromri.simulation import samples

    fast, good = samples.digital_mouse()
    return [scan_to_layer(good), scan_to_layer(fast)]


def lego_phantom() -> list[LayerData]:
    """Show a phantom of toy bricks, the good scan below the fast one."""
    from napari_micromri.simulation import samples

    fast, good = samples.lego_phantom()
    return [scan_to_layer(good), scan_to_layer(fast)]
