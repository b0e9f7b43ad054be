"""What the form for a new tuning decides, without Qt: what is still missing, where it goes, what it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.tuning.config import TuneConfig
    from napari_micromri.widgets.training.tuning.space_rows import SpaceRow

TRIALS = 24
MOST_WORKERS = 64
AS_SET_UP = "as in Set up"
SAMPLERS: Mapping[str, str] = {
    "tpe": "learns from the trials before (TPE); a good choice",
    "random": "by chance; for comparison",
    "gp": "Gaussian process; few parameters, few trials",
    "cmaes": "evolution of numbers only",
    "nsgaii": "evolution; for several goals and many trials",
    "nsgaiii": "evolution; for three goals or more",
    "qmc": "spreads evenly, learns nothing",
}
PRUNERS: Mapping[str, str] = {
    "median": "end a trial that is worse than half of the other trials at the same epoch",
    "hyperband": "give many trials few epochs, and few of them all",
    "percentile": "end a trial that isn't among the best quarter at the same epoch",
    "successive_halving": "let the better half continue, again and again",
    "threshold": "end a trial beyond a limit, which its options give",
    "none": "every trial runs to its end",
}


@dataclass(frozen=True)
class Wish:
    """What the person filled in; numbers that can't be wrong are numbers."""

    study: Path
    base: TrainConfig
    epochs: int
    rows: Sequence[SpaceRow]
    objectives: Sequence[str]
    trials: int
    sampler: str
    pruner: str
    seed: int
    timeout_minutes: int
    folder: Path


def presets() -> dict[str, TrainConfig]:
    """List the settings to begin with, by name; those of the first kind of model go without its name."""
    found = {}
    for number, family in enumerate(FAMILIES.values()):
        for name in family.presets:
            found[name if number == 0 else f"{family.label}: {name}"] = PRESETS[name].config
    return found


def tune_config(wish: Wish) -> TuneConfig:
    """Check all that was filled in.

    Raises
    ------
    InputError
        Something makes no sense.
    """
    from napari_micromri.tuning.config import make_tune_config
    from napari_micromri.widgets.training.tuning.space_rows import space_of

    if not wish.objectives:
        raise InputError("Tick at least one goal.")
    base = wish.base.model_copy(update={"epochs": wish.epochs})
    return make_tune_config(
        name=wish.folder.name,
        study=str(wish.study),
        base=base,
        space=space_of(wish.rows, base),
        objectives=tuple(wish.objectives),
        sampler=wish.sampler,
        pruner=wish.pruner,
        seed=wish.seed,
        trials=wish.trials,
        timeout_minutes=wish.timeout_minutes or None,
    )


def advice(wish: Wish, workers: int) -> str:
    """Say what the person may not expect of what was filled in."""
    if len(wish.objectives) > 1 and wish.pruner != "none":
        return "With several goals every trial runs to its end, and there are several best ones (a Pareto front)."
    if workers > (os.cpu_count() or 1):
        return f"This computer has {os.cpu_count()} processor cores; more workers than that gain nothing."
    return ""


def split_password(url: str) -> tuple[str, str]:
    """Take the password out of a URL: gives the URL without it, and the password."""
    try:
        parts = urlsplit(url.strip())
        password = parts.password
    except ValueError:
        return url.strip(), ""
    if password is None:
        return url.strip(), ""
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}"
    return urlunsplit(parts._replace(netloc=netloc)), unquote(password)


def with_password(url: str, password: str) -> str:
    """Put a password into the URL of a storage."""
    parts = urlsplit(url.strip())
    user, at, host = parts.netloc.rpartition("@")
    if not password or not at:
        return url.strip()
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def storage_problem(url: str, password: str) -> str | None:
    """Say what is wrong with the address of a storage; whether it answers is found out at the start."""
    example = "for example postgresql://anna@server/tuning"
    try:
        parts = urlsplit(url.strip())
        user = parts.username
    except ValueError:
        return f"'{url}' is no address of a storage. Write one, {example}."
    if not url.strip():
        return f"Give the address of the storage, {example}."
    if not parts.scheme or "://" not in url:
        return f"'{url}' is no address of a storage. Write one, {example}."
    if password and not user:
        return f"A password needs the name of a user in the address, {example}."
    return None
