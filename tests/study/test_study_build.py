"""Building: whole or not at all, again and again, whatever happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from filelock import FileLock

from napari_micromri.errors import CancelledError, StudyError
from napari_micromri.io import save_scan
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.study.build import build
from napari_micromri.study.check import check
from napari_micromri.study.plan import Plan, PlannedPair, Simulation, Source
from napari_micromri.study.simulated import plan_simulated
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeScan = Callable[..., Scan]

PAIRS = 3


@pytest.fixture
def plan(tmp_path: Path, make_scan: MakeScan) -> Plan:
    """Three pairs of NIfTI files."""
    pairs = []
    for k in range(PAIRS):
        hr = make_scan((3, 40, 36), seed=k, name=f"T2 default {k}")
        save_scan(hr, tmp_path / f"hr{k}.nii.gz")
        save_scan(simulate_fast_scan(hr, seed=k), tmp_path / f"lr{k}.nii.gz")
        sources = (Source(str(tmp_path / f"{which}{k}.nii.gz")) for which in ("lr", "hr"))
        lr, hr_source = sources
        pairs.append(
            PlannedPair(
                subject=f"m{k}", region="head", plane="coronal", lr=lr, hr=hr_source, slice_count=3, notes=("why",)
            )
        )
    return Plan(tuple(pairs))


def target(tmp_path: Path) -> Path:
    return tmp_path / "mice.mri.zarr"


def digests(study: Path) -> dict[str, str]:
    return {key: pair.digest for key, pair in Study.open(study).pairs_by_key.items()}


def leftovers(study: Path) -> list[str]:
    return [p.name for p in study.rglob(".*") if "unfinished" in p.name or "partial" in p.name]


def test_pairs_are_added_with_everything_that_is_known(tmp_path: Path, plan: Plan) -> None:
    seen: list[tuple[int, int]] = []
    result = build(plan, target(tmp_path), progress=lambda done, total: seen.append((done, total)))
    study = Study.open(target(tmp_path))
    pair = study.pairs_by_key["m1/head/coronal"]
    lr, hr = study.scans(pair.key)
    assert result.added == ("m0/head/coronal", "m1/head/coronal", "m2/head/coronal")
    assert result.failed == ()
    assert seen[-1] == (18, 18)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (pair.lr.shape, pair.hr.shape) == ((3, 20, 18), (3, 40, 36))
    assert (pair.lr.info.subject, pair.hr.info.region, pair.hr.info.plane) == ("m1", "head", "coronal")
    assert len(pair.quality) == 3
    assert pair.report.correlation > 0.9
    assert pair.sources["hr"]["path"] == str(tmp_path / "hr1.nii.gz")
    assert pair.sources["notes"] == ["why"]
    np.testing.assert_array_equal(hr.read(), Source(str(tmp_path / "hr1.nii.gz")).open().read())
    np.testing.assert_array_equal(lr.read(), Source(str(tmp_path / "lr1.nii.gz")).open().read())
    assert check(study, pixels=True).ok


def test_building_again_changes_nothing(tmp_path: Path, plan: Plan) -> None:
    build(Plan(plan.pairs[:1]), target(tmp_path))
    before = {p: p.stat().st_mtime_ns for p in target(tmp_path).rglob("*") if p.is_file() and "m0" in p.parts}
    assert build(plan, target(tmp_path)).already_there == ("m0/head/coronal",)
    again = build(plan, target(tmp_path))
    assert (again.added, len(again.already_there)) == ((), 3)
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_a_renamed_pair_is_still_there(tmp_path: Path, plan: Plan) -> None:
    build(plan, target(tmp_path))
    study = Study.open(target(tmp_path))
    key = study.relabel("m0/head/coronal", region="thorax")
    assert build(plan, target(tmp_path)).already_there == (key, "m1/head/coronal", "m2/head/coronal")
    assert check(Study.open(target(tmp_path))).ok


def test_other_and_changed_sources_are_reported_and_nothing_is_overwritten(tmp_path: Path, plan: Plan) -> None:
    build(plan, target(tmp_path))
    before = digests(target(tmp_path))
    shutil.copy(tmp_path / "hr1.nii.gz", tmp_path / "elsewhere.nii.gz")
    os.utime(tmp_path / "lr0.nii.gz", (1e9, 1e9))
    moved = replace(plan.pairs[1], hr=Source(str(tmp_path / "elsewhere.nii.gz")))
    result = build(Plan((plan.pairs[0], moved, plan.pairs[2])), target(tmp_path))
    reasons = [reason for _, reason in result.failed]
    assert all(part in reasons[0] for part in ("LR", "m0/head/coronal", str(tmp_path / "lr0.nii.gz")))
    assert all(part in reasons[1] for part in ("HR", "m1/head/coronal", "another source"))
    assert digests(target(tmp_path)) == before


def test_a_pair_that_fails_is_reported_and_the_others_go_on(tmp_path: Path, plan: Plan, make_scan: MakeScan) -> None:
    (tmp_path / "lr0.nii.gz").write_bytes(b"broken")
    save_scan(make_scan((2, 20, 18)), tmp_path / "lr1.nii.gz", overwrite=True)
    result = build(plan, target(tmp_path))
    assert result.added == ("m2/head/coronal",)
    assert "NIfTI" in result.failed[0].reason
    assert "2 slices" in result.failed[1].reason
    found = check(Study.open(target(tmp_path)))
    assert not found.ok
    assert [text.split(" (LR")[0] for text in found.missing] == ["m0, head, coronal", "m1, head, coronal"]


def test_pairs_are_made_of_magnitudes(tmp_path: Path, plan: Plan, make_scan: MakeScan) -> None:
    """An offset is taken out when a pair is built; a real part is no pair."""
    plain = make_scan((3, 40, 36))
    save_scan(Scan(plain.read() - 1000, plain.info), tmp_path / "hr0.nii.gz", overwrite=True)
    signed = plain.read() * np.cos(np.linspace(0, 9, 36, dtype=np.float32))
    save_scan(Scan(signed, plain.info), tmp_path / "hr1.nii.gz", overwrite=True)
    result = build(plan, target(tmp_path))
    assert result.added == ("m0/head/coronal", "m2/head/coronal")
    assert "HR: " in result.failed[0].reason
    assert "both sides of zero" in result.failed[0].reason
    _, hr = Study.open(target(tmp_path)).scans("m0/head/coronal")
    np.testing.assert_allclose(hr.read(), plain.read() - plain.read().min(), atol=1e-3)
    assert {"step": "offset", "taken_out": -1000.0} in [dict(step) for step in hr.info.provenance]


def test_pixels_that_end_too_early_fail_alone(tmp_path: Path, plan: Plan) -> None:
    whole = (tmp_path / "hr0.nii.gz").read_bytes()
    (tmp_path / "hr0.nii.gz").write_bytes(whole[: len(whole) // 2])
    result = build(plan, target(tmp_path))
    assert len(result.added) == 2
    assert str(tmp_path / "hr0.nii.gz") in result.failed[0].reason
    assert leftovers(target(tmp_path)) == []


def test_odd_names_and_sessions(tmp_path: Path, plan: Plan) -> None:
    one, two, _ = plan.pairs
    odd = replace(one, subject="Größe/7: a?", region="head & thorax")
    sessions = replace(two, session="monday"), replace(two, session="friday", lr=one.lr)
    result = build(Plan((odd, *sessions)), target(tmp_path))
    pairs = Study.open(target(tmp_path)).pairs_by_key
    assert len(set(result.added)) == 3
    assert {(p.subject, p.session) for p in pairs.values()} == {
        ("Größe/7: a?", None),
        ("m1", "monday"),
        ("m1", "friday"),
    }
    assert len(build(Plan((odd, *sessions)), target(tmp_path)).already_there) == 3


def test_a_name_that_no_folder_can_have_fails_alone(tmp_path: Path, plan: Plan) -> None:
    result = build(Plan((replace(plan.pairs[0], subject="x" * 300), plan.pairs[1])), target(tmp_path))
    assert result.added == ("m1/head/coronal",)
    assert "too long" in result.failed[0].reason


def test_stopping_keeps_what_is_done(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(CancelledError):
        build(plan, target(tmp_path), should_stop=(target(tmp_path) / "m0").exists)
    assert list(digests(target(tmp_path))) == ["m0/head/coronal"]
    assert leftovers(target(tmp_path)) == []
    assert len(build(plan, target(tmp_path)).added) == 2


def test_simulated_pairs_have_noise_of_their_own_and_the_same_again(tmp_path: Path, make_scan: MakeScan) -> None:
    for name in ("m1_head_cor", "m2_head_cor"):
        save_scan(make_scan((2, 40, 36), seed=7), tmp_path / "in" / f"{name}.nii.gz")
    plan = plan_simulated([tmp_path / "in"], Simulation(factor=2, snr=10, averages=2, seed=5))
    assert [pair.identity for pair in plan.pairs] == [("m1", "head", "coronal", ""), ("m2", "head", "coronal", "")]
    build(plan, target(tmp_path))
    build(
        plan_simulated([tmp_path / "in" / "m2_head_cor.nii.gz"], Simulation(snr=10, averages=2, seed=5)),
        tmp_path / "b.mri.zarr",
    )
    study = Study.open(target(tmp_path))
    one, two = (study.scans(key)[0].read() for key in study.pairs_by_key)
    assert not np.array_equal(one, two)
    assert digests(tmp_path / "b.mri.zarr")["m2/head/coronal"] == digests(target(tmp_path))["m2/head/coronal"]
    assert study.pairs_by_key["m1/head/coronal"].sources["lr"]["simulated"]["averages"] == 2
    assert one.shape == (2, 20, 18)


class TestRefusals:
    """One sentence, and nothing half written."""

    def test_an_empty_plan(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="no pairs"):
            build(Plan(), target(tmp_path))
        assert not target(tmp_path).exists()

    def test_the_same_pair_twice(self, tmp_path: Path, plan: Plan) -> None:
        with pytest.raises(StudyError, match=r"'m0, head, coronal'.*twice"):
            build(Plan((plan.pairs[0], replace(plan.pairs[1], subject="m0"))), target(tmp_path))
        assert not target(tmp_path).exists()

    def test_a_target_that_is_something_else(self, tmp_path: Path, plan: Plan) -> None:
        file, folder = tmp_path / "file.mri.zarr", tmp_path / "folder.mri.zarr"
        file.write_text("x")
        folder.mkdir()
        (folder / "thesis.txt").write_text("x")
        for path in (file, folder, tmp_path / "name.zarr"):
            with pytest.raises(StudyError):
                build(plan, path)
        assert [p.name for p in folder.iterdir()] == ["thesis.txt"]

    def test_a_second_build_at_the_same_time(self, tmp_path: Path, plan: Plan) -> None:
        Study.create(target(tmp_path))
        with FileLock(target(tmp_path) / ".build-lock"):
            with pytest.raises(StudyError, match="another program"):
                build(plan, target(tmp_path))
        assert len(build(plan, target(tmp_path)).added) == 3

    def test_a_full_disk_ends_the_build_and_leaves_whole_pairs(
        self, tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from napari_micromri.study import writing

        write, calls = writing._write_image, iter(range(100))

        def full_at_the_fourth(*arguments: Any) -> None:
            if next(calls) == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(*arguments)

        monkeypatch.setattr(writing, "_write_image", full_at_the_fourth)
        with pytest.raises(StudyError, match="full"):
            build(plan, target(tmp_path))
        assert list(digests(target(tmp_path))) == ["m0/head/coronal"]
        assert leftovers(target(tmp_path)) == []

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
    def test_a_read_only_study(self, tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
        build(Plan(plan.pairs[:1]), target(tmp_path))
        monkeypatch.setattr(Study, "read_only", property(lambda _: True))
        with pytest.raises(StudyError, match="read-only"):
            build(plan, target(tmp_path))
        assert list(digests(target(tmp_path))) == ["m0/head/coronal"]


BUILD = """
import sys
from napari_micromri.study.build import build
from napari_micromri.study.table import plan_from_csv
def note(done, total):
    print(done, flush=True)
    sys.stdin.readline()  # continues when told to, so that it is never far ahead
build(plan_from_csv(sys.argv[1]), sys.argv[2], progress=note)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="There is no SIGKILL")
def test_killed_again_and_again_a_build_ends_like_an_undisturbed_one(tmp_path: Path, plan: Plan) -> None:
    rows = [f"{p.subject}{c},head,coronal,{p.lr},{p.hr}" for p in plan.pairs for c in "ab"]
    table = tmp_path / "plan.csv"
    table.write_text("\n".join(["subject,region,plane,lr,hr", *rows]), encoding="utf-8")
    calm, killed = tmp_path / "calm.mri.zarr", target(tmp_path)
    done: list[int] = []
    # After so many steps of progress and seconds: while reading, comparing and writing the first pairs, and later ones.
    for steps, delay in ((1, 0.0), (7, 0.05), (13, 0.02)):
        process = _start(table, killed)
        assert process.stdout is not None
        assert process.stdin is not None
        for _ in range(steps):
            process.stdout.readline()
            process.stdin.write("\n")
            process.stdin.flush()
        time.sleep(delay)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        assert process.returncode == -signal.SIGKILL
        assert check(Study.open(killed), pixels=True).damaged == {}
        done.append(len(digests(killed)))
    process = _start(table, killed)
    _, told = process.communicate()
    assert process.returncode == 0, told
    build(_table_plan(table), calm)
    assert done == sorted(done)
    assert done[-1] < 6
    assert digests(killed) == digests(calm)
    assert len(digests(killed)) == 6
    assert leftovers(killed) == []
    assert check(Study.open(killed), pixels=True).ok


def _start(table: Path, study: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(table), str(study)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _table_plan(table: Path) -> Plan:
    from napari_micromri.study.table import plan_from_csv

    return plan_from_csv(table)


MEMORY = """
import resource, sys
import numpy as np, zarr, dask.array, scipy.ndimage, skimage.filters, skimage.registration
from napari_micromri.study.build import build
from napari_micromri.study.simulated import plan_simulated
plan = plan_simulated([sys.argv[1]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
build(plan, sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Peak memory has another unit elsewhere")
def test_memory_does_not_grow_with_the_number_of_pairs(tmp_path: Path) -> None:
    info = ScanInfo(name="T2", axes="zyx", voxel_size=(0.6, 0.1, 0.1))
    volume = np.random.default_rng(0).integers(0, 2000, (12, 192, 192)).astype(np.int16)
    volume[:, 60:200, 60:200] += 8000
    for k in range(7):
        save_scan(Scan(volume, info), tmp_path / "in" / f"m{k}.nii.gz")
    command = [sys.executable, "-c", MEMORY, tmp_path / "in", target(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(digests(target(tmp_path))) == 7
    # In kB. One pair takes about 18 MB with its copies, so keeping those of all seven would pass this.
    assert int(printed.split()[-1]) < 60_000
