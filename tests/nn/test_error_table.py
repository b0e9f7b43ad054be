"""Widths of errors: read from a table, and part of a model's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError

from napari_micromri.errors import ModelError
from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.nn.error_table import ErrorTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def table(**changes: Any) -> ErrorTable:
    """Widths that grow with the noise alone: 0.02 at 0.01, 0.08 at 0.04."""
    content: dict[str, Any] = {
        "coverage": 0.9,
        "noise": (0.01, 0.04),
        "edge": (0.01, 1.0),
        "signal": (0.1,),
        "widths": [[[0.02], [0.02]], [[0.08], [0.08]]],
    }
    return ErrorTable.model_validate(content | changes)


@pytest.mark.parametrize(("sigma", "width"), [(0.01, 0.02), (0.02, 0.04), (0.04, 0.08), (0.4, 0.08), (0.0, 0.02)])
def test_between_its_places_the_table_is_read_on_logarithmic_scales(sigma: float, width: float) -> None:
    image = np.ones((16, 12), dtype=np.float32)
    assert_allclose(table().width(image, sigma, 1.0), width, rtol=1e-6)


def test_widths_follow_the_units_of_the_scan() -> None:
    image = np.random.default_rng(0).random((16, 12))
    assert_allclose(table().width(1e4 * image, 200.0, 1e4), 1e4 * table().width(image, 0.02, 1.0), rtol=1e-5)


def test_an_edge_has_the_width_of_edges() -> None:
    image = np.ones((32, 32))
    image[:, 16:] = 4
    found = table(widths=[[[0.01], [0.5]], [[0.01], [0.5]]]).width(image, 0.01, 1.0)
    assert_allclose(found[:, :8], 0.01, rtol=1e-6)
    assert_allclose(found[:, 15:17], 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": (0.04, 0.01)},
        {"noise": (0.0, 0.01)},
        {"widths": [[[0.02], [0.02]]]},
        {"widths": [[[0.02], [0.02]], [[0.08], [-0.08]]]},
        {"widths": [[[0.02], [0.02]], [[0.08], [float("nan")]]]},
        {"coverage": 1.0},
    ],
    ids=str,
)
def test_a_table_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        table(**changes)


@pytest.mark.parametrize("errors", [table(), None], ids=["with", "without"])
def test_the_table_is_part_of_the_model_s_file(model_file: Callable[..., Path], errors: ErrorTable | None) -> None:
    assert read_spec(model_file(errors=errors))[0].errors == errors


def test_a_file_with_a_damaged_table_names_it(model_file: Callable[..., Path]) -> None:
    path = model_file(errors=table())
    path.write_bytes(path.read_bytes().replace(b"[0.08]", b"[-0.8]"))
    with pytest.raises(ModelError, match="errors"):
        read_spec(path)
