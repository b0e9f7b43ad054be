"""What a tuning is told: data, settings to start from, search space, objectives, and how to search."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_micromri.errors import InputError
from napari_micromri.training.config import TrainConfig
from napari_micromri.tuning.objectives import JUDGED, OBJECTIVES
from napari_micromri.tuning.space import SearchSpace, default_space, has_setting
from napari_micromri.words import what_is_wrong

Sampler: TypeAlias = Literal["tpe", "random", "gp", "nsgaii", "nsgaiii", "qmc"]
"""Those of Optuna's that need no more than the space, but for its CMA-ES, which keeps pickles in the storage."""

Pruner: TypeAlias = Literal["median", "hyperband", "percentile", "successive_halving", "threshold", "none"]
Direction: TypeAlias = Literal["minimize", "maximize"]
Option: TypeAlias = bool | int | float | str | None


def _known(objective: str) -> str:
    if objective not in OBJECTIVES:
        raise ValueError(f"choose among {', '.join(OBJECTIVES)}")
    return objective


class TuneConfig(BaseModel):
    """How a model is tuned.

    Objectives are `napari_micromri.tuning.objectives.OBJECTIVES`: figures of the validation animals at the best epoch,
    ``latency``, the seconds that the network takes for a validation slice on the worker's device, and ``parameters``,
    its number of weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=200, description="name of the tuning in its storage")
    study: str = Field(description="path of the study whose pairs are learned from")
    base: TrainConfig = Field(default=TrainConfig(), description="settings of what is not searched")
    space: SearchSpace = Field(default_factory=default_space, description="what is searched")
    objectives: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        default=("mse",), min_length=1, description="objectives to optimise; several give a Pareto front"
    )
    sampler: Sampler = Field(default="tpe", description="how settings are chosen")
    pruner: Pruner = Field(default="median", description="method that stops poor trials early; only with one objective")
    sampler_options: dict[str, Option] = Field(default={}, description="options of Optuna's sampler")
    pruner_options: dict[str, Option] = Field(default={}, description="options of Optuna's pruner")
    seed: int = Field(default=0, ge=0, lt=2**31, description="of the search: with one worker the same trials again")
    trials: int = Field(default=50, ge=1, le=100_000, description="number of finished trials, pruned ones included")
    timeout_minutes: float | None = Field(
        default=None, gt=0, description="time after which a worker begins no new trials"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("an objective is given twice")
        names = self.space.parameters
        unknown = [name for name in names if not has_setting(self.base.kind, name)]
        if unknown and "kind" not in names:
            raise ValueError(f"models of the kind {self.base.kind} have no setting '{unknown[0]}'")
        if "normalisation.kind" in self.space.parameters and "mse" in self.objectives:
            raise ValueError(
                "the MSE is in normalised units, so it can't compare normalisations; take 'ssim' as the objective"
            )
        return self

    @property
    def directions(self) -> tuple[Direction, ...]:
        """``minimize`` or ``maximize`` for each objective."""
        better = (OBJECTIVES[objective].better for objective in self.objectives)
        return tuple("minimize" if one == "lower" else "maximize" for one in better)

    @property
    def prunes(self) -> bool:
        """Whether trials are given up early: Optuna compares curves of one objective only, which must have one."""
        return self.pruner != "none" and len(self.objectives) == 1 and self._curves

    @property
    def curve(self) -> str:
        """The figure that trials report after each epoch: the first objective, if it is one of training."""
        return self.objectives[0] if self._curves else "mse"

    @property
    def _curves(self) -> bool:
        return OBJECTIVES[self.objectives[0]] in JUDGED


def make_tune_config(**content: Any) -> TuneConfig:
    """Check what a tuning is told.

    Raises
    ------
    InputError
        A value makes no sense.
    """
    try:
        return TuneConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"The tuning can't be set up: {f'{where}: ' if where else ''}{what_is_wrong(first)}."
        ) from error
