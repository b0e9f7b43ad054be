"""Preprocessed slices as some labs keep them: `{HIGH RES,LOW RES}/REGION/ANIMAL/PLANE/NUMBER` in one Zarr group."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from napari_micromri.io import can_read, open_scan
from napari_micromri.simulation.digital_mouse import digital_mouse_slice
from napari_micromri.study.build import build
from napari_micromri.study.discovery import find_scans
from napari_micromri.study.pairing import plan_from_folders
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PLACES = [*product(("HEAD-THORAX", "THORAX-ABDOMEN"), ("Mouse01", "Mouse02"), ("Coronal", "Transax"))]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[NDArray[np.uint16]]]]:
    """Write it, with slices cropped to sizes of their own; also what it holds."""
    path = tmp_path_factory.mktemp("lab") / "ZARR_PREPROCESSED"
    root, held = zarr.open_group(path, mode="w"), {}
    rng = np.random.default_rng(0)
    drawn = digital_mouse_slice(rng, 64)
    for number, place in enumerate(PLACES):
        noisy = (9000 * np.abs(drawn[..., None] + rng.normal(0, 0.03, (64, 64, 3))) * (1 + number / 10)).astype("u2")
        high = [noisy[: 64 - 2 * k, 2 * number :, k] for k in range(3)]
        low = [s.reshape(s.shape[0] // 2, 2, s.shape[1] // 2, 2).mean((1, 3)).astype("u2") for s in high]
        for name, slices in (("HIGH RES", high), ("LOW RES", low)):
            key = "/".join((name, *place))
            held[key] = slices
            for k, pixels in enumerate(slices):
                root.create_array(f"{key}/{k}", data=pixels)
    return path, held


def test_each_stack_is_a_scan(tree: tuple[Path, dict[str, list[NDArray[np.uint16]]]]) -> None:
    path, held = tree
    assert can_read(path)
    scans = {scan.info.name: scan for scan in open_scan(path)}
    assert scans.keys() == held.keys()
    for name, slices in held.items():
        assert scans[name].dtype == np.uint16
        for found, expected in zip(scans[name].read(), slices, strict=True):
            assert_array_equal(found[: expected.shape[0], : expected.shape[1]], expected)
            assert found.sum() == expected.sum()


def test_it_becomes_a_study(tree: tuple[Path, dict[str, list[NDArray[np.uint16]]]], tmp_path: Path) -> None:
    path, _ = tree
    plan = plan_from_folders([path])
    assert not [entry.reason for entry in plan.rejected]
    result = build(plan, tmp_path / "a.mri.zarr")
    assert not result.failed
    study = Study.open(tmp_path / "a.mri.zarr")
    planes = {"Coronal": "coronal", "Transax": "transaxial"}
    assert set(study.pairs_by_key) == {f"{m}/{r.lower()}/{planes[p]}" for r, m, p in PLACES}
    for region, mouse, plane in PLACES:
        pair = study.pairs_by_key[f"{mouse}/{region.lower()}/{planes[plane]}"]
        sources = [pair.sources[side]["scan"] for side in ("lr", "hr")]
        assert sources == [f"{name}/{region}/{mouse}/{plane}" for name in ("LOW RES", "HIGH RES")]
        assert pair.lr.info.voxel_size == (1, 2, 2)
        assert pair.report.extent_difference == 0


def test_scans_without_sizes_that_have_another_shape_are_no_pair(tmp_path: Path) -> None:
    for name, shape in (("high", (3, 64, 64)), ("low", (3, 32, 20))):
        zarr.create_array(tmp_path / f"mouse1_{name}.zarr", data=np.ones(shape, "u2"))
    found, _ = find_scans([tmp_path])
    assert all(one.scan.info.unsized for one in found)
    plan = plan_from_folders([tmp_path])
    assert not plan.pairs
    assert "fields of view differ" in plan.rejected[0].reason
