from __future__ import annotations

import numpy as np

from napari_micromri.measure.roles import find_roles, overlays
from napari_micromri.scan import Scan, ScanInfo


def scan(pixel=0.1, *steps, axes="zyx", shift=0.0, **more):
    count = round(6 / pixel)
    shape = {"z": 3, "y": count, "x": count, "t": 2}
    size = {"z": 0.6, "y": pixel, "x": pixel}
    origin = {"z": 0.0, "y": pixel / 2, "x": pixel / 2 + shift}
    spatial = [a for a in axes if a in size]
    info = ScanInfo(
        name="s",
        axes=axes,
        voxel_size=tuple(size[a] for a in spatial),
        origin=tuple(origin[a] for a in spatial),
        provenance=tuple({"step": step} for step in steps),
        **more,
    )
    return Scan(np.zeros([shape[a] for a in axes], np.float32), info)


def test_the_three_of_a_study():
    scans = [scan(0.1), scan(0.2), scan(0.1, "denoise")]
    assert find_roles(scans) == {0: "HR", 1: "LR", 2: "DL"}


def test_history_counts_more_than_pixels():
    assert find_roles([scan(0.1, "simulate_fast_scan"), scan(0.1)]) == {0: "LR", 1: "HR"}
    assert find_roles([scan(0.1, "simulate_fast_scan", "denoise"), scan(0.1, "simulate_fast_scan")]) == {
        0: "DL",
        1: "LR",
    }


def test_averages_decide_between_two_alike():
    assert find_roles([scan(averages=5), scan(averages=1)]) == {0: "HR", 1: "LR"}


def test_two_models_are_both_denoised_and_residuals_are_nothing():
    scans = [scan(0.2), scan(0.1, "denoise"), scan(0.1, "denoise"), scan(0.1, "residual")]
    assert find_roles(scans) == {0: "LR", 1: "DL", 2: "DL"}


def test_only_what_overlays_is_compared():
    scans = [scan(0.1, shift=50), scan(0.2), scan(0.1, "denoise"), scan(0.1)]
    assert find_roles(scans) == {1: "LR", 2: "DL", 3: "HR"}
    assert find_roles(scans, first=0) == {0: "HR"}
    assert overlays(scans[1], scans[3])
    assert not overlays(scans[0], scans[3])
    assert find_roles([]) == {}


def test_a_single_scan_and_scans_without_a_plane():
    assert find_roles([scan(0.1)]) == {0: "HR"}
    assert find_roles([scan(0.2, "simulate_fast_scan")]) == {0: "LR"}
    line = Scan(np.zeros(4), ScanInfo(name="l", axes="z", voxel_size=(1,)))
    assert find_roles([line]) == {}
    assert find_roles([scan(0.1), scan(0.2, axes="tyx")]) == {0: "HR", 1: "LR"}
