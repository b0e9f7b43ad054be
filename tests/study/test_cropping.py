"""Crops cover the same extent of both scans, whatever their matrix, and suggestions find the animal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_micromri.errors import InputError, StudyError
from napari_micromri.scan import ScanInfo
from napari_micromri.study.cropping import Box, animal, crop_in_mm, lr_box, snap, suggest_crop, whole
from napari_micromri.study.model import Crop, Marks, Pair, PairReport, StudyImage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

REPORT = PairReport(
    extent_difference=0, shift=(0, 0), shift_spread=0, correlation=1, intensity_ratio=1, lr_snr=9, hr_snr=30
)


def make_pair(
    lr: tuple[int, int], hr: tuple[int, int], slices: int = 3, *, origin: tuple[float, float] = (0, 0), **fields: object
) -> Pair:
    """Make a pair of 30 mm x 30 mm whose HR image begins at ``origin`` (outer edges)."""
    images = []
    for shape in (lr, hr):
        pixel = tuple(30 / n for n in shape)
        centre = tuple(o + p / 2 for o, p in zip(origin, pixel, strict=True))
        info = ScanInfo(name="scan", axes="zyx", voxel_size=(0.6, *pixel), origin=(0, *centre))
        images.append(StudyImage((slices, *shape), "float32", info))
    given_fields = {"marks": Marks(), **fields}
    return Pair(
        key="m/r/p",
        subject="m",
        region="r",
        plane="p",
        session=None,
        lr=images[0],
        hr=images[1],
        shift=(0, 0),
        report=REPORT,
        quality=(),
        sources={},
        digest="",
        **given_fields,
    )


USUAL = make_pair((150, 150), (300, 300))
ODD = make_pair((133, 133), (200, 200))


def test_snap_grows_to_even_pixels_at_a_factor_of_two() -> None:
    assert snap(USUAL, Crop(11, 100, 20, 31)) == Crop(10, 100, 20, 32)


def test_snap_keeps_to_multiples_of_three_at_a_factor_of_one_and_a_half() -> None:
    assert snap(make_pair((128, 128), (192, 192)), Crop(4, 8, 2, 3)) == Crop(3, 9, 0, 3)


def test_snap_of_three_dimensional_sizes_treats_each_axis_by_itself() -> None:
    pair = make_pair((100, 128), (300, 192), slices=17)
    assert pair.cells == (100, 64)
    crop = snap(pair, Crop(1, 4, 1, 4))
    assert crop == Crop(0, 6, 0, 6)
    assert lr_box(pair, crop) == Crop(0, 2, 0, 4)


def test_snap_in_mm_uses_voxel_size_and_origin_of_the_good_scan() -> None:
    pair = make_pair((150, 150), (300, 300), origin=(-15, 5))
    assert snap(pair, Box(-14, -10, 6, 7.15)) == Crop(10, 50, 10, 22)


def test_an_edge_in_mm_on_a_line_asks_for_no_further_cell() -> None:
    pair = make_pair((150, 150), (300, 300), origin=(0.1, 0.7))
    for crop in (Crop(2 * k, 2 * k + 6, 100, 102 + 2 * k) for k in range(60)):
        assert snap(pair, crop_in_mm(pair, crop)) == crop


def test_a_box_over_the_edge_is_cut_at_the_image() -> None:
    assert snap(USUAL, Box(-5, 10, 20, 99)) == Crop(0, 100, 200, 300)


@pytest.mark.parametrize("box", [Box(31, 40, 0, 30), Box(-9, -1, 0, 30), Box(0, 30, 30.001, 31)])
def test_a_box_beside_the_image_is_refused(box: Box) -> None:
    with pytest.raises(StudyError, match="m/r/p"):
        snap(USUAL, box)


def test_grids_without_a_common_line_leave_only_the_whole_image() -> None:
    with pytest.raises(StudyError, match=r"133 x 133.*200 x 200"):
        snap(ODD, Crop(10, 100, 10, 100))
    assert snap(ODD, Box(0, 30, 0, 30)) == whole(ODD) == snap(ODD, Box(-1, 31, -1, 31))


def test_grids_with_common_lines_along_one_axis_can_be_cropped_along_it() -> None:
    assert snap(make_pair((133, 100), (200, 200)), Crop(10, 20, 10, 20)) == Crop(0, 200, 10, 20)


@pytest.mark.parametrize("edges", [(0, 0, 1, 2), (2, 1, 0, 1), (0, float("nan"), 0, 1), (0, float("inf"), 0, 1)])
def test_a_box_without_height_or_width_is_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(StudyError, match=r"height.*width"):
        Box(*edges)


def test_lr_box_refuses_what_is_off_the_grid_or_passes_the_image() -> None:
    with pytest.raises(StudyError, match="common grid"):
        lr_box(USUAL, Crop(1, 11, 0, 10))
    with pytest.raises(StudyError, match="passes its image"):
        lr_box(USUAL, Crop(0, 302, 0, 10))


sizes = st.sampled_from(
    [(150, 300), (128, 192), (100, 300), (96, 96), (75, 200), (133, 200), (7, 21), (1, 5), (64, 80)]
)


@given(rows=sizes, columns=sizes, data=st.data())
def test_both_scans_show_the_same_extent(rows: tuple[int, int], columns: tuple[int, int], data: st.DataObject) -> None:
    pair = make_pair((rows[0], columns[0]), (rows[1], columns[1]), origin=(-3.3, 8.1))
    assume(pair.cells != (1, 1))
    box = Crop(*draw_span(data, rows[1]), *draw_span(data, columns[1]))
    crop = snap(pair, box)
    coarse = lr_box(pair, crop)
    assert crop.top <= box.top and crop.bottom >= box.bottom and crop.left <= box.left and crop.right >= box.right
    assert crop.bottom <= rows[1] and crop.right <= columns[1]
    for edges in ("top", "bottom"):
        assert getattr(crop, edges) * rows[0] == getattr(coarse, edges) * rows[1]
    for edges in ("left", "right"):
        assert getattr(crop, edges) * columns[0] == getattr(coarse, edges) * columns[1]
    assert snap(pair, crop) == crop
    assert snap(pair, crop_in_mm(pair, crop)) == crop


def draw_span(data: st.DataObject, count: int) -> tuple[int, int]:
    first = data.draw(st.integers(0, count - 1))
    return first, data.draw(st.integers(first + 1, count))


def test_a_crop_drawn_on_one_pair_covers_the_same_place_on_another_grid() -> None:
    other = make_pair((100, 100), (200, 200), origin=(-15, -15))
    drawn = Crop(100, 200, 60, 120)
    moved = crop_in_mm(make_pair((150, 150), (300, 300), origin=(-15, -15)), drawn)
    crop = snap(other, moved)
    box = crop_in_mm(other, crop)
    assert (box.top, box.left) <= (moved.top + 1e-6, moved.left + 1e-6)
    assert 0 <= box.bottom - moved.bottom < 0.3 and 0 <= moved.top - box.top < 0.3


def disc(
    shape: tuple[int, int] = (300, 300), centre: tuple[int, int] = (140, 160), radius: int = 60
) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside: NDArray[np.bool_] = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
    return inside


def noisy(signal: NDArray[np.float64], sigma: float, seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, sigma, (2, *signal.shape))
    return np.hypot(signal + noise[0], noise[1]).astype(np.float32)


def test_the_suggestion_is_the_animal_with_its_margin() -> None:
    volume = noisy(np.stack([100.0 * disc()] * 3), 5)
    crop = suggest_crop(USUAL, volume, margin=1.0)
    # The smoothing at a fifth of the signal reaches two or three pixels over the edge of a disc from 81 to 199.
    assert 66 <= crop.top <= 71 and 209 <= crop.bottom <= 214
    assert 86 <= crop.left <= 91 and 229 <= crop.right <= 234


@pytest.mark.parametrize("snr", [5, 8, 30])
def test_ghosts_noise_and_bright_spots_are_not_the_animal(snr: float) -> None:
    signal = 100.0 * disc() + 15.0 * disc(centre=(10, 160), radius=20)  # a ghost at the upper edge
    signal[290:292, 5:7] = 3000.0
    crop = suggest_crop(USUAL, noisy(np.stack([signal] * 3), 100 / snr), margin=0.5)
    assert crop.top > 60 and crop.bottom < 220 and crop.left > 80 and crop.right < 240


def test_excluded_slices_say_nothing_about_the_animal() -> None:
    elsewhere = np.stack([100.0 * disc(), 100.0 * disc(centre=(60, 60), radius=50), 100.0 * disc()])
    pair = make_pair((150, 150), (300, 300), marks=Marks(excluded={1: "motion"}))
    assert suggest_crop(pair, noisy(elsewhere, 3)).top > 60 > suggest_crop(USUAL, noisy(elsewhere, 3)).top


@pytest.mark.parametrize(
    "volume",
    [
        np.zeros((3, 300, 300), np.float32),
        np.full((3, 300, 300), 7.0, np.float32),
        np.full((3, 300, 300), np.nan, np.float32),
        noisy(np.zeros((3, 300, 300)), 10),
        noisy(np.full((3, 300, 300), 100.0), 10),
    ],
    ids=["zeros", "constant", "nan", "noise", "animal everywhere"],
)
def test_without_an_animal_or_a_background_the_suggestion_is_the_whole_image(volume: NDArray[np.float32]) -> None:
    assert suggest_crop(USUAL, volume) == whole(USUAL)


def test_a_suggestion_where_no_crop_is_possible_is_the_whole_image() -> None:
    volume = noisy(np.stack([100.0 * disc((200, 200), (100, 100), 30)] * 3), 3)
    assert suggest_crop(ODD, volume) == whole(ODD)


def test_suggestions_refuse_a_bad_margin_and_another_scan() -> None:
    with pytest.raises(InputError, match="margin"):
        suggest_crop(USUAL, np.zeros((3, 300, 300)), margin=-1)
    with pytest.raises(InputError, match="shape"):
        suggest_crop(USUAL, np.zeros((3, 150, 150)))


def test_all_slices_excluded_still_gives_a_suggestion() -> None:
    pair = make_pair((150, 150), (300, 300), marks=Marks(excluded=dict.fromkeys(range(3), "noise")))
    assert suggest_crop(pair, noisy(np.stack([100.0 * disc()] * 3), 3)).top > 60


@pytest.mark.parametrize(
    ("path", "axis"), [("t2w_mouse_trunk/mouse_trunk_T2w.nii.gz", 2), ("t2w_rat_head/rat_head_T2w.nii.gz", 1)]
)
def test_the_suggestion_never_cuts_a_real_animal(data_dir: Path, path: str, axis: int) -> None:
    import nibabel

    from napari_micromri.measure.image_quality import foreground

    scan = nibabel.nifti1.Nifti1Image.from_filename(data_dir / path).get_fdata(dtype=np.float32)
    volume = np.moveaxis(scan, axis, 0)
    pair = make_pair((128, 128), (256, 256), slices=len(volume))
    crop = suggest_crop(pair, volume, margin=0.5)
    masks = np.stack([foreground(image) for image in volume])
    energy = np.where(masks, volume.astype(np.float64) ** 2, 0)
    inside = energy[:, crop.top : crop.bottom, crop.left : crop.right]
    assert inside.sum() >= 0.99 * energy.sum()
    per_slice = inside.sum(axis=(1, 2)) / energy.sum(axis=(1, 2))
    assert per_slice.min() >= 0.95
    assert crop.shape[0] * crop.shape[1] < 256 * 256
    assert not animal(np.zeros_like(volume[:2])).any()
