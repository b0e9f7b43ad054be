"""`micromri study` from the outside: what it prints, writes and how it exits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_micromri.cli import main
from napari_micromri.cli.program import build_parser
from napari_micromri.io import save_scan
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.scan import Scan

BELOW = ("build", "check", "list", "split", "export-marks", "import-marks")


@pytest.fixture
def scans(tmp_path: Path, make_scan: Callable[..., Scan]) -> Path:
    """Fast and good scans of two mice, and one good scan of a third without a partner."""
    folder = tmp_path / "scans"
    for k in (6, 7, 8):
        hr = make_scan((3, 40, 36), seed=k, name="T2 default", averages=5)
        save_scan(hr, folder / f"mouse{k}_head_cor_hr.nii.gz")
        if k < 8:
            save_scan(simulate_fast_scan(hr, seed=k), folder / f"mouse{k}_head_cor_lr.nii.gz")
    return folder


@pytest.fixture
def study(tmp_path: Path, scans: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "mice.mri.zarr"
    assert run("build", scans, path) == 0
    capsys.readouterr()
    return path


def run(*arguments: object) -> int:
    return main(["study", *map(str, arguments)])


def printed_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", BELOW)
def test_each_help_has_an_example_that_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(name, "--help")
    examples = re.findall(r"^  micromri (.+)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert ended.value.code == 0
    assert examples
    for example in examples:
        assert build_parser().parse_args(example.split()).run


def test_debug_is_understood_before_and_behind_the_name() -> None:
    parser = build_parser()
    assert parser.parse_args(["study", "--debug", "list", "x"]).debug
    assert parser.parse_args(["study", "list", "x", "--debug"]).debug
    assert not parser.parse_args(["study", "list", "x"]).debug


class TestBuild:
    """From scans to a study."""

    def test_what_was_added_and_left_out(self, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("build", scans, tmp_path / "mice.mri.zarr") == 0
        out = capsys.readouterr().out
        assert "added: mouse6/head/coronal" in out
        assert "subject 'mouse8'" in out
        assert "note: mouse6, head, coronal: subject 'mouse6'" in out
        assert out.endswith("2 pairs: 2 added, 0 already there, 0 failed\n")
        assert run("build", scans, tmp_path / "mice.mri.zarr", "--json") == 0
        document = printed_json(capsys)
        assert document["already_there"] == ["mouse6/head/coronal", "mouse7/head/coronal"]
        assert set(document) == {"study", "planned", "left_out", "added", "already_there", "failed"}
        assert document["left_out"][0]["path"].endswith("mouse8_head_cor_hr.nii.gz")

    def test_by_way_of_a_table(self, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        study, table = tmp_path / "mice.mri.zarr", tmp_path / "plan.csv"
        assert run("build", scans, study, "--plan-only", table) == 0
        assert "2 pairs" in capsys.readouterr().out
        assert not study.exists()
        table.write_text(table.read_text("utf-8").replace("mouse7,head", "mouse7,neck"), "utf-8")
        assert run("build", table, study) == 0
        assert list(Study.open(study).pairs_by_key) == ["mouse6/head/coronal", "mouse7/neck/coronal"]
        assert run("build", scans, study, "--plan-only", table) == 2
        assert "already" in capsys.readouterr().err

    def test_simulated(self, scans: Path, tmp_path: Path) -> None:
        good = sorted(scans.glob("*hr*"))
        options = ("--simulate", "--factor", "2.5", "--snr", "20", "--seed", "3", "--region", "belly")
        assert run("build", *good, tmp_path / "sim.mri.zarr", *options) == 0
        pairs = Study.open(tmp_path / "sim.mri.zarr").pairs_by_key
        assert list(pairs) == [f"mouse{k}/belly/coronal" for k in (6, 7, 8)]
        assert pairs["mouse8/belly/coronal"].lr.shape == (3, 16, 14)

    def test_a_failed_pair_exits_with_1(self, study: Path, scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (scans / "mouse6_head_cor_lr.nii.gz").rename(scans / "mouse6_head_cor_fast.nii.gz")
        assert run("build", scans, study) == 1
        assert (
            "failed: mouse6, head, coronal\n   LR of mouse6/head/coronal was built from another"
            in capsys.readouterr().out
        )

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("scans", "mice.zarr"), "The last path names the study and ends in .mri.zarr, not 'mice.zarr'."),
            (("nowhere", "mice.mri.zarr"), "nowhere does not exist. Check the spelling"),
            (
                ("plan.csv", "mice.mri.zarr", "--simulate"),
                "plan.csv names subject, region, plane and both scans itself",
            ),
            (("plan.csv", "mice.mri.zarr", "--plane", "coronal"), "plan.csv names subject, region"),
            (("plan.csv", "mice.mri.zarr"), "plan.csv does not exist."),
            (("empty", "mice.mri.zarr", "--simulate", "--factor", "0.5"), "The factor is at least 1, not 0.5."),
            (("empty", "mice.mri.zarr", "--simulate", "--averages", "0"), "A scan has at least one average, not 0."),
            (
                ("empty", "mice.mri.zarr", "--snr", "20"),
                "--snr is for simulated scans. Leave it out, or add --simulate.",
            ),
            (("empty", "mice.mri.zarr"), "No pairs were found, so nothing was built. Name them in a table"),
        ],
    )
    def test_refusals_are_a_sentence(
        self,
        arguments: tuple[str, ...],
        sentence: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty").mkdir()
        assert run("build", *arguments) == 2
        assert sentence in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["empty"]

    def test_an_interruption_says_that_pairs_stay(
        self, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("napari_micromri.study.build.build", interrupted)
        assert run("build", scans, tmp_path / "mice.mri.zarr") == 130
        assert "finished pairs are in the study" in capsys.readouterr().err


class TestCheck:
    """Reports."""

    def test_a_good_study(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("check", study, "--pixels") == 0
        out = capsys.readouterr().out
        assert out.startswith("mouse6/head/coronal\n   LR 3 × 20 × 18, voxel 0.6 × 0.2 × 0.2 mm, SNR")
        assert out.endswith("2 pairs, 0 errors, 0 warnings\n")

    def test_json_has_the_figures(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("check", study, "--json") == 0
        document = printed_json(capsys)
        first = document["pairs"][0]
        assert document["ok"] is True
        assert first["lr"]["shape"] == [3, 20, 18]
        assert first["correlation"] > 0.9
        assert (first["set"], first["kept"], first["findings"]) == ("train", 3, [])

    def test_errors_exit_with_1(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        next(p for p in (study / "mouse6/head/coronal/hr/0/c").rglob("*") if p.is_file()).unlink()
        (study / "mouse7/head/coronal/zarr.json").write_text("{}")
        assert run("check", study) == 1
        out = capsys.readouterr().out
        assert "slices HR 0-2" in out
        assert "damaged: mouse7/head/coronal: " in out
        assert "missing: mouse7, head, coronal (LR" in out
        assert out.endswith("1 pair, 1 error, 0 warnings, 1 missing pair, 1 damaged pair\n")

    def test_what_is_no_study_is_a_sentence(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for command in BELOW[1:4]:
            assert run(command, tmp_path / "nowhere.mri.zarr") == 2
            assert "does not exist" in capsys.readouterr().err
        file = tmp_path / "scan.nii"
        file.write_bytes(b"")
        assert run("list", file) == 2
        assert "is a file, not a study" in capsys.readouterr().err

    def test_a_plane_that_none_is_called_is_refused(self, scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            run("build", scans, "mice.mri.zarr", "--plane", "corronal")
        assert "choose from" in capsys.readouterr().err


class TestListSplitMarks:
    """Small commands."""

    def test_list(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("list", study) == 0
        assert capsys.readouterr().out.splitlines()[0] == "mouse6/head/coronal  train       3 of 3 slices kept"
        assert run("list", study, "--json") == 0
        assert [row["subject"] for row in printed_json(capsys)] == ["mouse6", "mouse7"]

    def test_info_of_a_study_lists_its_pairs(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["info", str(study)]) == 0
        assert capsys.readouterr().out.startswith("mouse6/head/coronal  train")

    def test_split(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("split", study, "--preset", "report", "--json") == 0
        assert printed_json(capsys) == {"train": [], "validation": ["mouse6"], "test": ["mouse7"]}
        assert run("split", study, "--set", "train=mouse6", "--set", "validation=mouse7") == 0
        assert "train       1 subject, 1 pair: mouse6\n" in capsys.readouterr().out
        assert run("split", study, "--random", "--validation", "0", "--test", "0.5", "--json") == 0
        assert {name: len(found) for name, found in printed_json(capsys).items()} == {
            "train": 1,
            "validation": 0,
            "test": 1,
        }
        assert run("split", study, "--set", "test=mouse9") == 2
        assert "'mouse9'" in capsys.readouterr().err

    def test_an_animal_in_two_sets_and_options_without_effect_are_refused(
        self, study: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("split", study, "--json") == 0
        before = printed_json(capsys)
        assert run("split", study, "--set", "train=mouse6", "--set", "test=mouse7,mouse6") == 2
        assert "'mouse6' can't be in test and train" in capsys.readouterr().err
        assert run("split", study, "--test", "0.5") == 2
        assert "--test is for a random split" in capsys.readouterr().err
        assert run("split", study, "--json") == 0
        assert printed_json(capsys) == before

    def test_without_an_option_nothing_changes(self, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = (study / "zarr.json").read_bytes()
        assert run("split", study) == 0
        assert "train       2 subjects, 2 pairs: mouse6, mouse7" in capsys.readouterr().out
        assert (study / "zarr.json").read_bytes() == before

    @pytest.mark.parametrize("option", ["--seed", "--validation", "--test"])
    def test_settings_of_a_random_split_need_one(
        self, option: str, study: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("split", study, "--preset", "report", option, "0.5" if option != "--seed" else "5") == 2
        assert f"{option} is for a random split" in capsys.readouterr().err
        assert Study.open(study).set_of("mouse7") == "train"

    def test_what_exists_is_told_with_this_commands_way_out(
        self, study: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "there").write_text("mine", encoding="utf-8")
        assert run("export-marks", study, tmp_path / "there") == 2
        assert "replace it with --overwrite." in capsys.readouterr().err
        assert run("build", scans, tmp_path / "new.mri.zarr", "--plan-only", tmp_path / "there") == 2
        assert "or delete it." in capsys.readouterr().err

    @pytest.mark.parametrize(("text", "words"), [("tst=a", "train="), ("test=", "names no subject")])
    def test_wrong_sets(self, text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            run("split", "x", "--set", text)
        assert words in capsys.readouterr().err

    def test_marks_travel(self, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from napari_micromri.study.model import Exclude

        Study.open(study).apply([Exclude("mouse6/head/coronal", 1, "motion")])
        marks = tmp_path / "marks.json"
        assert run("export-marks", study, marks) == 0
        assert run("export-marks", study, marks) == 2
        assert run("export-marks", study, marks, "--overwrite") == 0
        Study.open(study).apply([Exclude("mouse6/head/coronal", 1, None)])
        capsys.readouterr()
        assert run("import-marks", study, marks) == 0
        assert "1 mark" in capsys.readouterr().out
        assert Study.open(study).pairs_by_key["mouse6/head/coronal"].marks.excluded == {1: "motion"}


def test_documented_commands_parse() -> None:
    page = Path(__file__).parents[2] / "docs" / "study.md"
    lines = re.findall(r"^(?:\$ )?micromri (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        assert build_parser().parse_args(line.split()).run
