"""Judge models on a set of a study: figures per slice, tables over subjects, and a page that shows them."""

from __future__ import annotations

from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.rows import Evaluation

__all__ = ["Evaluation", "EvaluationOptions", "evaluate"]
