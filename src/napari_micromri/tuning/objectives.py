"""What a tuning can make good: figures of validation, and what a network costs."""

from __future__ import annotations

from napari_micromri.training.figures import FIGURES, Figure

JUDGED = tuple(figure for figure in FIGURES if figure.goal)
"""Those of training, which has a value of them after each epoch."""

COSTS = (
    Figure(
        *("latency", "Time per slice", "Time", "lower"),
        logarithmic=True,
        goal="A network that denoises quickly on this computer.",
    ),
    Figure("parameters", "Weights", "Size", "lower", logarithmic=True, goal="A small network."),
)
OBJECTIVES = {objective.name: objective for objective in (*JUDGED, *COSTS)}


def at_length(name: str) -> str:
    """Name an objective for people; those of before that are gone go by their names."""
    if name not in OBJECTIVES:
        return name
    objective = OBJECTIVES[name]
    return f"Validation {objective.head}" if objective in JUDGED else objective.label
