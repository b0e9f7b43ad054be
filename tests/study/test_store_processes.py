"""Several programs on one study, and programs that are killed: no mark that was told to be saved is lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from napari_micromri.study.model import Exclude
from napari_micromri.study.store import Study
from study_samples import make_study

if TYPE_CHECKING:
    from pathlib import Path

KEY = "mouse 01/head-thorax/coronal"

MARKER = """
import sys
from napari_micromri.study.model import Assign, Exclude
from napari_micromri.study.store import Study
path, first, last, rounds, reason = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
study = Study.open(path)
print("ready", flush=True)
for _ in range(rounds):
    for index in range(first, last):
        study.apply([Exclude("mouse 01/head-thorax/coronal", index, reason), Assign(f"mouse 0{1 + index % 3}", "test")])
        print(index, flush=True)
    reason = {"noise": "ghost", "ghost": "noise"}[reason]
"""


def start(study: Study, first: int, last: int, rounds: int, reason: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MARKER, study.path, *map(str, (first, last, rounds)), reason]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_lines(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    with process.stdout as stream:
        return stream.read().split()


def all_json(study: Path) -> list[Any]:
    return [json.loads(file.read_bytes()) for file in study.rglob("zarr.json")]


def test_programs_that_mark_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    study = make_study(tmp_path / "a.mri.zarr", slices=60, shape=(4, 4))
    workers = [start(study, first, first + 15, 1, "noise") for first in (0, 15, 30)]
    mine = list(range(45, 60))
    for index in mine:
        study.apply([Exclude(KEY, index, "motion")])
    done = [read_lines(worker) for worker in workers]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert sum(map(len, done)) == 48
    study.reload()
    expected = dict.fromkeys(range(45), "noise") | dict.fromkeys(mine, "motion")
    assert study.pairs_by_key[KEY].marks.excluded == expected
    assert study.split == {f"mouse 0{k}": "test" for k in (1, 2, 3)}
    assert len(all_json(study.path)) == 1 + 3 * (1 + 1 + 1 + 4)


def test_a_mark_that_was_told_survives_a_kill(tmp_path: Path) -> None:
    rng = random.Random(0)  # noqa: S311 (no secret)
    study = make_study(tmp_path / "a.mri.zarr", slices=30, shape=(4, 4))
    for _ in range(6):
        study.apply([Exclude(KEY, index, None) for index in range(30)])
        worker = start(study, 0, 30, 1, rng.choice(["noise", "ghost"]))
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.3))
        worker.kill()
        told = [int(word) for word in read_lines(worker)]
        worker.wait()
        assert all_json(study.path)
        again = Study.open(study.path)
        found = again.pairs_by_key[KEY].marks.excluded
        # The one after the last told may have been saved, too, before it could be told.
        assert list(found) in ([*told], [*told, len(told)])
        again.apply([Exclude(KEY, 29, "other")])
        study.reload()
        assert study.pairs_by_key[KEY].marks.excluded[29] == "other"
