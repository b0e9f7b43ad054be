"""Paired studies: building, curation, crop, split, and reading them for training."""

from napari_micromri.study.history import History
from napari_micromri.study.model import (
    Assign,
    Crop,
    Exclude,
    Finding,
    Marks,
    Pair,
    PairReport,
    SetCrop,
    StudyImage,
)
from napari_micromri.study.reading import PairedSlice, PairedSlices
from napari_micromri.study.splitting import preset_report, random_split
from napari_micromri.study.store import Study

__all__ = [
    "Assign",
    "Crop",
    "Exclude",
    "Finding",
    "History",
    "Marks",
    "Pair",
    "PairReport",
    "PairedSlice",
    "PairedSlices",
    "SetCrop",
    "Study",
    "StudyImage",
    "preset_report",
    "random_split",
]
