"""Which trials are still to be done, so that none is lost and none done twice, whatever dies at whatever moment.

A tuning of N trials has N slots. Each holds one trial that waits, runs, or has counted (done or pruned); a slot whose
trial failed gets a new one. Waiting trials stand in the storage from the beginning, and Optuna gives each of them to
one worker only, so nothing has to be counted. Should two programs fill one slot at the same time, the older trial holds
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_micromri.tuning.parameters import as_stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from napari_micromri.tuning.storage import Tuning

SLOT, WORKER, REASON, RUN, RESUME, ATTEMPT = "slot", "worker", "reason", "run", "resume", "attempt"
TRIALS = "trials"
"""User attribute of the Optuna study: how many trials are wanted."""

ATTEMPTS = 3
"""So often the same settings are tried when workers die over them; then a slot gets others."""


def wanted(tuning: Tuning) -> int:
    """Tell how many finished trials are wanted."""
    return int(tuning.optuna.user_attrs.get(TRIALS, tuning.config.trials))


def all_trials(tuning: Tuning) -> list[FrozenTrial]:
    """Read the trials as they are now."""
    return tuning.optuna.get_trials(deepcopy=False)


def fill(tuning: Tuning) -> int:
    """Give every slot that holds no trial a new one; tells how many."""
    held = {trial.user_attrs.get(SLOT) for trial in all_trials(tuning) if _holds(trial)}
    missing = [slot for slot in range(wanted(tuning)) if slot not in held]
    for slot in missing:
        _add(tuning, {SLOT: slot})
    return len(missing)


def enqueue(tuning: Tuning, settings: Sequence[Mapping[str, Any]]) -> None:
    """Let the first slots try these values of parameters, in a tuning that has no trials yet."""
    if all_trials(tuning):
        return
    for slot, values in enumerate(settings[: wanted(tuning)]):
        stored = {name: as_stored(value) for name, value in values.items()}
        tuning.optuna.enqueue_trial(stored, user_attrs={SLOT: slot})


def finished(trials: Sequence[FrozenTrial], total: int) -> int:
    """Count the slots that are done with."""
    return len({t.user_attrs.get(SLOT) for t in trials if t.state.name in ("COMPLETE", "PRUNED")} & set(range(total)))


def take(tuning: Tuning, worker: str) -> FrozenTrial | None:
    """Take a waiting trial; None when there is none. No other worker gets it."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    total = wanted(tuning)
    for trial in tuning.optuna.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if trial.user_attrs.get(SLOT, 0) >= total:
            continue
        try:
            won = tuning.storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            continue
        if not won:
            continue
        if _is_superfluous(tuning, trial):
            fail(tuning, trial.number, "Superfluous: two programs added this trial at once.", again=False)
            continue
        note(tuning, trial, WORKER, worker)
        return trial
    return None


def note(tuning: Tuning, trial: FrozenTrial, key: str, value: Any) -> None:
    """Write something down beside a trial that isn't finished."""
    tuning.storage.set_trial_user_attr(trial._trial_id, key, value)


def fail(tuning: Tuning, number: int, reason: str, *, again: bool, counts: bool = True) -> bool:
    """Fail a trial and fill its slot anew; False when somebody else has finished it meanwhile.

    Parameters
    ----------
    again
        With the same settings, from where its run has got to; else with others.
    counts
        This was one of the attempts that such settings are granted.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    trial = _read(tuning, number)
    try:
        note(tuning, trial, REASON, reason)
        tuning.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return False
    if SLOT in trial.user_attrs:
        _replace(tuning, trial, again=again, counts=counts)
    return True


def _replace(tuning: Tuning, trial: FrozenTrial, *, again: bool, counts: bool) -> None:
    """Fill the slot of a failed trial, unless it is filled."""
    slot = trial.user_attrs[SLOT]
    if any(_holds(other) and other.user_attrs.get(SLOT) == slot for other in all_trials(tuning)):
        return
    attempt = int(trial.user_attrs.get(ATTEMPT, 1)) + int(counts)
    if not again or attempt > ATTEMPTS:
        _add(tuning, {SLOT: slot})
        return
    attributes = {SLOT: slot, ATTEMPT: attempt}
    if run := trial.user_attrs.get(RUN) or trial.user_attrs.get(RESUME):
        attributes[RESUME] = run
    _add(tuning, attributes, trial)


def _add(tuning: Tuning, attributes: Mapping[str, Any], like: FrozenTrial | None = None) -> None:
    """Add a waiting trial, with the parameters of another and the signs by which Optuna knows one tried again."""
    from optuna.trial import TrialState, create_trial

    system: dict[str, Any] = {}
    if like is not None:
        before = list(like.system_attrs.get("retry_history", []))
        system = {"failed_trial": like.number, **like.system_attrs, "retry_history": [*before, like.number]}
    waiting = create_trial(
        state=TrialState.WAITING,
        params=dict(like.params) if like is not None else {},
        distributions=dict(like.distributions) if like is not None else {},
        user_attrs=dict(attributes),
        system_attrs=system,
    )
    tuning.optuna.add_trial(waiting)


def _read(tuning: Tuning, number: int) -> FrozenTrial:
    return next(trial for trial in all_trials(tuning) if trial.number == number)


def _holds(trial: FrozenTrial) -> bool:
    return trial.state.name != "FAIL"


def _is_superfluous(tuning: Tuning, trial: FrozenTrial) -> bool:
    slot = trial.user_attrs.get(SLOT)
    return slot is not None and any(
        other.number < trial.number and _holds(other) and other.user_attrs.get(SLOT) == slot
        for other in all_trials(tuning)
    )
