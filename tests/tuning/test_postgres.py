"""A tuning in a real PostgreSQL: restarted in the middle, joined by its URL alone, its password written nowhere."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from optuna import Trial

from napari_micromri.cli import main
from napari_micromri.errors import TrainingError
from napari_micromri.progress import never
from napari_micromri.training.run import read_run
from napari_micromri.tuning import address
from napari_micromri.tuning import worker as worker_module
from napari_micromri.tuning.address import VARIABLE, hide_password
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.objective import Workplace
from napari_micromri.tuning.process import (
    create_tuning,
    pause_tuning,
    read_workers,
    start_workers,
    stop_tuning,
)
from napari_micromri.tuning.storage import open_tuning
from napari_micromri.tuning.worker import Worker
from postgres_server import PASSWORD, USER, PostgresServer, find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_micromri.tuning.config import TuneConfig
    from napari_micromri.tuning.storage import Tuning

if sys.platform == "win32" or find_program("initdb") is None or find_program("postgres") is None:
    pytest.skip("PostgreSQL is not installed; 'make system' installs it.", allow_module_level=True)
pytest.importorskip("psycopg", reason="The driver of PostgreSQL is not installed: the extra 'postgres'.")

PATIENCE = 240.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    # Not in pytest's own folder, which the unprivileged user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="micromri-postgres-"))
    folder.chmod(0o755)
    try:
        with PostgresServer(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "LOOK_SECONDS", 0.05)
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def opened() -> Iterator[Callable[..., Tuning]]:
    """Open tunings, and close them at the end."""
    with ExitStack() as stack:
        yield lambda *where: stack.enter_context(open_tuning(*where))


def check_that_all_is_done(tuning: Tuning, trials: int) -> None:
    found = tuning.optuna.get_trials()
    assert [trial.state.name for trial in found] == ["COMPLETE"] * trials
    assert all(trial.values for trial in found)


def test_the_server_is_restarted_in_the_middle(
    tmp_path: Path,
    make_config: Callable[..., TuneConfig],
    server: PostgresServer,
    opened: Callable[..., Tuning],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config({"epochs": 3}, name="restarted", trials=2)
    reported, gone, report = threading.Event(), threading.Event(), Trial.report

    def report_and_wait(trial: Trial, value: float, step: int) -> None:
        """Stay in the midst of the trial until the server is gone, however fast it trains."""
        report(trial, value, step)
        reported.set()
        gone.wait(PATIENCE)

    monkeypatch.setattr(Trial, "report", report_and_wait)
    folder = create_tuning(tmp_path / "tuning", config, storage=server.url)
    tuning, reference = opened(server.url), opened(folder.path)
    workplace = Workplace(Path(config.study), folder.runs, 1)
    words: list[str] = []
    worker = Worker(tuning, "patient", workplace, never)
    thread = threading.Thread(target=lambda: words.append(worker.work()))
    thread.start()
    assert reported.wait(PATIENCE)
    server.stop()
    gone.set()
    wait(lambda: "can't be reached" in read_workers(folder.path)[0].message)
    assert read_workers(folder.path)[0].live
    server.start()
    thread.join(PATIENCE)
    assert words == ["The tuning is complete: 2 trials."]
    check_that_all_is_done(reference, 2)
    assert_nowhere(PASSWORD, folder.path)
    for trial in reference.optuna.trials:
        run = read_run(folder.path / trial.user_attrs["run"])
        assert trial.intermediate_values == {epoch.epoch: epoch.validation.mse for epoch in run.epochs}


def test_another_machine_joins_by_the_url_alone(
    tmp_path: Path,
    make_config: Callable[..., TuneConfig],
    server: PostgresServer,
    study: Path,
    opened: Callable[..., Tuning],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = make_config(name="joined", trials=2)
    folder = create_tuning(tmp_path / "tuning", config, storage=server.url)
    away = folder.path.rename(tmp_path / "not seen there")
    elsewhere = shutil.copytree(study, tmp_path / "elsewhere.mri.zarr")
    shutil.rmtree(study)
    monkeypatch.setenv(VARIABLE, server.url)
    command = ["tune-worker", "--name", "joined", "--study", str(elsewhere)]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "--runs" in told and str(folder.path) in told
    assert main([*command, "--runs", str(tmp_path / "scratch"), "--threads", "1"]) == 0
    said = capsys.readouterr()
    assert said.out == "The tuning is complete: 2 trials.\n"
    assert PASSWORD not in said.err
    tuning = opened(server.url, "joined")
    check_that_all_is_done(tuning, 2)
    runs = [Path(trial.user_attrs["run"]) for trial in tuning.optuna.trials]
    assert all(run.parent == tmp_path / "scratch" and read_run(run).state == "done" for run in runs)
    assert not TuneFolder(folder.path).exists
    assert TuneFolder(away).exists


def test_the_password_is_written_down_nowhere(
    tmp_path: Path, make_config: Callable[..., TuneConfig], server: PostgresServer, opened: Callable[..., Tuning]
) -> None:
    config = make_config(name="secret", trials=1)
    folder = create_tuning(tmp_path / "tuning", config, storage=server.url)
    pause_tuning(folder.path)
    start_workers(folder.path, 1)
    wait(lambda: read_workers(folder.path)[0].message == "Paused.")
    process = psutil.Process(read_workers(folder.path)[0].pid)
    assert PASSWORD not in " ".join(process.cmdline())
    stop_tuning(folder.path)
    wait(lambda: read_workers(folder.path)[0].state == "ended")
    assert read_workers(folder.path)[0].message == "Stopped."
    assert all(trial.state.name == "WAITING" for trial in opened(folder.path).optuna.trials)
    assert_nowhere(PASSWORD, folder.path)
    assert folder.read().storage == hide_password(server.url)


def assert_nowhere(secret: str, folder: Path) -> None:
    for file in folder.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_several_tunings_in_one_storage_are_told_apart(
    tmp_path: Path, make_config: Callable[..., TuneConfig], server: PostgresServer, opened: Callable[..., Tuning]
) -> None:
    for name in ("one", "two"):
        create_tuning(tmp_path / name, make_config(name=name), storage=server.url)
    with pytest.raises(TrainingError, match=r"several tunings.*one.*two") as error:
        open_tuning(server.url)
    assert PASSWORD not in str(error.value)
    assert opened(server.url, "two").config.name == "two"
    with pytest.raises(TrainingError, match="no tuning 'three'"):
        open_tuning(server.url, "three")
    with pytest.raises(TrainingError, match="holds a tuning 'one' already"):
        create_tuning(tmp_path / "three", make_config(name="one"), storage=server.url)


def test_the_password_can_stand_in_the_file_of_postgresql(
    tmp_path: Path,
    make_config: Callable[..., TuneConfig],
    server: PostgresServer,
    opened: Callable[..., Tuning],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{server.port}:*:{USER}:{PASSWORD}\n")
    file.chmod(0o600)
    shown = hide_password(server.url)
    monkeypatch.setattr(address, "_remembered", {})
    with pytest.raises(TrainingError, match="no password supplied"):
        create_tuning(tmp_path / "tuning", make_config(name="by file"), storage=shown)
    monkeypatch.setenv("PGPASSFILE", str(file))
    folder = create_tuning(tmp_path / "tuning", make_config(name="by file"), storage=shown)
    assert opened(folder.path).config.name == "by file"


def test_a_wrong_password_is_said_without_it(
    tmp_path: Path, make_config: Callable[..., TuneConfig], server: PostgresServer, opened: Callable[..., Tuning]
) -> None:
    wrong = server.url.replace(PASSWORD, "wr0ng-Pass")
    with pytest.raises(TrainingError, match=r"can't be reached: .*password authentication failed") as error:
        create_tuning(tmp_path / "tuning", make_config(), storage=wrong)
    assert "wr0ng-Pass" not in str(error.value)
    assert not TuneFolder(tmp_path / "tuning").exists


def wait(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)
