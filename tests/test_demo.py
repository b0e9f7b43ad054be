"""The demo: its pair, its table, its pictures, and the whole of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_micromri import demo
from napari_micromri.demo_pictures import Comparison, diverging, grey, write_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.scan import Scan


@pytest.fixture
def reference() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Three slices of a bright square on a dark ground."""
    image = np.full((3, 32, 32), 10, dtype=np.float32)
    image[:, 8:24, 8:24] = 100
    return image


def test_the_table_tells_a_darker_image(reference: np.ndarray) -> None:
    lines = demo.table([demo.Result("same", reference, 0.5), demo.Result("dark", 0.9 * reference, 2)], reference)
    _, same, dark = lines.splitlines()
    assert same.split() == ["same", "inf", "1.0000", "0.00", "0.50"]
    assert dark.split()[3:] == ["-10.00", "2.00"]


def test_baselines_lie_on_the_grid_of_the_reference(make_scan: Callable[..., Scan]) -> None:
    fast = make_scan((2, 16, 12))
    fine = fast.info.resampled({"y": 2, "x": 2})
    results = demo.baselines(demo.Pair(fast, replace(fast, data=np.zeros((2, 32, 24)), info=fine), ""))
    assert [result.name for result in results] == ["LR, nearest", "LR, sinc"]
    assert all(result.volume.shape == (2, 32, 24) for result in results)


def test_the_middle_of_a_pair(make_scan: Callable[..., Scan]) -> None:
    pair = demo.middle(demo.Pair(make_scan((9, 8, 8)), make_scan((9, 16, 16)), ""), 3)
    assert (pair.fast.shape, pair.reference.shape) == ((3, 8, 8), (3, 16, 16))
    np.testing.assert_array_equal(pair.fast.read(), make_scan((9, 8, 8)).read()[3:6])


def test_colours_name_sign_and_size() -> None:
    residual = np.array([[-2.0, -1.0, 0.0, 1.0]], dtype=np.float32)
    below, blue, white, red = diverging(residual, 1.0)[0].astype(int)
    assert (below == blue).all()
    assert tuple(white) == (255, 255, 255)
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert grey(np.array([[0.0, 5.0, 10.0, 99.0]], dtype=np.float32), 0, 10)[0, :, 0].tolist() == [0, 128, 255, 255]


def test_a_picture_has_five_panels(tmp_path: Path, reference: np.ndarray) -> None:
    comparison = Comparison("slice 1", 0.5 * reference[0], reference[0], reference[0])
    path = write_picture(comparison, tmp_path / "new" / "picture.png")
    picture = np.asarray(Image.open(path))
    assert picture.shape == (32 + 26, 5 * 32 + 4 * 8, 3)
    assert (picture[30:, -20:] == 255).all()  # nothing is left between the reference and its equal
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]


@pytest.mark.parametrize("real", [True, False])
def test_the_whole_demo(
    real: bool,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = request.getfixturevalue("data_dir") if real else tmp_path / "nowhere"
    monkeypatch.setenv("MICROMRI_DATA", str(folder))
    output = tmp_path / "out"
    assert demo.main(["--no-window", "--slices", "3", "--output", str(output)]) == 0
    text = capsys.readouterr().out
    figures = {name: float(psnr) for name, psnr in re.findall(r"^(\S.*?) {2,}(\d+\.\d+) ", text, flags=re.MULTILINE)}
    assert figures["unet-default"] > figures["LR, sinc"] + 1
    assert figures["unet-default"] > figures["LR, nearest"] + 1
    assert "docs/training.md" in text
    assert ("digital mouse" in text) is not real
    assert (output / "denoised.ome.zarr" / "zarr.json").is_file()
    assert len(list(output.glob("slice-*.png"))) >= 2


def test_a_demo_that_cannot_write_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_micromri.errors import WriteError

    def refuse(*_: object, **__: object) -> None:
        raise WriteError("The disk is full.")

    monkeypatch.setattr(demo, "run", refuse)
    assert demo.main(["--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "demo: The disk is full.\n"
