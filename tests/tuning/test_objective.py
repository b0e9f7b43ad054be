"""One trial: an ordinary run, its figures, and everything that ends it otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from napari_micromri.nn.network import count_parameters
from napari_micromri.nn.registry import load_model
from napari_micromri.progress import never
from napari_micromri.study.store import Study
from napari_micromri.training.config import TrainConfig, parse_config
from napari_micromri.training.data import TrainingData
from napari_micromri.training.engine.methods import new_network
from napari_micromri.training.events import Epoch, Metrics
from napari_micromri.training.run import read_run
from napari_micromri.tuning import memory
from napari_micromri.tuning.latency import seconds_per_slice
from napari_micromri.tuning.objective import FailedTrial, InterruptedTrial, TrialRun, Workplace
from napari_micromri.tuning.process import create_tuning
from napari_micromri.tuning.search import make_pruner
from napari_micromri.tuning.storage import Tuning, open_tuning
from napari_micromri.tuning.trials import REASON, RUN, retry

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_micromri.progress import ShouldStop
    from napari_micromri.tuning.config import TuneConfig

# Tests ask Optuna for single trials, outside of `optimize`.
pytestmark = [pytest.mark.filterwarnings("ignore:Heartbeat"), pytest.mark.filterwarnings("ignore:.*experimental")]


class Bench:
    """A tuning and its trials, one after the other."""

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        tuning.optuna.pruner = make_pruner(tuning.config)
        self.workplace = Workplace(Path(tuning.config.study), tuning.folder.runs, 1)

    def trial(self) -> optuna.Trial:
        return self.tuning.optuna.ask()

    def train(self, trial: optuna.Trial, should_stop: ShouldStop = never) -> tuple[float, ...]:
        return TrialRun(self.tuning, trial, self.workplace).train(should_stop)

    def again(self, number: int) -> optuna.Trial:
        """The trial that continues another, whose worker died."""
        failed = self.tuning.optuna.tell(number, state=TrialState.FAIL)
        retry(self.tuning.optuna, failed)
        while (trial := self.trial()).user_attrs.get(RUN) is None:
            pass
        return trial

    def frozen(self, number: int) -> optuna.trial.FrozenTrial:
        return self.tuning.optuna.get_trials()[number]


@pytest.fixture
def bench(tmp_path: Path, make_config: Callable[..., TuneConfig]) -> Callable[..., Bench]:
    def make(base: dict[str, Any] | None = None, **fields: Any) -> Bench:
        return Bench(open_tuning(create_tuning(tmp_path / "tuning", make_config(base, **fields)).path))

    return make


def test_a_trial_is_an_ordinary_run_with_what_was_suggested(bench: Callable[..., Bench]) -> None:
    made = bench({"epochs": 3})
    trial = made.trial()
    outcome = made.train(trial)
    frozen = made.frozen(trial.number)
    run = read_run(made.tuning.folder.path / frozen.user_attrs["run"])
    assert (run.state, run.name) == ("done", "trial-0000")
    assert run.best is not None
    assert outcome == (run.best.validation.mse,)
    assert frozen.intermediate_values == {epoch.epoch: epoch.validation.mse for epoch in run.epochs}
    assert frozen.user_attrs["config"] == run.settings["config"]
    config = parse_config(run.settings["config"])
    assert config.learning_rate == frozen.params["learning_rate"]
    assert (config.name, config.monitor, config.threads, config.optimizer) == ("blobs 0", "mse", 1, "adamw")
    assert frozen.user_attrs["epoch"] == 3


def test_every_objective_is_that_of_the_best_epochs_model(bench: Callable[..., Bench]) -> None:
    made = bench({"epochs": 2}, objectives=("ssim", "mse", "latency", "parameters"))
    trial = made.trial()
    outcome = made.train(trial)
    run = read_run(made.tuning.folder.path / made.frozen(0).user_attrs["run"])
    assert run.best is not None
    assert run.model is not None
    assert run.settings["config"]["monitor"] == "ssim"
    ssim, mse, latency, parameters = outcome
    assert (ssim, mse) == (run.best.validation.ssim, run.best.validation.mse)
    assert 0 < latency < 10
    assert parameters == count_parameters(load_model(run.model).network)
    assert made.frozen(0).intermediate_values == {epoch.epoch: epoch.validation.ssim for epoch in run.epochs}
    made.tuning.optuna.tell(0, list(outcome))
    assert [best.number for best in made.tuning.optuna.best_trials] == [0]


def test_a_pruned_run_ends_with_words_that_say_so(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench({"epochs": 50}, pruner="median")
    trial = made.trial()
    monkeypatch.setattr(trial, "should_prune", lambda: len(made.frozen(0).intermediate_values) >= 2)
    with pytest.raises(optuna.TrialPruned):
        made.train(trial)
    assert made.frozen(0).user_attrs[REASON].startswith("Pruned after epoch 2")
    run = read_run(made.tuning.folder.path / made.frozen(0).user_attrs["run"])
    assert run.state == "stopped"
    assert run.message.startswith("Pruned after epoch 2")
    assert "resumed" in run.message
    assert run.model is not None


def test_the_pruner_of_optuna_is_asked(bench: Callable[..., Bench]) -> None:
    made = bench({"epochs": 30}, pruner="threshold", pruner_options={"upper": 0.0})
    with pytest.raises(optuna.TrialPruned, match="epoch 1:"):
        made.train(made.trial())


def test_a_stopped_trial_is_gone_on_with_where_it_was(bench: Callable[..., Bench]) -> None:
    made = bench({"epochs": 6})
    first = made.trial()
    with pytest.raises(InterruptedTrial):
        made.train(first, lambda: len(made.frozen(0).intermediate_values) >= 3)
    second = made.again(0)
    made.train(second)
    frozen = made.frozen(second.number)
    assert frozen.user_attrs["run"] == made.frozen(0).user_attrs["run"] == "runs/trial-0000"
    assert sorted(frozen.intermediate_values) == [1, 2, 3, 4, 5, 6]
    assert frozen.params == made.frozen(0).params
    events = (made.tuning.folder.runs / "trial-0000" / "events.jsonl").read_text()
    assert events.count('"resumed"') == 1


def test_a_run_that_was_done_before_its_worker_died_is_not_trained_again(bench: Callable[..., Bench]) -> None:
    made = bench()
    first = made.train(made.trial())
    events = made.tuning.folder.runs / "trial-0000" / "events.jsonl"
    before = events.read_bytes()
    assert made.train(made.again(0)) == first
    assert events.read_bytes() == before


def test_a_run_that_is_gone_is_trained_again(bench: Callable[..., Bench]) -> None:
    import shutil

    made = bench(trials=1)
    made.train(made.trial())
    shutil.rmtree(made.tuning.folder.runs / "trial-0000")
    second = made.again(0)
    made.train(second)
    assert made.frozen(second.number).user_attrs["run"] == "runs/trial-0001"


@pytest.mark.parametrize(
    ("base", "space", "words"),
    [
        ({"batch_size": 1, "epochs": 30}, {"learning_rate": 10.0}, "number|explodes"),
        ({}, {"network.guided": True}, "kind of model"),
        ({"device": "cuda:77"}, {"seed": 3}, "no device 'cuda:77'"),
    ],
)
def test_a_trial_that_cannot_go_well_fails_with_a_sentence(
    bench: Callable[..., Bench], base: dict[str, Any], space: dict[str, Any], words: str
) -> None:
    made = bench(base)
    changed = made.tuning.config.model_copy(update={"space": _Fixed(space)})
    made.tuning = Tuning(made.tuning.optuna, made.tuning.storage, changed, made.tuning.folder)
    with pytest.raises(FailedTrial, match=words) as caught:
        made.train(made.trial())
    assert made.frozen(0).user_attrs[REASON] == str(caught.value)
    assert "\n" not in str(caught.value)


class _Fixed:
    """A space that suggests what a real one would refuse."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def suggest(self, *_: object) -> dict[str, Any]:
        return self.values

    def settings(self, values: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
        settings = base | {key: value for key, value in values.items() if "." not in key}
        for key, value in values.items():
            outer, _, inner = key.partition(".")
            if inner:
                settings[outer] = settings[outer] | {inner: value}
        return settings


def test_a_fault_of_the_program_fails_the_trial_and_stands_in_its_log(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("napari_micromri.training.engine.loop.train", broken)
    with pytest.raises(FailedTrial, match="ZeroDivisionError: a bug"):
        made.train(made.trial())
    assert "Traceback" in (made.tuning.folder.runs / "trial-0000" / "log.txt").read_text()


def test_an_epoch_that_is_trained_again_keeps_the_figure_that_others_were_compared_with(
    bench: Callable[..., Bench],
) -> None:
    made = bench()
    run, reached = TrialRun(made.tuning, made.trial(), made.workplace), {"mae": 0.1, "psnr": 20.0, "ssim": 0.7}
    for mse in (0.5, 0.4):
        figures = Metrics(loss=mse, mse=mse, **reached)
        known: dict[str, Any] = {"validation": figures, "baseline": figures, "best": True}
        run._report(Epoch(epoch=1, train_loss=mse, learning_rate=0.1, seconds=1, **known))
    assert made.frozen(0).intermediate_values == {1: 0.5}


def test_a_trial_that_needs_more_memory_than_there_is_is_not_begun(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench()
    monkeypatch.setattr("napari_micromri.inference.devices.free_memory", lambda device: 1000)
    with pytest.raises(FailedTrial, match="GB of memory"):
        made.train(made.trial())
    assert not (made.tuning.folder.runs / "trial-0000" / "events.jsonl").exists()


def test_the_memory_that_a_trial_needs_grows_with_all_that_costs_some(study: Path) -> None:
    data = TrainingData.from_study(Study.open(study))

    def needed(**fields: Any) -> int:
        return memory.needed_bytes(
            TrainConfig(**{"network": {"features_main": (8, 16)}, "batch_size": 2} | fields), data
        )

    assert needed(batch_size=4) > 1.5 * needed()
    assert needed(network={"features_main": (16, 32)}) > 1.5 * needed()
    assert needed(crop=16) < needed()
    assert needed(kind="apddm") > needed()  # has an embedding of time and a second input
    assert needed(batch_size=4000) == needed(batch_size=4)  # there are no more slices


def test_weights_are_kept_with_their_gradients_and_what_the_optimizer_notes_of_each(study: Path) -> None:
    data = TrainingData.from_study(Study.open(study))
    config = TrainConfig(network={"features_main": (64, 128)}, batch_size=1)
    weights = sum(weight.nbytes for weight in new_network(config).parameters())
    assert 4 * weights < memory.needed_bytes(config, data) < 8 * weights


def test_the_time_per_slice_is_the_median_of_calls_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        now, took = 0.0, iter([100.0, *[1.0] * 4, 2.0, *[3.0] * 5])

        def prepare(self, *_: object) -> None: ...

        def restore(self, given: torch.Tensor) -> torch.Tensor:
            self.now += next(self.took)
            return given

    slow = Slow()
    monkeypatch.setattr("napari_micromri.nn.registry.load_model", lambda _: slow)
    monkeypatch.setattr("time.perf_counter", lambda: slow.now)
    assert seconds_per_slice(Path("model"), np.zeros((4, 4), np.float32), "cpu") == 2.5
