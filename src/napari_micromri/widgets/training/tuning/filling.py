"""Fill in the tab "Set up" with the settings of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.nn.families import FAMILIES
from napari_micromri.widgets.training.new_folder import RUN
from napari_micromri.widgets.training.settings import flatten

if TYPE_CHECKING:
    from napari_micromri.widgets.training.setup_tab import SetupTab
    from napari_micromri.widgets.training.tuning.retraining import Retraining


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
