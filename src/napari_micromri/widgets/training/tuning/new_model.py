"""What the form for a new tuning decides, without Qt: what is still missing, where it goes, what it is told."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.config import parse_config
from napari_micromri.training.presets import PRESETS
from napari_micromri.tuning.config import TuneConfig, make_tune_config
from napari_micromri.widgets.training.settings import Setting, settings_of, to_content
from napari_micromri.widgets.training.tuning.space_rows import space_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.widgets.training.tuning.space_rows import SpaceRow

MOST_WORKERS = 64
AS_SET_UP = "as in Set up"
EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "sampler": {
        "tpe": "Learns from the trials before (TPE); a good choice",
        "random": "Random; for comparison",
        "gp": "Gaussian process; few parameters, few trials",
        "nsgaii": "Evolution; for several goals and many trials",
        "nsgaiii": "Evolution; for three goals or more",
        "qmc": "Spreads evenly, learns nothing",
    },
    "pruner": {
        "median": "End a trial that is worse than half of the other trials at the same epoch",
        "hyperband": "Give many trials few epochs, and few of them all",
        "percentile": "End a trial that isn't among the best quarter at the same epoch",
        "successive_halving": "Let the better half continue, again and again",
        "threshold": "End a trial beyond a limit, which its options give",
        "none": "Every trial runs to its end",
    },
}
"""What the choices mean."""


_TOLD = settings_of(TuneConfig, ("base.", "space."))
_EPOCHS = "Epochs of each trial. You can train the best trial at full length afterwards."
_WORKERS = f"How many trials are trained at once on this computer, each by its own process.\n1 to {MOST_WORKERS}"
OPTIONS: Mapping[str, Setting] = {
    "epochs": Setting("epochs", "Epochs", "number", _EPOCHS),
    "trials": _TOLD["trials"],
    "workers": Setting("workers", "Workers", "number", _WORKERS),
    "sampler": _TOLD["sampler"],
    "pruner": _TOLD["pruner"],
    "seed": _TOLD["seed"],
    "timeout_minutes": replace(_TOLD["timeout_minutes"], label="Minutes"),
}
"""What the form asks for besides study, settings, goals and search space."""

USUAL: Mapping[str, str] = {
    "epochs": "30",
    "trials": "24",
    "workers": "1",
    "sampler": "tpe",
    "pruner": "median",
    "seed": "0",
    "timeout_minutes": "none",
}


def presets() -> dict[str, TrainConfig]:
    """List the settings to begin with, by name; those of the first kind of model go without its name."""
    found = {}
    for number, family in enumerate(FAMILIES.values()):
        for name in family.presets:
            found[name if number == 0 else f"{family.label}: {name}"] = PRESETS[name].config
    return found


def tune_config(
    study: Path,
    folder: Path,
    base: TrainConfig,
    rows: Sequence[SpaceRow],
    objectives: Sequence[str],
    options: Mapping[str, str],
) -> TuneConfig:
    """Check all that was filled in; ``options`` are texts by the names of `OPTIONS`.

    Raises
    ------
    InputError
        Something makes no sense.
    """
    if not objectives:
        raise InputError("Tick at least one goal.")
    count_workers(options["workers"])
    told = to_content(options, OPTIONS)
    del told["workers"]
    base = parse_config(base.model_dump(mode="json") | {"epochs": told.pop("epochs")})
    return make_tune_config(
        name=folder.name, study=str(study), base=base, space=space_of(rows, base), objectives=objectives, **told
    )


def count_workers(text: str) -> int:
    """Read how many workers to start.

    Raises
    ------
    InputError
        It isn't a number from 1 to `MOST_WORKERS`.
    """
    if text.strip().isdecimal() and 0 < int(text) <= MOST_WORKERS:
        return int(text)
    raise InputError(f"Workers: write a number from 1 to {MOST_WORKERS}.")


def advice(objectives: Sequence[str], pruner: str, workers: int) -> str:
    """Say what the person may not expect of what was filled in."""
    if len(objectives) > 1 and pruner != "none":
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
    if not url.strip():
        return f"Give the address of the storage, {example}."
    try:
        user = urlsplit(url.strip()).username
    except ValueError:
        user, url = None, ""
    if not url.strip().partition("://")[1]:
        return f"That isn't the address of a storage. Write one, {example}."
    if password and not user:
        return f"A password needs the name of a user in the address, {example}."
    return None
