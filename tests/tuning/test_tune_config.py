"""What a tuning is told, and its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pytest

from napari_micromri.errors import InputError, TrainingError
from napari_micromri.tuning.config import TuneConfig, make_tune_config
from napari_micromri.tuning.folder import TuneFolder
from napari_micromri.tuning.search import make_pruner, make_sampler

if TYPE_CHECKING:
    from pathlib import Path


def test_the_defaults_search_the_reports_space_for_the_least_error() -> None:
    config = make_tune_config(name="first", study="mice.mri.zarr")
    assert (config.objectives, config.directions, config.sampler, config.pruner) == (
        ("mse",),
        ("minimize",),
        "tpe",
        "median",
    )
    assert TuneConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"objectives": ("mse", "mse")}, "an objective is given twice"),
        ({"objectives": ()}, "objectives"),
        ({"sampler": "cmaes"}, "sampler: it must be 'tpe'"),
        ({"trials": 0}, "trials"),
        ({"timeout_minutes": 0}, "timeout_minutes"),
        ({"space": {"parameters": {"normalisation.kind": {"kind": "choice", "values": ["mean"]}}}}, "take 'ssim'"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(fields: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match="can't be set up") as error:
        make_tune_config(**{"name": "a", "study": "b"} | fields)
    assert words in str(error.value)


def test_trials_are_given_up_only_where_they_can_be_compared() -> None:
    def prunes(*objectives: str) -> bool:
        return make_tune_config(name="a", study="b", objectives=objectives).prunes

    assert (prunes("mse"), prunes("ssim"), prunes("latency"), prunes("mse", "ssim")) == (True, True, False, False)
    assert make_tune_config(name="a", study="b", objectives=("parameters", "ssim")).curve == "mse"


def test_what_other_workers_try_now_moves_the_next_suggestion() -> None:
    def suggest(*running: float) -> float:
        study = optuna.create_study(sampler=make_sampler(make_tune_config(name="a", study="b"), 20))
        about: dict[str, Any] = {"distributions": {"x": optuna.distributions.FloatDistribution(0, 1)}}
        for x in (k / 12 for k in range(12)):
            study.add_trial(optuna.create_trial(params={"x": x}, value=(x - 0.5) ** 2, **about))
        for x in running:
            study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.RUNNING, params={"x": x}, **about))
        return study.ask().suggest_float("x", 0, 1)

    assert suggest(0.5) != suggest()


@pytest.mark.parametrize(("pruner", "epochs", "first"), [("median", 20, 5), ("percentile", 8, 2), ("median", 3, 1)])
def test_no_trial_is_given_up_before_it_has_warmed_up(pruner: str, epochs: int, first: int) -> None:
    config = make_tune_config(name="a", study="b", pruner=pruner, base={"epochs": epochs, "optimizer": "adam"})
    study = optuna.create_study(pruner=make_pruner(config))
    for _ in range(6):
        study.add_trial(optuna.create_trial(value=0.1, intermediate_values=dict.fromkeys(range(1, epochs + 1), 0.1)))
    trial = study.ask()
    for epoch in range(1, epochs + 1):
        trial.report(0.9, epoch)
        if trial.should_prune():
            break
    assert epoch == first


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "nsgaii", "nsgaiii", "qmc"])
def test_every_sampler_can_be_made(sampler: str) -> None:
    assert make_sampler(make_tune_config(name="a", study="b", sampler=sampler), 3) is not None


@pytest.mark.parametrize("pruner", ["median", "hyperband", "percentile", "successive_halving", "none"])
def test_every_pruner_can_be_made(pruner: str) -> None:
    assert make_pruner(make_tune_config(name="a", study="b", pruner=pruner)) is not None


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match=r"sampler 'tpe' can't be made.*'n_startup'"):
        make_sampler(make_tune_config(name="a", study="b", sampler_options={"n_startup": 3}), 0)
    with pytest.raises(InputError, match="pruner 'median' can't be made"):
        make_pruner(make_tune_config(name="a", study="b", pruner_options={"n_warmup_steps": -1}))


def test_a_folder_keeps_what_it_is_told(tmp_path: Path) -> None:
    folder, config = TuneFolder(tmp_path / "tunings" / "first"), make_tune_config(name="first", study="s")
    folder.make()
    folder.tell(config, "postgresql://me@host/db")
    settings = folder.read()
    assert (settings.config, settings.storage) == (config, "postgresql://me@host/db")


def test_a_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(TrainingError, match="holds other files"):
        TuneFolder(tmp_path).make()
    with pytest.raises(TrainingError, match="holds no tuning"):
        TuneFolder(tmp_path).read()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is not the configuration of a tuning"),
        ('{"micromri-tune": 9, "config": {}, "storage": null, "created": 0}', "later version"),
        ('{"micromri-tune": 1, "config": {"name": 3}, "storage": null, "created": 0}', "is damaged"),
    ],
)
def test_a_damaged_file_is_said(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "tune.json").write_text(content)
    with pytest.raises(TrainingError, match=words):
        TuneFolder(tmp_path).read()
