"""Optuna's gRPC proxy as the storage of a tuning, on loopback."""

from __future__ import annotations

import socket
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from optuna.storages import fail_stale_trials

from napari_micromri.errors import TrainingError
from napari_micromri.progress import never
from napari_micromri.tuning import proxy as proxy_module
from napari_micromri.tuning import storage as storage_module
from napari_micromri.tuning.objective import Workplace
from napari_micromri.tuning.process import create_tuning
from napari_micromri.tuning.storage import open_storage, open_tuning
from napari_micromri.tuning.worker import Worker

pytest.importorskip("grpc", reason="gRPC is not installed: the extra 'grpc'.")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_micromri.tuning.config import TuneConfig


# Tests ask Optuna for single trials, outside of `optimize`.
pytestmark = [pytest.mark.filterwarnings("ignore:Heartbeat"), pytest.mark.filterwarnings("ignore:.*experimental")]


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[str]:
    from optuna.storages._grpc.server import make_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    behind = open_storage(f"sqlite:///{tmp_path / 'trials.db'}")
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as threads:
        warnings.simplefilter("ignore")  # Optuna calls it experimental
        server = make_server(behind, "127.0.0.1", port, threads)
        server.start()
        yield f"grpc://127.0.0.1:{port}"
        server.stop(None).wait()
    storage_module.close_storage(behind)


def test_a_tuning_behind_a_proxy(tmp_path: Path, make_config: Callable[..., TuneConfig], proxy: str) -> None:
    config = make_config(trials=2)
    folder = create_tuning(tmp_path / "tuning", config, storage=proxy)
    with open_tuning(proxy) as tuning:
        worker = Worker(tuning, "far", Workplace(Path(config.study), folder.runs, 1), never)
        assert worker.work() == "The tuning is complete: 2 trials."
        assert [trial.state.name for trial in tuning.optuna.get_trials()] == ["COMPLETE", "COMPLETE"]


def test_a_trial_whose_worker_is_silent_for_long_is_tried_again(
    tmp_path: Path, make_config: Callable[..., TuneConfig], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_tuning(tmp_path / "tuning", make_config({"learning_rate": 2e-3}), storage=proxy)
    with open_tuning(proxy) as tuning:
        asked = tuning.optuna.ask()
        tuning.storage.record_heartbeat(asked._trial_id)
        fail_stale_trials(tuning.optuna)
        assert [trial.state.name for trial in tuning.optuna.get_trials()] == ["RUNNING"]
        monkeypatch.setattr(proxy_module, "GRACE_SECONDS", -1.0)
        fail_stale_trials(tuning.optuna)
        assert [trial.state.name for trial in tuning.optuna.get_trials()] == ["FAIL", "WAITING"]
        tuning.storage.record_heartbeat(asked._trial_id)  # comes too late, and harms nobody


def test_a_proxy_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "CONNECT_SECONDS", 0.2)
    with pytest.raises(TrainingError, match=r"No gRPC proxy answers at grpc://127\.0\.0\.1:1"):
        open_storage("grpc://127.0.0.1:1")
