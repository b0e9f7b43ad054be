"""Fit a whole scan slice by slice into a folder of maps; work that was interrupted is continued."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri import __version__
from napari_micromri.errors import (
    CancelledError,
    InputError,
    MicroMRIError,
    OutputExistsError,
    WriteError,
    describe_os_error,
)
from napari_micromri.io.atomic import atomic_output, claimed
from napari_micromri.io.lazy import lazy_slices
from napari_micromri.io.saving import save_scan
from napari_micromri.ivim.b_values import check_b_values
from napari_micromri.ivim.fit import Flag
from napari_micromri.ivim.signal import PARAMETERS
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from napari_micromri.ivim.fit import Fit
    from napari_micromri.ivim.model import Model
    from napari_micromri.ivim.series import Series
    from napari_micromri.progress import Progress, ShouldStop

SUMMARY = "ivim.json"
ENDING = ".nii.gz"
MAP_FILES = {f"{name}{ENDING}" for name in (*PARAMETERS, *(f"{name}_sd" for name in PARAMETERS), "residual", "flags")}
"""Names of all files with maps that any method writes."""


@dataclass(frozen=True)
class Summary:
    """What was done; `FitRun.write` keeps it as ``ivim.json`` beside the maps.

    Parameters
    ----------
    files
        Map -> name of its file: the parameters, ``residual``, ``flags``, and ``D_sd`` ... where there are any.
    voxels
        Number of fitted voxels.
    flags
        Flag -> number of voxels that have it.
    median
        Map -> its median over the fitted voxels.
    """

    method: str
    scan: str
    files: dict[str, str]
    b_values: tuple[float, ...]
    sigma: float | None
    voxels: int
    flags: dict[str, int]
    median: dict[str, float]
    options: dict[str, Any]
    version: str = __version__


def fit_to_folder(
    series: Series,
    model: Model,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> Summary:
    """Fit a scan slice by slice, of any size, and write ``D.nii.gz``, ``f.nii.gz``, ``Dp.nii.gz``, ``S0.nii.gz``.

    Beside them stand ``residual`` and ``flags``, standard deviations as ``D_sd.nii.gz`` and so on where the method has
    them, and ``ivim.json``. Nothing is in ``folder`` before everything is done. Finished slices wait in a hidden folder
    beside it, from which the same call continues after an interruption.

    Parameters
    ----------
    model
        When it has learned nothing yet, it learns from some slices first.
    overwrite
        Replace maps that stand in the folder.

    Raises
    ------
    OutputExistsError, WriteError
        The folder holds maps already, or the operating system refused.
    InputError
        See `Model.fit`.
    CancelledError
        ``should_stop`` said so.
    """
    folder = Path(folder)
    _refuse_existing(folder, overwrite=overwrite)
    with claimed(folder):
        return _fit(series, model, folder, overwrite, progress, should_stop)


def _fit(
    series: Series, model: Model, folder: Path, overwrite: bool, progress: Progress, should_stop: ShouldStop
) -> Summary:
    # Checked before anything is made, since learning is what takes long.
    check_b_values(series.b_values, len(series.b_values), perfusion=model.name != "adc")
    filled = series.filled()
    signals, masks = series.sample()
    store = _Slices.beside(folder, _fingerprint(series, model, signals))
    try:
        _fit_missing(store, series, model, (signals, masks), progress, should_stop)
    except (MicroMRIError, KeyboardInterrupt):
        store.remove_unless_begun()
        raise
    del signals, masks
    summary = store.summary(series, model, filled)
    if not summary.voxels:
        shutil.rmtree(store.folder, ignore_errors=True)
        raise InputError("No voxel can be fitted: signals are missing, or not positive at the smallest b-value.")
    _publish(store, series, summary, folder, overwrite=overwrite)
    shutil.rmtree(store.folder, ignore_errors=True)
    return summary


def _fit_missing(
    store: _Slices,
    series: Series,
    model: Model,
    sample: tuple[NDArray[Any], NDArray[Any] | None],
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    filled = series.filled()
    missing = [k for k in filled if not store.path(k).exists()]
    progress(len(filled) - len(missing), len(filled))
    if missing:
        model = model.learn(sample[0], series.b_values, sample[1], should_stop=should_stop)
    for done, number in enumerate(missing, len(filled) - len(missing) + 1):
        if should_stop():
            raise CancelledError("The fit was stopped.")
        fit = model.fit(series.read(number), series.b_values, series.mask_of(number), should_stop=should_stop)
        store.keep(number, fit)
        progress(done, len(filled))


def _refuse_existing(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder} is a file. Name a folder for the maps.")
    if not overwrite:
        for name in (*PARAMETERS, "residual", "flags"):
            if (folder / f"{name}{ENDING}").exists():
                raise OutputExistsError(folder / f"{name}{ENDING}")


def _fingerprint(series: Series, model: Model, sample: NDArray[Any]) -> str:
    """Tell this work from any other: what is fitted, and how."""
    digest = hashlib.sha256(np.ascontiguousarray(sample).tobytes())
    if series.mask is not None:
        digest.update(np.packbits(series.mask).tobytes())
    described = [__version__, model.name, repr(model.options), getattr(model, "fingerprint", ""), series.b_values]
    digest.update(json.dumps([*described, series.scan.shape]).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Slices:
    """Finished slices in a hidden folder, one file each."""

    folder: Path

    @classmethod
    def beside(cls, target: Path, fingerprint: str) -> _Slices:
        """Find the slices of earlier, interrupted work of the same kind; those of other work are removed."""
        folder = target.absolute().with_name(f".{target.absolute().name}.ivim-partial")
        note = folder / "fingerprint.txt"
        try:
            if folder.exists() and not (note.is_file() and note.read_text() == fingerprint):
                shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            note.write_text(fingerprint)
        except OSError as error:
            raise WriteError(describe_os_error(error, folder)) from error
        return cls(folder)

    def remove_unless_begun(self) -> None:
        """Remove the folder if no slice is finished: there is nothing to continue."""
        if not any(self.folder.glob("*.npz")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, number: int) -> Path:
        """File of a slice."""
        return self.folder / f"{number:06d}.npz"

    def keep(self, number: int, fit: Fit) -> None:
        """Write a finished slice, whole or not at all."""
        deviations = {f"{name}_sd": sd for name, sd in fit.sd.items()}
        arrays: dict[str, Any] = {**fit.maps, **deviations, "residual": fit.residual, "flags": fit.flags}
        sigma = np.nan if fit.sigma is None else fit.sigma
        with atomic_output(self.path(number), overwrite=True, synced=False) as temporary, temporary.open("wb") as file:
            np.savez(file, sigma=sigma, b_values=fit.b_values, **arrays)

    def load(self, number: int) -> dict[str, NDArray[Any]]:
        """Read a finished slice."""
        with np.load(self.path(number), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def summary(self, series: Series, model: Model, filled: list[int]) -> Summary:
        """Count flags and take medians over all slices."""
        slices = [self.load(k) for k in filled]
        names = [name for name in slices[0] if name not in ("sigma", "b_values")]
        flags = np.concatenate([s["flags"].ravel() for s in slices])
        values = {n: np.concatenate([s[n][np.isfinite(s[n])] for s in slices]) for n in names if n != "flags"}
        sigma = float(slices[0]["sigma"])
        options = asdict(model.options)
        return Summary(
            method=model.name,
            scan=series.scan.info.source or series.scan.info.name,
            files={name: f"{name}{ENDING}" for name in names},
            b_values=tuple(slices[0]["b_values"].tolist()),
            sigma=None if np.isnan(sigma) else sigma,
            voxels=len(values["D"]),
            flags={str(f.name).lower(): int(np.count_nonzero(flags & np.uint8(f))) for f in Flag},
            median={n: float(np.median(v)) for n, v in values.items() if len(v)},
            options=options,
        )


def _publish(store: _Slices, series: Series, summary: Summary, folder: Path, *, overwrite: bool) -> None:
    """Write all maps, then move them to where they belong."""
    if folder.exists():
        stage = store.folder / "maps"
        shutil.rmtree(stage, ignore_errors=True)
        _write_maps(store, series, summary, stage)
        try:
            for file in sorted(stage.iterdir()):
                file.replace(folder / file.name)
        except OSError as error:
            raise WriteError(describe_os_error(error, folder)) from error
        return
    with atomic_output(folder, overwrite=overwrite) as temporary:
        _write_maps(store, series, summary, temporary)


def _write_maps(store: _Slices, series: Series, summary: Summary, folder: Path) -> None:
    folder.mkdir()
    step = {"method": summary.method, "b_values": list(summary.b_values), "sigma": summary.sigma}
    for name, file in summary.files.items():
        info = replace(series.map_info(name, step | {"version": __version__}))
        data = lazy_slices(_reader(store, name, series), series.grid, np.dtype("u1" if name == "flags" else "f4"))
        save_scan(Scan(data, info), folder / file)
    document = asdict(summary) | {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    (folder / SUMMARY).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _reader(store: _Slices, name: str, series: Series) -> Any:
    empty = np.full(series.grid[-2:], 0 if name == "flags" else np.nan)

    def read(index: tuple[int, ...]) -> NDArray[Any]:
        number = index[0] if index else 0
        return store.load(number)[name] if store.path(number).exists() else empty

    return read
