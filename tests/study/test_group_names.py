"""Names as folders: readable, safe on every disk, and reversible."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_micromri.errors import StudyError
from napari_micromri.study.naming import LONGEST, group_name, natural_key, same_folder, text_of

if TYPE_CHECKING:
    from pathlib import Path

ODD = st.text(st.sampled_from('aé/\\.%_ :*?"<>|\n\u0301\u0307ßÄ中🐭CONcon1ل\u200b\ud800'), min_size=1, max_size=12)
SHORT = st.one_of(ODD, st.text(min_size=1, max_size=10))


@pytest.mark.parametrize("text", ["mouse 06", "M-6", "head-thorax", "Maus Ä_1", "ネズミ 3", "a.b", "6", "con-trol"])
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert group_name(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("__x", "%5F_x"),
        ("100%", "100%25"),
        ("CON", "%43ON"),
        ("aux.txt", "%61ux.txt"),
        ("zarr.json", "%7Aarr.json"),
        (" a ", "%20a%20"),
        ("end.", "end%2E"),
        ("a\nb", "a%0Ab"),
        ("/\u0307", "%2F%CC%87"),
    ],
)
def test_what_a_disk_or_zarr_cannot_have_is_encoded(text: str, name: str) -> None:
    assert group_name(text) == name
    assert text_of(name) == text


@given(SHORT)
def test_every_name_comes_back(text: str) -> None:
    name = group_name(text)
    assert text_of(name) == unicodedata.normalize("NFC", text)
    assert group_name(text_of(name)) == name
    assert unicodedata.is_normalized("NFC", name)


@given(SHORT)
def test_every_name_is_safe(text: str) -> None:
    name = group_name(text)
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith((".", "__", " ")) and not name.endswith((".", " "))
    assert name.encode("utf-8")


@given(SHORT, SHORT)
def test_different_names_have_different_folders(one: str, other: str) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (group_name(one) == group_name(other)) == same


@pytest.mark.parametrize("text", ["mouse/06", "日本 %", "__x", "zarr.json", "a\tb"])
def test_zarr_takes_the_folders(tmp_path: Path, text: str) -> None:
    root = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=3)
    root.create_group(group_name(text))
    assert json.loads((tmp_path / "x.zarr" / group_name(text) / "zarr.json").read_text())["node_type"] == "group"
    assert list(zarr.open_group(tmp_path / "x.zarr", mode="r").group_keys()) == [group_name(text)]


@pytest.mark.parametrize("text", ["", "x" * (LONGEST + 1), "中" * 41])
def test_empty_and_endless_names_are_refused(text: str) -> None:
    with pytest.raises(StudyError, match=r"empty|long"):
        group_name(text)


def test_numbers_sort_as_numbers() -> None:
    names = ["mouse 10", "Mouse 9", "mouse 2", "10", "9", "a"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "mouse 2", "Mouse 9", "mouse 10"]


def test_disks_that_ignore_case() -> None:
    assert same_folder("Mouse ß", "mouse SS")
    assert not same_folder("mouse 1", "mouse 2")
