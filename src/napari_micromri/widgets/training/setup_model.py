"""What the tab "Set up" decides, without Qt: what the study holds, what is still missing, where the run goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_micromri.runs.words import duration
from napari_micromri.training.config import parse_config
from napari_micromri.widgets.shared.splits import split_counts
from napari_micromri.widgets.training.settings import flatten, is_among, to_content
from napari_micromri.widgets.training.settings_words import BROUGHT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_micromri.nn.family import Family
    from napari_micromri.study.model import Set
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.forecast import Forecast
    from napari_micromri.widgets.training.settings import Setting
    from napari_micromri.widgets.training.start_chooser import Start

FEW_SLICES = 10
"""With fewer validation slices the curves are mostly chance."""


@dataclass(frozen=True)
class StudySummary:
    """What a study offers to a training: subjects and kept slices of each set."""

    path: Path
    counts: Mapping[Set, tuple[int, int]]
    damaged: int = 0

    @property
    def lines(self) -> str:
        """Say it, a set a line."""
        return "\n".join(
            f"{name}: {subjects} subject{'s' * (subjects != 1)}, {slices} slice{'s' * (slices != 1)}"
            for name, (subjects, slices) in self.counts.items()
        )

    @property
    def problem(self) -> str | None:
        """Why no model can be trained on it."""
        for name in ("train", "validation"):
            if self.counts[name][1] == 0:
                return (
                    f"The {name} set is empty. In the dock Study and slice curation, tab Split, "
                    f"put an animal into the {name} set."
                )
        return None

    @property
    def warning(self) -> str | None:
        """What makes its figures doubtful."""
        subjects, slices = self.counts["validation"]
        if self.problem is not None:
            return None
        if slices < FEW_SLICES:
            few = f"Only {slices} validation slice{'s' * (slices != 1)}"
            return f"{few}: the choice of the best epoch will be unreliable. Add an animal to validation."
        if subjects == 1:
            return "All validation slices are of one animal: the figures hold for that animal only."
        if self.damaged:
            return f"{self.damaged} damaged pair{'s' * (self.damaged != 1)} can't be used."
        return None


def look_at_study(path: Path) -> StudySummary:
    """Read what a study holds; made for a thread.

    Raises
    ------
    StudyError
        It is no study, or one that can't be read.
    """
    from napari_micromri.study.store import Study

    study = Study.open(path)
    return StudySummary(path, split_counts(study.pairs(), study.set_of), len(study.damaged))


@dataclass(frozen=True)
class StartState:
    """What the buttons and the hint depend on."""

    has_study: bool = False
    summary: StudySummary | None = None
    study_problem: str | None = None
    settings_problem: str | None = None
    folder_problem: str | None = None
    starting: bool = False
    estimating: bool = False

    @property
    def problem(self) -> str | None:
        """What must be put right first."""
        if not self.has_study:
            return "Choose a study. New ones are made in the dock Study and slice curation."
        if self.study_problem is not None:
            return self.study_problem
        if self.summary is None:
            return "Looking at the study…"
        return self.summary.problem or self.settings_problem

    @property
    def can_estimate(self) -> bool:
        """Whether a few steps can be tried."""
        return self.problem is None and not self.starting

    @property
    def can_start(self) -> bool:
        """Whether a training can begin."""
        return self.problem is None and self.folder_problem is None and not self.starting and not self.estimating

    @property
    def hint(self) -> str:
        """Say what to do next."""
        return self.problem or self.folder_problem or ("Starting…" if self.starting else "")


def preset_texts(config: TrainConfig, settings: Mapping[str, Setting]) -> dict[str, str]:
    """Write all settings of a preset as the fields show them."""
    texts = flatten(config.model_dump(mode="json"))
    return {key: texts[key] for key in settings}


def config_of(
    family: Family, texts: Mapping[str, str], settings: Mapping[str, Setting], start: Start | None
) -> TrainConfig:
    """Make the configuration that the fields describe; ``start`` is the model to start from.

    Raises
    ------
    InputError
        A value makes no sense.
    """
    brought = BROUGHT[start.kind] if start is not None else ()
    wanted = {key: text for key, text in texts.items() if not is_among(key, brought)}
    content: dict[str, Any] = to_content(wanted, settings)
    return parse_config(content | {"kind": family.kind, "init_from": start.model if start is not None else None})


def estimate_sentence(config: TrainConfig, found: Forecast) -> str:
    """Say how long a training would take and how much memory."""
    memory = f"{found.memory / 2**30:.1f} GB" if found.memory >= 2**30 else f"{found.memory / 2**20:.0f} MB"
    early = ", less if it stops early" if config.patience is not None else ""
    return (
        f"About {duration(found.seconds_per_epoch)} per epoch, {duration(config.epochs * found.seconds_per_epoch)} "
        f"for {config.epochs} epochs{early}; {memory} of memory for the network on {found.device}."
    )
