"""How settings are chosen and trials given up: Optuna's samplers and pruners by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from napari_micromri.tuning.config import TuneConfig

T = TypeVar("T")

WARM_UP_EPOCHS = 5


def make_sampler(config: TuneConfig, number: int) -> BaseSampler:
    """Make the sampler of a trial: its random numbers follow from seed and number, whichever worker runs it.

    Raises
    ------
    InputError
        It has no such option, or not such a value.
    """
    from optuna import samplers

    kinds: dict[str, Callable[..., BaseSampler]] = {
        "tpe": samplers.TPESampler,
        "random": samplers.RandomSampler,
        "gp": samplers.GPSampler,
        "nsgaii": samplers.NSGAIISampler,
        "nsgaiii": samplers.NSGAIIISampler,
        "qmc": samplers.QMCSampler,
    }
    # One sequence for all trials; elsewhere equal seeds would let all workers begin with the same settings.
    own = config.seed if config.sampler == "qmc" else _seed_of(config.seed, number)
    return _make(kinds[config.sampler], f"sampler '{config.sampler}'", config.sampler_options, seed=own)


def make_pruner(config: TuneConfig) -> BasePruner:
    """Make the pruner; the one that does nothing where trials can't be compared.

    Raises
    ------
    InputError
        It has no such option, or not such a value.
    """
    from optuna import pruners

    kinds: dict[str, Callable[..., BasePruner]] = {
        "median": pruners.MedianPruner,
        "hyperband": pruners.HyperbandPruner,
        "percentile": pruners.PercentilePruner,
        "successive_halving": pruners.SuccessiveHalvingPruner,
        "threshold": pruners.ThresholdPruner,
    }
    epochs = config.base.epochs
    usual: dict[str, dict[str, Any]] = {
        "median": {"n_warmup_steps": min(WARM_UP_EPOCHS, epochs // 4)},
        "percentile": {"n_warmup_steps": min(WARM_UP_EPOCHS, epochs // 4), "percentile": 25.0},
        "hyperband": {"max_resource": epochs},
    }
    if not config.prunes:
        return pruners.NopPruner()
    options = usual.get(config.pruner, {}) | config.pruner_options
    return _make(kinds[config.pruner], f"pruner '{config.pruner}'", options)


def _make(kind: Callable[..., T], what: str, options: Mapping[str, Any], **fixed: Any) -> T:
    try:
        with quiet():  # some of Optuna's are called experimental
            return kind(**options, **fixed)
    except (TypeError, ValueError, ImportError) as error:
        reason = str(error).removeprefix(f"{getattr(kind, '__name__', '')}.__init__() ").rstrip(".")
        raise InputError(f"The {what} can't be made of its options: {reason}.") from error


def _seed_of(seed: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0] % 2**31)
