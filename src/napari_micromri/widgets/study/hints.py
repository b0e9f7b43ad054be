"""What the dock says to do next; without Qt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Situation:
    """What the hint depends on. ``undecided`` counts suspicious slices."""

    has_study: bool = False
    pair_count: int = 0
    damaged: int = 0
    shows_pair: bool = False
    drawing: bool = False
    undecided: int = 0

    @property
    def hint(self) -> str:
        """Say what to click next."""
        if not self.has_study:
            return "Open a study, or make one with New study…"
        if self.pair_count == 0:
            return "This study contains no pairs yet. New study… adds some."
        if self.damaged:
            return f"{self.damaged} pairs can't be read. 'micromri study check' tells why."
        if not self.shows_pair:
            return "Double-click a pair under Pairs to show it."
        if self.drawing:
            return "Drag the sides of the yellow rectangle, then click Use this crop."
        if self.undecided:
            s = "s" * (self.undecided != 1)
            return f"S: next of {self.undecided} suspicious slice{s}. X: exclude or keep. V: LR on and off."
        return "X: exclude or keep. N, P: next, previous slice. V: LR on and off."
