"""Names that people recognise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_micromri.io.naming import compose_name, plane_in, region_in, with_unique_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.scan import Scan


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("M07_Head-Thorax_T2", "head-thorax"),
        ("thorax abdomen", "thorax-abdomen"),
        ("HeadThorax", "head-thorax"),
        ("T2_TurboRARE head", "head"),
        ("headcoil", None),
        ("", None),
        (None, None),
    ],
)
def test_region(text: str | None, region: str | None) -> None:
    assert region_in([text]) == region


def test_the_first_text_with_a_region_counts() -> None:
    assert region_in(["T2", None, "brain", "abdomen"]) == "brain"


@pytest.mark.parametrize(
    ("text", "plane"),
    [
        ("T2_TurboRARE_cor", "coronal"),
        ("RARE axial", "transaxial"),
        ("T2Sagittal", "sagittal"),
        ("localizer cor sag", None),
        ("corrected", None),
    ],
)
def test_plane(text: str, plane: str | None) -> None:
    assert plane_in([text]) == plane


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        ("T2_TurboRARE", "T2_TurboRARE coronal head-thorax"),
        ("T2_cor", "T2_cor head-thorax"),
        ("T2_cor_head-thorax", "T2_cor_head-thorax"),
        (None, "scan 5 coronal head-thorax"),
    ],
)
def test_nothing_is_said_twice(protocol: str | None, name: str) -> None:
    assert compose_name(protocol, "coronal", "head-thorax", otherwise="scan 5") == name


def test_only_equal_names_get_a_label(make_scan: Callable[..., Scan]) -> None:
    scans = [make_scan(name=name) for name in ("a", "b", "a")]
    assert [s.info.name for s in with_unique_names(scans, ["1", "2", "3"])] == ["a (1)", "b", "a (3)"]
