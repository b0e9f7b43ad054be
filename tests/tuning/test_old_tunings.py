"""Tunings of earlier versions: they are shown and continued (``data/`` holds one whose worker was killed)."""

from __future__ import annotations

import shutil
from pathlib import Path

from napari_micromri.training.run import read_run
from napari_micromri.tuning.reading import read_tuning
from napari_micromri.tuning.worker_process import run_worker

DATA = Path(__file__).with_name("data")


def test_a_tuning_of_version_0_1_is_shown_and_continued(tmp_path: Path, made_study: Path) -> None:
    folder = Path(shutil.copytree(DATA / "version-0.1", tmp_path / "old"))
    before = read_tuning(folder)
    assert [row.state for row in before.trials] == ["done", "done", "running", "waiting"]
    assert before.best == (0,)
    assert before.workers == ()  # its process is not told from others as it is now

    run_worker(folder, study=made_study, threads=1)
    after = read_tuning(folder)
    assert (after.finished, after.planned) == (4, 4)
    assert after.trials[:2] == before.trials[:2]
    assert after.trials[2].state == "failed"
    [again] = [row for row in after.trials if row.retry_of == 2]
    assert again.parameters == before.trials[2].parameters
    assert again.run == folder / "runs" / "trial-0002"
    assert [event.epoch for event in read_run(again.run).epochs] == [1, 2, 3, 4, 5, 6]
