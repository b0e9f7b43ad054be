"""Plans as tables: what is read, what is refused with its line, and what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.errors import OutputExistsError, ReadError, StudyError
from napari_micromri.io import save_scan
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.plan import Plan, PlannedPair, Rejected, Simulation, Source
from napari_micromri.study.table import plan_from_csv, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = "subject,region,plane,lr,hr"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with a fast and a good scan, one with a slice less, and a file that is no scan."""
    shapes = {"lr": (3, 8, 8), "hr": (3, 16, 16), "short": (2, 8, 8), "odd, name": (3, 8, 8)}
    for name, shape in shapes.items():
        info = ScanInfo(name=name, axes="zyx", voxel_size=(0.6, 1.6 / shape[1], 1.6 / shape[2]))
        save_scan(Scan(np.ones(shape, np.int16), info), tmp_path / f"{name}.nii.gz")
    (tmp_path / "broken.nii.gz").write_bytes(b"no scan")
    return tmp_path


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "plan.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def problems(path: Path) -> Sequence[str]:
    with pytest.raises(StudyError) as refused:
        plan_from_csv(path)
    return str(refused.value).splitlines()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_the_mark_of_excel(scans: Path, delimiter: str, encoding: str) -> None:
    lines = [f"{HEADER},session", "m 1,head-thorax,coronal,lr.nii.gz,hr.nii.gz,day 2"]
    path = table(scans, *(line.replace(",", delimiter) for line in lines), encoding=encoding)
    [pair] = plan_from_csv(path).pairs
    assert pair.identity == ("m 1", "head-thorax", "coronal", "day 2")
    assert (pair.lr, pair.hr) == (Source(str(scans / "lr.nii.gz")), Source(str(scans / "hr.nii.gz")))
    assert pair.slice_count == 3


def test_quotes_comments_order_and_case_of_columns(scans: Path) -> None:
    path = table(
        scans,
        "sep=,",
        "# pairs of Monday",
        "HR, LR ,Subject,plane,region,weight",
        "",
        'hr.nii.gz,"odd, name.nii.gz","Größe/7",sagittal,head,21',
    )
    [pair] = plan_from_csv(path).pairs
    assert pair.subject == "Größe/7"
    assert pair.session is None
    assert str(pair.lr).endswith("odd, name.nii.gz")


def test_every_wrong_line_is_told_with_its_number(scans: Path) -> None:
    path = table(
        scans,
        HEADER,
        "a,head,coronal,lr.nii.gz,hr.nii.gz",
        "b,head,coronal,,hr.nii.gz",
        ",head,,lr.nii.gz,hr.nii.gz",
        "",
        "c,head,coronal,nowhere.nii.gz,hr.nii.gz",
        "d,head,coronal,broken.nii.gz,hr.nii.gz",
        "a,head,coronal,lr.nii.gz,hr.nii.gz",
        "e,head,coronal,short.nii.gz,hr.nii.gz",
        "f,head,coronal,hr.nii.gz,lr.nii.gz",
        "g,head,coronal,hr.nii.gz,hr.nii.gz",
        "h,head,coronal,lr.nii.gz,hr.nii.gz,more,values",
        "i,head,coronal,lr.nii.gz#7,hr.nii.gz",
    )
    first, *told = problems(path)
    numbers = [int(line.split(":")[0].removeprefix("  line ")) for line in told]
    assert "10 wrong lines" in first
    assert numbers == [3, 4, 6, 7, 8, 9, 10, 11, 12, 13]
    expected = {
        3: "lr is empty",
        4: "subject and plane are empty.",
        6: "does not exist",
        7: "broken.nii.gz",
        8: "'a, head, coronal' of line 2",
        9: "lr has 2 slices and hr 3.",
        10: "lr is finer than hr (16 × 16 and 8 × 8)",
        11: "lr and hr are the same scan",
        12: "2 values more",
        13: "'7'",
    }
    for number, line in zip(numbers, told, strict=True):
        assert expected[number] in line


def test_a_second_session_is_another_pair(scans: Path) -> None:
    path = table(scans, f"{HEADER},session", *(f"a,head,coronal,lr.nii.gz,hr.nii.gz,{day}" for day in (1, 2)))
    assert [pair.session for pair in plan_from_csv(path).pairs] == ["1", "2"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "subject, region, plane, lr, hr"),
        (["subject,region,plane,hr"], "no column lr"),
        ([HEADER], "no pairs"),
    ],
)
def test_tables_without_pairs(tmp_path: Path, lines: list[str], sentence: str) -> None:
    assert sentence in problems(table(tmp_path, *lines))[0]


def test_other_encodings_and_missing_tables(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="UTF-8"):
        plan_from_csv(table(tmp_path, HEADER, "Größe", encoding="latin-1"))
    with pytest.raises(ReadError, match=r"nowhere\.csv"):
        plan_from_csv(tmp_path / "nowhere.csv")


def test_what_is_written_is_read_back(scans: Path) -> None:
    pair = PlannedPair(
        subject="m, 1",
        region="head",
        plane="coronal",
        session="s",
        lr=Source(str(scans / "lr.nii.gz")),
        hr=Source(str(scans / "hr.nii.gz"), "hr"),
        slice_count=3,
    )
    left_out = Rejected("x.nii", "x", "it has 3 repetitions\nof something")
    write_table(Plan((pair,), (left_out,)), scans / "out.csv")
    assert plan_from_csv(scans / "out.csv").pairs == (pair,)
    assert "# left out: x.nii 'x': it has 3 repetitions of something\n" in (scans / "out.csv").read_text(
        encoding="utf-8"
    )
    with pytest.raises(OutputExistsError):
        write_table(Plan((pair,)), scans / "out.csv")


def test_simulated_pairs_have_no_table(tmp_path: Path) -> None:
    pair = PlannedPair(subject="a", region="b", plane="c", lr=Simulation(), hr=Source("x"))
    with pytest.raises(StudyError, match="simulated"):
        write_table(Plan((pair,)), tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_names_that_a_spreadsheet_would_compute_come_back(scans: Path) -> None:
    pair = plan_from_csv(table(scans, HEADER, "'=1+1,head,coronal,lr.nii.gz,hr.nii.gz")).pairs[0]
    assert pair.subject == "=1+1"
    write_table(Plan((pair,)), scans / "out.csv")
    assert "\n'=1+1,head," in (scans / "out.csv").read_text()
    assert plan_from_csv(scans / "out.csv").pairs[0].subject == "=1+1"
