"""What the page shows: the report's figures 13-26 and tables 3-6 in its order, its published figures beside ours."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from figures import Denoisers, draw_losses, draw_slices, draw_trials, figures_of
from findings import Measured, findings
from page import Page, in_words

from napari_micromri.study import Study
from napari_micromri.training.run import read_run
from napari_micromri.tuning.reading import read_tuning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from figures import Regions, Shown

    Row = dict[str, str]

PLANES = ("coronal", "sagittal", "transaxial")
IMAGES = ("LR", "DL", "HR")
MODELS = {
    "LR nearest": "fast scan, nearest",
    "LR sinc": "fast scan, sinc",
    "first": "first run",
    "tuned": "UNet after tuning",
    "simplified": "simplified APDDM",
    "apddm": "full APDDM, one step",
}


def write_page(home: Path, about: str) -> None:
    """Draw and write what the steps have left in a folder."""
    study, page = Study.open(home / "mice.mri.zarr"), Page(home)
    published = list(csv.DictReader((Path(__file__).parent / "published.csv").open(encoding="utf-8")))
    page.title("The report, reproduced on a made-up colony", 1)
    page.say(f"Size of this run: {about}. Networks trained for such a short time don't reach what they can do.")
    page.say(
        "The report's scans are not public. These are digital mice: their upper and lower halves stand for its two "
        "regions, and their fast scans are simulated. The report's figures are beside ours to compare how they behave, "
        "not how large they are. Mouse, region, plane and place of each slice are those of the report."
    )
    with Denoisers(home, study) as models:
        preparation(page, study)
        first_results(page, models)
        tuning(page, models)
        methods = diffusion(page, models)
        lego = looks(page, models)
        slices = [models.slice("tuned", *place(row)) for row in published]
        regions = [models.regions("tuned", *place(row)) for row in published]
        quality_table(page, published, slices)
        contrast_tables(page, published, slices, regions)
    page.title("Do the report's findings hold here?")
    heads, rows = (
        ("finding of the report", "here", "measured"),
        list(findings(Measured(methods, slices, regions, lego))),
    )
    page.table(heads, rows)
    page.write()
    lines = [f"Size of this run: {about}.\n", *(f"| {' | '.join(row)} |" for row in (heads, ("---",) * 3, *rows))]
    (home / "findings.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def preparation(page: Page, study: Study) -> None:
    """Section 3 and table 2: bad slices and sets."""
    planted = json.loads((page.folder / "scans/planted.json").read_text())
    bad = {(key, int(index)) for key, found in planted.items() for index in found}
    excluded = {(pair.key, index) for pair in study.pairs() for index in pair.marks.excluded}
    total = sum(pair.slice_count for pair in study.pairs())
    page.title("Bad slices, crops and sets (sections 3.1 and 3.2, table 2)")
    page.say(
        f"{len(study.pairs())} pairs with {total} slices. Of {len(bad)} slices that were degraded on purpose, "
        f"{len(bad & excluded)} were suggested and excluded, and {len(excluded - bad)} good ones with them. The report "
        "excluded 111 of 900 by eye. Every pair is cropped to the animal, as suggested."
    )
    sets = {name: [s for s in study.subjects if study.set_of(s) == name] for name in ("train", "validation", "test")}
    page.table(("set", "mice"), [(name, ", ".join(mice)) for name, mice in sets.items()])


def first_results(page: Page, models: Denoisers) -> None:
    """Figures 13 to 16."""
    path = page.folder / "runs/first"
    run = read_run(path)
    page.title("First results (section 6.1)")
    draw_losses(page.figure(13, "Loss by epoch of the first run."), path)
    if (best := run.best) is not None:
        page.say(
            f"Best epoch {best.epoch} of {len(run.epochs)}: training {best.train_loss:.3f}, validation "
            f"{best.validation.mse:.3f}, fast scan {best.baseline.mse:.3f}. Report: epoch 11 of 200, 0.481 and 0.426. "
            "The values can't be compared: a loss depends on the scans."
        )
    training_mouse(page, models, 14, "first")


def training_mouse(page: Page, models: Denoisers, first: int, run: str) -> None:
    """Draw the three planes of a training mouse's abdomen."""
    for number, plane in enumerate(PLANES, first):
        shown = models.slice(run, 1, "thorax-abdomen", plane, 15)
        draw_slices(page.figure(number, f"{title(run)}, training mouse: {shown.title}."), shown)


def tuning(page: Page, models: Denoisers) -> None:
    """Figures 17 to 20."""
    state = read_tuning(page.folder / "tuning")
    page.title("Tuning (sections 6.2 and 6.3)")
    draw_trials(page.figure(17, "Validation MSE by trial."), page.folder / "tuning")
    for row in state.best_rows:
        found = ", ".join(
            f"{name.removeprefix('network.')} {in_words(value)}" for name, value in row.parameters.items()
        )
        page.say(
            f"Best of {state.finished} trials: number {row.number}, MSE {(row.values or [0])[0]:.4f}, with {found}."
        )
    page.say(
        "Report: MSE 0.03034 with 128, 128 and 64 filters, conv_strided, bilinear, no residual, adam, learning rate "
        "0.0003139 and step. Its loss of 0.426 before tuning and 0.030 after can't be in the same unit."
    )
    training_mouse(page, models, 18, "tuned")


def diffusion(page: Page, models: Denoisers) -> dict[str, dict[str, float]]:
    """Figures 21 and 22, and the means of all models over the test mice, which are returned."""
    page.title("APDDM (section 6.4)")
    for number, run in enumerate(("simplified", "tuned"), 21):
        shown = models.slice(run, 16, "head-thorax", "coronal", 15)
        draw_slices(page.figure(number, f"{title(run)}, test mouse: {shown.title}."), shown)
    page.say(
        "The report shows pictures, and trained the simplified APDDM only. Means over all kept slices of the test mice:"
    )
    methods = by_method(page.folder / "evaluation/evaluation.csv")
    columns = {"mse": "MSE", "psnr_db": "PSNR in dB", "ssim": "SSIM", "bias": "bias in %"}
    columns |= {"power_ratio": "detail", "ring_correlation": "true detail"}
    scale = {"bias": 100.0}
    rows = [(name, *(scale.get(c, 1.0) * methods[key][c] for c in columns)) for key, name in MODELS.items()]
    page.table(("method", *columns.values()), rows)
    return methods


def looks(page: Page, models: Denoisers) -> list[Shown]:
    """Figures 23 to 26; gives the slices of the LEGO phantom."""
    page.title("Visual comparison and LEGO phantom (sections 6.5.1 and 6.5.4)")
    for number, (mouse, where) in enumerate(((1, 6), (6, 10), (10, 11)), 23):
        shown = models.slice("tuned", mouse, "thorax-abdomen", "sagittal", where)
        draw_slices(page.figure(number, f"Sagittal view: {shown.title}."), shown)
    lego = models.lego("tuned")
    draw_slices(page.figure(26, f"{lego[2].title}, which no model was trained on."), lego[2])
    return lego


def quality_table(page: Page, published: Sequence[Row], slices: Sequence[Shown]) -> None:
    """Table 3."""
    page.title("Table 3: MSE and SSIM")
    page.say(
        "Our MSE is that of images divided by the mean of LR. The report doesn't give the unit of its MSE, so the two "
        "can't be compared. SSIM has no unit, but depends on the scans."
    )
    rows = [
        (shown.title, row["mse"], shown.dl_quality.mse, shown.lr_quality.mse, row["ssim"], shown.dl_quality.ssim)
        for row, shown in zip(published, slices, strict=True)
    ]
    page.table(("slice", "MSE, report", "MSE, DL", "MSE, LR", "SSIM, report", "SSIM, DL"), rows)


def contrast_tables(page: Page, published: Sequence[Row], slices: Sequence[Shown], regions: Sequence[Regions]) -> None:
    """Tables 4, 5 and 6."""
    for number, (what, column, which) in enumerate((("CNR", "cnr", 0), ("normalised SD", "sd", 1)), 4):
        page.title(f"Table {number}: {what}")
        page.say(
            "The ROI is the brightest square of 1.6 mm in HR, the background the darkest. The report "
            "drew boxes by hand and doesn't say where. Compare the order of LR, DL and HR, not values and signs."
        )
        rows = [
            (
                shown.title,
                *(row[f"{column}_{name.lower()}"] for name in IMAGES),
                *(figures_of(stats[name])[which] for name in IMAGES),
            )
            for row, shown, stats in zip(published, slices, regions, strict=True)
        ]
        page.table(("slice", *(f"{name}, report" for name in IMAGES), *IMAGES), rows)
    page.title("Table 6: means and standard deviations")
    page.say("In scanner units. Those of the report belong to scans that are not public, and can't be compared.")
    rows = [
        (shown.title, *(x for name in IMAGES for x in (stats[name][0].mean, stats[name][1].mean, stats[name][1].sd)))
        for shown, stats in zip(slices, regions, strict=True)
    ]
    heads = [f"{name} {what}" for name in IMAGES for what in ("ROI mean", "background mean", "background SD")]
    page.table(("slice", *heads), rows)


def title(run: str) -> str:
    """Name a model at the beginning of a sentence."""
    return MODELS[run][0].upper() + MODELS[run][1:]


def place(row: Row) -> tuple[int, str, str, int]:
    """Tell where one of the report's slices lies."""
    return int(row["mouse"]), row["region"], row["plane"], int(row["slice"])


def by_method(table: Path) -> dict[str, dict[str, float]]:
    """Average the columns of an evaluation by method."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            for column in ("mse", "psnr_db", "ssim", "bias", "power_ratio", "ring_correlation"):
                values[row["method"]][column].append(float(row[column] or "nan"))
    return {name: {column: fmean(found) for column, found in columns.items()} for name, columns in values.items()}
