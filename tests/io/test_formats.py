"""The table of formats is what napari's manifest says, and what files look like."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import napari_micromri
from napari_micromri.io.formats import FORMATS, SAVED_ENDINGS, format_of

MANIFEST = yaml.safe_load((Path(napari_micromri.__file__).parent / "napari.yaml").read_text(encoding="utf-8"))


def test_the_manifest_names_the_files_of_the_table() -> None:
    [reader] = MANIFEST["contributions"]["readers"]
    offered = set(reader["filename_patterns"])
    known = {pattern for one in FORMATS for pattern in one.patterns}
    assert offered <= known
    # What describes a reconstruction isn't opened by itself.
    assert known - offered == {"visu_pars"}


def test_the_writers_of_the_manifest_are_those_of_the_table() -> None:
    endings = [ending for writer in MANIFEST["contributions"]["writers"] for ending in writer["filename_extensions"]]
    assert set(endings) == set(SAVED_ENDINGS)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.nii.gz", b"\x1f\x8b", "NIfTI"),
        ("a.bin", b"II*\0" + bytes(200), "TIFF"),
        ("a", bytes(128) + b"DICM", "DICOM"),
        ("a.dcm", bytes(200), "DICOM"),
        ("preamble.tif", b"II*\0" + bytes(124) + b"DICM" + bytes(50), "DICOM"),
        ("2dseq", bytes(10), "ParaVision"),
        ("notes.txt", b"hello", None),
    ],
)
def test_a_file_is_told_by_its_beginning_and_else_by_its_name(
    tmp_path: Path, name: str, content: bytes, expected: str | None
) -> None:
    (tmp_path / name).write_bytes(content)
    found = format_of(tmp_path / name)
    assert (None if found is None else found.name) == expected
