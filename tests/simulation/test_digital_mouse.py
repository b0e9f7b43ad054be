"""The digital mouse: one animal per seed, with the anatomy and contrast that one expects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_micromri.errors import InputError
from napari_micromri.simulation.digital_mouse import Mouse, digital_mouse_slice, digital_mouse_volume, draw
from napari_micromri.simulation.shapes import Slice
from napari_micromri.simulation.tissues import make_tissues


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return digital_mouse_volume(0)


def test_the_volume_is_an_image_in_range(volume: np.ndarray) -> None:
    assert volume.shape == (30, 300, 300)
    assert volume.dtype == np.float32
    assert volume.min() == 0
    assert 0.5 < volume.max() <= 1


def test_the_body_fits_between_the_sides_and_has_the_size_of_a_mouse(volume: np.ndarray) -> None:
    assert volume[:, :, :5].max() == volume[:, :, -5:].max() == 0
    # At half depth the trunk is some 2 to 2.8 cm wide, from the head's end of the image to the tail's.
    widths = (volume[15] > 0).sum(axis=1) * 0.1
    assert 18 < widths.min() < widths.max() < 28


def test_a_seed_is_an_animal() -> None:
    one, same, other = (Mouse.born(np.random.default_rng(seed)) for seed in (1, 1, 2))
    where = Slice.through("coronal", 1.0, (100, 100), 0.3)
    images = [draw(m, where, np.random.default_rng(0)) for m in (one, same, other)]
    np.testing.assert_array_equal(images[0], images[1])
    assert np.abs(images[0] - images[2]).mean() > 0.02


def test_tissues_have_the_order_of_a_t2_weighted_scan() -> None:
    signal = {name: tissue.signal for name, tissue in make_tissues(np.random.default_rng(0)).items()}
    order = ("air", "lung", "muscle", "cortex", "medulla", "urine")
    assert sorted(order, key=signal.__getitem__) == list(order)
    assert signal["bone"] < signal["marrow"] < signal["fat"]


def test_lungs_are_dark_and_the_belly_is_not(volume: np.ndarray) -> None:
    chest, belly = volume[13:17, 40:60, 80:110], volume[13:17, 200:280, 80:220]
    assert np.median(chest) < 0.05
    assert np.median(belly) > 0.15


def test_the_spine_has_vertebrae_at_regular_distances(volume: np.ndarray) -> None:
    """Marrow, end plate, disc, end plate, marrow: the column repeats itself after the pitch of a mouse's spine."""
    columns = volume[5:10, :, 146:154].mean(axis=2)
    columns -= ndimage.uniform_filter1d(columns, 41, axis=1)
    repeats = [np.correlate(c, c, "full")[299 + 15 : 299 + 45] / (c @ c) for c in columns]
    best = max(repeats, key=np.max)
    assert best.max() > 0.5
    assert 24 <= 15 + int(np.argmax(best)) <= 30


def test_edges_are_soft_by_about_a_pixel(volume: np.ndarray) -> None:
    """A pixel on the outline is partly covered: among the skin's pixels there are values between air and skin."""
    rows = volume[15, 100:200]
    first = (rows > 0).argmax(axis=1)
    outermost = rows[np.arange(100), first]
    skin = np.median(rows[np.arange(100), first + 2])
    assert ((outermost > 0.1 * skin) & (outermost < 0.9 * skin)).mean() > 0.3


@pytest.mark.parametrize("plane", ["transaxial", "sagittal"])
def test_planes_show_the_same_animal(volume: np.ndarray, plane: str) -> None:
    """Where two planes of one animal cross they show the same anatomy, up to the fine texture."""
    other = digital_mouse_volume(0, plane)
    positions = np.round((np.arange(30) - 14.5) * 6 + 149.5).astype(int)
    if plane == "transaxial":
        along, crossing = volume[:, positions, :], other[:, positions, :].swapaxes(0, 1)
    else:
        along, crossing = volume[:, :, positions], other.transpose(2, 1, 0)[positions]
    blurred = [ndimage.uniform_filter(v, (1, 1, 9) if plane == "transaxial" else (1, 9, 1)) for v in (along, crossing)]
    assert np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1] > 0.95


def test_an_unknown_plane_is_refused() -> None:
    with pytest.raises(InputError, match="coronal, transaxial, sagittal, not 'oblique'"):
        digital_mouse_volume(0, plane="oblique")


def test_random_slices_vary_and_keep_their_range() -> None:
    rng = np.random.default_rng(3)
    images = [digital_mouse_slice(rng, size) for size in (64, 96, 96, 97)]
    assert [i.shape for i in images] == [(64, 64), (96, 96), (96, 96), (97, 97)]
    assert all(i.dtype == np.float32 and i.min() >= 0 and 0.2 < i.max() <= 1.2 for i in images)
    assert np.abs(images[1] - images[2]).mean() > 0.02
