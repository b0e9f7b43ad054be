"""Looking a study over: what is missing, damaged or changed is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import CancelledError
from napari_micromri.study.check import check
from napari_micromri.study.model import Finding
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from pathlib import Path


def first_chunk(study: Study, key: str, which: str) -> Path:
    return next(path for path in (study.path / key / which / "0" / "c").rglob("*") if path.is_file())


def texts(study: Study, *, pixels: bool = False) -> list[str]:
    return [finding.text for entry in check(study, pixels=pixels).pairs for finding in entry.findings if finding.error]


def test_a_whole_study_is_good(study: Study) -> None:
    seen: list[tuple[int, int]] = []
    found = check(study, pixels=True, progress=lambda done, total: seen.append((done, total)))
    assert found.ok
    assert [entry.pair.key for entry in found.pairs] == list(study.pairs_by_key)
    assert seen[-1] == (3, 3)


def test_missing_chunks_are_told_by_slice(study: Study) -> None:
    key = next(iter(study.pairs_by_key))
    first_chunk(study, key, "lr").unlink()
    found = check(study)
    assert not found.ok
    assert [entry.ok for entry in found.pairs] == [False, True, True]
    [told] = texts(study)
    assert "LR 0-3" in told


def test_changed_and_damaged_pixels_are_found_by_reading_them(study: Study) -> None:
    one, two, _ = study.pairs_by_key
    first_chunk(study, one, "hr").write_bytes(b"damaged")
    other, mine = (first_chunk(study, key, "hr") for key in (two, next(reversed(study.pairs_by_key))))
    other.write_bytes(mine.read_bytes())
    assert check(study).ok
    told = texts(study, pixels=True)
    assert len(told) == 2
    assert "is damaged" in told[0]
    assert "changed" in told[1]


def test_planned_and_damaged_pairs(study: Study) -> None:
    key = next(iter(study.pairs_by_key))
    study.set_planned([{"subject": "m9", "region": "head", "plane": "coronal", "session": None, "lr": "a", "hr": "b"}])
    document = json.loads((study.path / key / "zarr.json").read_text())
    del document["attributes"]["micromri-pair"]["lr"]
    (study.path / key / "zarr.json").write_text(json.dumps(document))
    found = check(Study.open(study.path))
    assert not found.ok
    assert found.missing == ("m9, head, coronal (LR a, HR b)",)
    assert list(found.damaged) == [key]


def test_an_error_of_the_report_counts_and_a_warning_does_not(study: Study) -> None:
    entry = check(study).pairs[0]
    assert replace(entry, findings=(Finding(False, "noisy"),)).ok
    assert not replace(entry, findings=(Finding(True, "flipped"),)).ok


def test_it_can_be_stopped(study: Study) -> None:
    with pytest.raises(CancelledError):
        check(study, should_stop=lambda: True)
