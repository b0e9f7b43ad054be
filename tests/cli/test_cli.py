"""The command line as a whole: what it prints, how it exits, what it leaves behind."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.cli import main, program
from napari_micromri.cli.console import check_output, choose_scan, progress_bar
from napari_micromri.cli.denoise import slice_range
from napari_micromri.cli.info import describe, some_slices
from napari_micromri.cli.program import COMMANDS, build_parser
from napari_micromri.errors import InputError, WriteError
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeScan = Callable[..., Scan]

ROOT = Path(__file__).parents[2]
NAMES = [command.__name__.rpartition(".")[2].replace("_", "-") for command in COMMANDS]
INFO_KEYS = (
    "name shape axes voxel_size_mm dtype subject region plane protocol averages date quantity time_step_s b_values "
    "warnings noise snr".split()
)


@pytest.fixture
def nifti(tmp_path: Path, make_scan: MakeScan) -> Path:
    """Write a small scan."""
    from napari_micromri.io import save_scan

    return save_scan(make_scan((4, 64, 48)), tmp_path / "fast.nii.gz")


def _micromri(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "napari_micromri.cli", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
    return subprocess.Popen(command, **(pipes | options))


# -- the parser


@pytest.mark.parametrize("name", NAMES)
def test_each_help_has_an_example_that_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    text = capsys.readouterr().out
    examples = re.findall(r"^  micromri (.+?)(?: > .+)?$", text, flags=re.MULTILINE)
    assert ended.value.code == 0
    assert examples
    for example in examples:
        build_parser().parse_args(shlex.split(example))


@pytest.mark.parametrize("page", ["README.md", "docs/command-line.md", "docs/index.md"])
def test_documented_commands_parse(page: str) -> None:
    # On lines of their own, or in the cells of a table.
    lines = re.findall(
        r"(?:^|\| `)micromri (.+?)(?:` \||$)", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert lines
    for line in lines:
        assert build_parser().parse_args(shlex.split(line)).run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "COMMAND"),
        (["denoise", "a.nii", "b.nii", "--slices", "5-3"], "'5-3'"),
        (["denoise", "a.nii", "b.nii", "--batch-size", "many"], "'many'"),
        (["convert", "a.nii"], "OUT"),
        (["info", "a.tif", "--voxel-size", "small"], "'small'"),
    ],
)
def test_wrong_use_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    text = capsys.readouterr().err
    assert ended.value.code == 2
    assert sentence in text
    assert text.count("\n") == 1


def test_slices_include_both_ends() -> None:
    assert slice_range("7") == range(7, 8)
    assert slice_range("3-12") == range(3, 13)


# -- choosing


def test_a_scan_is_chosen_by_name_before_number(make_scan: MakeScan) -> None:
    scans = [make_scan(name="2"), make_scan(name="T2 coronal"), make_scan(name="twice"), make_scan(name="twice")]
    assert choose_scan(scans, "2", "study") is scans[0]
    assert choose_scan(scans, "T2 coronal", "study") is scans[1]
    assert choose_scan(scans, "3", "study") is scans[2]
    assert choose_scan(scans[:1], None, "study") is scans[0]


@pytest.mark.parametrize("wanted", [None, "5", "0", "-1", "twice", "T1"])
def test_an_unclear_choice_names_the_scans(wanted: str | None, make_scan: MakeScan) -> None:
    scans = [make_scan(name="T2 coronal"), make_scan(name="twice"), make_scan(name="twice")]
    with pytest.raises(InputError, match=r"^study .*1 'T2 coronal', 2 'twice', 3 'twice'"):
        choose_scan(scans, wanted, "study")


def test_outputs_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "study" / "scan.nii"
    source.parent.mkdir()
    source.touch()
    (tmp_path / "folder.nii").mkdir()
    (tmp_path / "there.nii").touch()
    refused = {
        str(source): "is or holds the input",
        str(source.parent): "is or holds the input",
        str(tmp_path / "folder.nii"): "is a folder",
        str(tmp_path / "result.tiff"): "file extension",
        str(tmp_path / "there.nii"): "--overwrite",
    }
    for output, sentence in refused.items():
        with pytest.raises(WriteError, match=sentence):
            check_output(output, str(source), overwrite=False)
    with pytest.raises(WriteError, match="is a folder"):
        check_output(str(tmp_path / "folder.nii"), str(source), overwrite=True)
    assert check_output(str(tmp_path / "there.nii"), str(source), overwrite=True) == tmp_path / "there.nii"


# -- info


def test_info_describes_every_scan_with_all_keys(nifti: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(nifti), "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert list(entry) == INFO_KEYS
    assert (entry["shape"], entry["axes"], entry["dtype"]) == ([4, 64, 48], "zyx", "float32")
    assert entry["voxel_size_mm"] == pytest.approx([0.6, 0.1, 0.1])
    assert entry["noise"] == pytest.approx(20, rel=0.3)
    assert entry["snr"] > 10


def test_info_speaks_to_people(nifti: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(nifti)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("1  ")
    assert "z 4 × y 64 × x 48, float32, voxel 0.6 × 0.1 × 0.1 mm" in text


def test_a_voxel_size_can_be_given(nifti: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(nifti), "--json", "--voxel-size", "1,0.2,0.3"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert entry["voxel_size_mm"] == [1, 0.2, 0.3]


def test_info_of_a_scan_without_noise_is_valid_json(make_scan: MakeScan) -> None:
    scan = make_scan((3, 32, 32))
    flat = describe(Scan(np.zeros(scan.shape), scan.info))
    assert flat["snr"] is None
    json.dumps(flat, allow_nan=False)


@pytest.mark.parametrize(
    ("axes", "shape"), [("yx", (16, 12)), ("zyx", (40, 16, 12)), ("tbzyx", (2, 3, 5, 16, 12)), ("tyx", (4, 16, 12))]
)
def test_info_looks_at_few_slices(axes: str, shape: tuple[int, ...], make_scan: MakeScan) -> None:
    slices = some_slices(make_scan(shape, axes))
    assert slices.shape[1:] == (16, 12)
    assert 1 <= len(slices) <= 9


def test_info_of_a_real_study(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(data_dir / "bruker" / "pv51_banana" / "bru_banana"), "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert len(entries) == 3
    assert all(entry["snr"] > 1 for entry in entries)
    assert all(entry["date"].startswith("2011-11-30T12:") for entry in entries)


def test_info_says_each_warning_once(data_dir: Path) -> None:
    process = _micromri("info", data_dir / "bruker" / "pv51_banana" / "bru_banana" / "2")
    said = "".join(process.communicate(timeout=120))
    assert process.returncode == 0
    assert said.count("unevenly spaced") == 1


def test_the_documentation_names_all_keys_of_info() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    section = text[text.index("one object per scan:") : text.index("What isn't known is `null`")]
    assert re.findall(r"`(\w+)`", section) == INFO_KEYS


def _commands(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below, one in action.choices.items():
                yield f"{name} {below}".strip(), one
                yield from _commands(one, f"{name} {below}".strip())


def test_the_documentation_names_every_command_and_option() -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")}
    for name, parser in _commands(build_parser()):
        assert re.search(rf"(micromri |`){name}\b", pages["command-line.md"]), name
        for option in (option for action in parser._actions for option in action.option_strings):
            if option not in ("-h", "--help"):
                assert any(re.search(rf"(?<![\w-]){option}(?![\w-])", text) for text in pages.values()), (name, option)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["denoise", "a", "b", "--stregth=1"], "there is no '--stregth=1' here, but --strength."),
        (["study", "split", "a", "--rndom"], "there is no '--rndom' here, but --random."),
        (["info", "a", "--qqq"], "there is no '--qqq' here."),
        (["info", "a", "b"], "'b' is one argument too many."),
    ],
)
def test_what_a_command_does_not_know_is_answered_in_its_own_words(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    command = " ".join(part for part in arguments[:2] if part in ("denoise", "study", "split", "info"))
    assert capsys.readouterr().err == f"micromri {command}: {said} See 'micromri {command} --help'.\n"


# -- convert and simulate


def test_convert_keeps_pixels_and_geometry(nifti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from napari_micromri.io import open_scan

    output = tmp_path / "new" / "scan.ome.zarr"
    assert main(["convert", str(nifti), str(output)]) == 0
    assert capsys.readouterr().out == f"Wrote {output}\n"
    [before], [after] = open_scan(nifti), open_scan(output)
    np.testing.assert_array_equal(before.read(), after.read())
    assert after.info.voxel_size == pytest.approx(before.info.voxel_size)


def test_simulate_halves_the_matrix_and_repeats(nifti: Path, tmp_path: Path) -> None:
    from napari_micromri.io import open_scan

    for name in ("one.nii", "two.nii"):
        assert main(["simulate", str(nifti), str(tmp_path / name), "--snr", "10", "--seed", "4"]) == 0
    [one], [two] = open_scan(tmp_path / "one.nii"), open_scan(tmp_path / "two.nii")
    assert one.shape == (4, 32, 24)
    np.testing.assert_array_equal(one.read(), two.read())


# -- refusals


@pytest.mark.parametrize("command", ["info", "convert", "simulate", "denoise"])
def test_a_missing_input_is_one_sentence(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [] if command == "info" else [str(tmp_path / "out.nii")]
    assert main([command, str(tmp_path / "missing.nii"), *outputs]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("micromri: ")
    assert "missing.nii" in captured.err
    assert captured.err.count("\n") == 1


def test_nothing_is_overwritten_unasked(nifti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "kept.nii"
    output.write_text("precious")
    assert main(["convert", str(nifti), str(output)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert main(["convert", str(nifti), str(output), "--overwrite"]) == 0
    assert output.stat().st_size > 1000


def test_a_bug_gives_one_line_or_with_debug_a_traceback(
    nifti: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> list[Scan]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("napari_micromri.io.open_scan", broken)
    assert main(["info", str(nifti)]) == 2
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        main(["info", str(nifti), "--debug"])


# -- as a process


def test_a_closed_pipe_is_no_error(nifti: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = _micromri("info", nifti, "--json", stdout=writing)
    os.close(writing)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")


def test_json_alone_on_standard_output_and_no_bar_without_a_terminal(nifti: Path) -> None:
    output, errors = (process := _micromri("info", nifti, "--json")).communicate(timeout=60)
    assert process.returncode == 0
    assert len(json.loads(output)) == 1
    assert errors == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    # The program as installed, with a conversion that takes long.
    code = (
        "import sys, time, napari_micromri.io as io\n"
        "from napari_micromri.io.atomic import atomic_output\n"
        "def slow(scan, path, **options):\n"
        "    with atomic_output(path) as temporary:\n"
        "        temporary.write_text('half')\n"
        "        print('writing', flush=True)\n"
        "        time.sleep(60)\n"
        "io.open_scan, io.save_scan = lambda path, **options: [None], slow\n"
        "from napari_micromri.cli import main\n"
        f"sys.argv = ['micromri', 'convert', 'in.nii', {str(tmp_path / 'out.nii')!r}]\n"
        "sys.exit(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.startswith("micromri: interrupted")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_progress_is_counted_in_slices(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar("Denoising") as report:
        report(1, 4)
        report(4, 4)
    assert "Denoising" in capsys.readouterr().err


# -- outputs that can't take what is said


class Letters(io.TextIOWrapper):
    """A standard output with the letters of an older Windows."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="cp1252", newline="")

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("cp1252")


def test_an_output_that_lacks_letters_ends_no_command(nifti: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Letters()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(program, "_explain", str)
    monkeypatch.setattr("napari_micromri.cli.info.as_text", lambda *_: "▁▃█ −1")
    assert main(["info", str(nifti)]) == 0
    assert out.text().strip() == "??? ?1"


def test_json_is_whole_in_any_encoding(nifti: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Letters()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr("napari_micromri.cli.info.describe", lambda _: {"name": "λ−"})
    assert main(["info", str(nifti), "--json"]) == 0
    assert json.loads(out.text()) == [{"name": "λ−"}]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix closes it")
def test_a_closed_output_ends_no_command(nifti: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "napari_micromri.cli", "convert", str(nifti), str(tmp_path / "out.ome.zarr")]
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "out.ome.zarr" / "zarr.json").is_file()


@pytest.mark.parametrize("name", ["a" * 300 + ".nii", "b" * 5000])
def test_names_that_are_too_long_are_one_sentence(
    name: str, nifti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["info", name], ["convert", str(nifti), str(tmp_path / name)]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert "unexpected" not in error
        assert "long" in error or "extension" in error


def test_an_interrupt_that_a_library_turned_into_an_error_is_one(
    nifti: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        try:
            program._interrupt(signal.SIGINT, None)
        except KeyboardInterrupt as error:
            raise RuntimeError("the export failed") from error

    monkeypatch.setattr("napari_micromri.io.save_scan", interrupted)
    monkeypatch.setattr(program, "_interrupted", threading.Event())
    assert main(["convert", str(nifti), str(tmp_path / "out.nii")]) == 130
    assert capsys.readouterr().err == "micromri: interrupted.\n"


def test_an_interrupt_during_the_check_keeps_what_is_written(
    nifti: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_micromri.inference.trust.check_trust", interrupted)
    out = tmp_path / "out.nii"
    assert main(["denoise", str(nifti), str(out), "--slices", "0", "--device", "cpu"]) == 130
    assert out.is_file()
    assert "complete" in capsys.readouterr().err


def test_a_folder_of_scans_is_described_like_the_scans(nifti: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (nifti.parent / "broken.nii").write_bytes(b"no scan")
    assert main(["info", str(nifti.parent), "--json"]) == 0
    said = capsys.readouterr()
    assert [entry["shape"] for entry in json.loads(said.out)] == [[4, 64, 48]]
    assert "broken.nii" in said.err
