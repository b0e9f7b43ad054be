"""Hand the settings of a trial to the tab "Set up"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.config import TrainConfig
from napari_micromri.widgets.training.new_folder import RUN
from napari_micromri.widgets.training.settings import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.state import TrialRow, TuneState
    from napari_micromri.widgets.training.setup_tab import SetupTab

OF_THE_COMPUTER = ("device", "precision", "devices", "nodes", "threads", "workers")
"""Workers share a computer; a training alone has it for itself."""


@dataclass(frozen=True)
class Retraining:
    """A training to set up: on which study, with which settings, and what it is called."""

    study: Path
    settings: Mapping[str, Any]
    title: str


def retraining(state: TuneState, row: TrialRow) -> Retraining | None:
    """Take a trial's settings, for as many epochs as an ordinary training has; None where they aren't known.

    Early stopping ends it before, when nothing gets better.
    """
    from napari_micromri.tuning.report.settings_file import settings_of

    tried = settings_of(state, row)
    if state.config is None or tried is None:
        return None
    base = state.config.base.model_dump(mode="json")
    own = {key: base[key] for key in OF_THE_COMPUTER if key in base}
    epochs = max(int(tried.get("epochs", 1)), TrainConfig().epochs)
    settings = dict(tried) | own | {"name": "", "epochs": epochs}
    return Retraining(Path(state.config.study), settings, f"trial {row.number} of the tuning {state.name}")


def fill_set_up(setup: SetupTab, wanted: Retraining) -> None:
    """Choose the study and show the settings, so that a click on Start trains them."""
    form = setup.form
    kinds = list(FAMILIES)
    kind = wanted.settings.get("kind", kinds[0])
    form.family.setCurrentIndex(kinds.index(kind) if kind in kinds else 0)
    init_from = wanted.settings.get("init_from")
    setup.start_from.choose(None)
    if init_from is not None:
        setup.start_from.use_file(Path(init_from), setup.family)
    texts = flatten(wanted.settings)
    setup.fields.set_texts({key: text for key, text in texts.items() if key in setup.settings})
    form.preset_about.setText(f"Filled in: the settings of {wanted.title}.")
    setup.studies.use(wanted.study)
    form.folder.setText(str(RUN.propose(wanted.study, "tuned")))
