"""A tiny valid scan of every format, and ways to damage it: for the tests and for ``benchmarks/fuzz_formats.py``."""

from __future__ import annotations

import gzip
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

AFFINE = np.array([[0.08, -0.06, 0, 1], [0.06, 0.08, 0, 2], [0, 0, 0.5, -3], [0, 0, 0, 1]], float)
VALUES = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)


class Tiny(NamedTuple):
    """Files by their paths in a folder, the one that is opened, and the one that is damaged."""

    files: dict[str, bytes]
    opened: str
    damaged: str


def afni(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE, **more: Any) -> Path:
    """Write (i, j, k, volume) by AFNI's own description; ``IJK_TO_DICOM_REAL`` counts to left and posterior."""
    attributes: dict[str, Any] = {
        "DATASET_RANK": [3, values.shape[3]],
        "DATASET_DIMENSIONS": values.shape[:3],
        "BYTEORDER_STRING": "LSB_FIRST",
        "BRICK_TYPES": [1] * values.shape[3],
        "DELTA": [float(v) for v in np.linalg.norm(affine[:3, :3], axis=0)],
        "IJK_TO_DICOM_REAL": [float(v) for v in (np.diag([-1, -1, 1, 1]) @ affine)[:3].ravel()],
    }
    text = []
    for name, value in (attributes | more).items():
        if isinstance(value, str):
            text.append(f"type = string-attribute\nname = {name}\ncount = {len(value) + 1}\n'{value}~")
        else:
            kind = "float" if any(isinstance(v, float) for v in value) else "integer"
            words = " ".join(map(str, value))
            text.append(f"type = {kind}-attribute\nname = {name}\ncount = {len(value)}\n {words}")
    path.write_text("\n" + "\n\n".join(text) + "\n")
    path.with_suffix(".BRIK").write_bytes(values.astype("<i2").tobytes(order="F"))
    return path


class MincAxis(NamedTuple):
    """An axis of a MINC file: where it begins, how far it is from voxel to voxel, and along what."""

    start: float
    step: float
    direction: tuple[float, float, float]


MINC_AXES = {
    "xspace": MincAxis(-1.0, 0.1, (0.8, 0.6, 0.0)),
    "yspace": MincAxis(2.0, -0.2, (-0.6, 0.8, 0.0)),
    "zspace": MincAxis(3.0, 0.6, (0.0, 0.0, 1.0)),
    "time": MincAxis(0.0, 2.5, (0.0, 0.0, 0.0)),
}


def minc_1(path: Path, stored: np.ndarray, order: tuple[str, ...]) -> np.ndarray:
    """Write numbers along the axes ``order``; along the first one the scale changes. Gives the values."""
    from scipy.io import netcdf_file

    with netcdf_file(path, "w") as file:
        for name, count in zip(order, stored.shape, strict=True):
            file.createDimension(name, count)
            axis = file.createVariable(name, "i", ())
            axis.spacing, axis.step = b"regular__", MINC_AXES[name].step
            if name != "time":
                axis.start, axis.direction_cosines = MINC_AXES[name].start, MINC_AXES[name].direction
        image = file.createVariable("image", "h", order)
        image.signtype, image.valid_range = b"signed__", np.array([0, 1000.0])
        image[:] = stored
        for name, value in (("image-max", 50.0), ("image-min", 10.0)):
            limits = file.createVariable(name, "d", order[:1])
            limits[:] = value + np.arange(len(stored))
    return stored * 40 / 1000 + (10.0 + np.arange(len(stored))).reshape(-1, *[1] * (stored.ndim - 1))


def minc_2(
    path: Path, stored: np.ndarray, chunks: tuple[int, int, int] | None = None, written: set[int] | None = None
) -> np.ndarray:
    """Write numbers along z, y, x, or only some of the slices. Gives the values."""
    import h5py

    with h5py.File(path, "w") as file:
        for name in ("zspace", "yspace", "xspace"):
            start, step, direction = MINC_AXES[name]
            axis = file.create_dataset(f"minc-2.0/dimensions/{name}", data=0)
            axis.attrs.update({"start": start, "step": step, "direction_cosines": direction})
        group = file.create_group("minc-2.0/image/0")
        image = group.create_dataset("image", stored.shape, stored.dtype, chunks=chunks)
        for k in range(len(stored)) if written is None else written:
            image[k] = stored[k]
        group["image"].attrs.update({"dimorder": np.bytes_("zspace,yspace,xspace"), "valid_range": [0.0, 1000.0]})
        for name, value in (("image-max", 50.0), ("image-min", 10.0)):
            group[name] = np.full(len(stored), value)
            group[name].attrs["dimorder"] = np.bytes_("zspace")
    return stored * 40 / 1000 + 10


def metaimage(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE, *, compressed: bool = False) -> Path:
    """Write (i, j, k[, t]) with SimpleITK, whose coordinates count to left and posterior."""
    import SimpleITK as sitk

    left = np.diag([-1, -1, 1, 1]) @ affine
    size = np.linalg.norm(left[:3, :3], axis=0)
    image = sitk.GetImageFromArray(values.T, isVector=False)
    turn = np.eye(values.ndim)
    turn[:3, :3] = left[:3, :3] / size
    image.SetDirection(turn.ravel())
    image.SetSpacing([*size, *[1] * (values.ndim - 3)])
    image.SetOrigin([*left[:3, 3], *[0] * (values.ndim - 3)])
    sitk.WriteImage(image, str(path), compressed)
    return path


def parrec(folder: Path, name: str, **replaced: str) -> tuple[Path, np.ndarray]:
    """Write ``a.PAR`` by a header that comes with nibabel, and random voxels, (x, y, place in REC)."""
    import nibabel

    text = (Path(nibabel.__file__).parent / f"tests/data/{name}.PAR").read_text(encoding="latin-1")
    for old, new in replaced.items():
        text = text.replace(old, new)
    (folder / "a.PAR").write_text(text, encoding="latin-1")
    lines = [line.split() for line in text.splitlines()]
    lines = [line for line in lines if line and line[0].isdigit()]
    shape = (int(lines[0][9]), int(lines[0][10]), len(lines))
    images = np.random.default_rng(0).integers(0, 4000, shape).astype("<u2")
    (folder / "a.REC").write_bytes(images.tobytes(order="F"))
    return folder / "a.PAR", images


def _saved(name: str) -> Callable[[Path], object]:
    from napari_micromri.io import save_scan
    from napari_micromri.scan import Scan, ScanInfo

    info = ScanInfo(name="a", axes="zyx", voxel_size=(1, 1, 1))
    return lambda folder: save_scan(Scan(VALUES, info), folder / name)


def _paravision(folder: Path) -> None:
    from bruker_files import Reconstruction

    Reconstruction(VALUES.astype("i2"), version="360.3.5").write(folder / "study")


def _dicom(folder: Path) -> None:
    import pydicom
    from pydicom.dataset import FileMetaDataset

    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = pydicom.uid.MRImageStorage, "1.2.3"
    dataset.SeriesInstanceUID, dataset.Rows, dataset.Columns = "1.2", 6, 7
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation, dataset.PixelSpacing, dataset.SliceThickness = "MONOCHROME2", [0.1, 0.2], 0.6
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 0, -1], [0, 0, 0]
    dataset.PixelData = VALUES[0].tobytes()
    dataset.save_as(folder / "a.dcm", enforce_file_format=True)


def _tiff(folder: Path) -> None:
    import tifffile

    tifffile.imwrite(folder / "a.tif", VALUES, photometric="minisblack", compression="zlib")


def _nibabel(kind: str, name: str) -> Callable[[Path], object]:
    import nibabel

    return lambda folder: nibabel.save(getattr(nibabel, kind)(VALUES.T.astype("i2"), AFFINE), folder / name)


def _nrrd(name: str) -> Callable[[Path], object]:
    import nrrd

    placed = {"space": "LPS", "space directions": AFFINE[:3, :3].T, "space origin": AFFINE[:3, 3]}
    return lambda folder: nrrd.write(str(folder / name), VALUES.T, placed)


_MAKERS: dict[str, tuple[Callable[[], Callable[[Path], object]], str, str]] = {
    ".nii": (lambda: _saved("a.nii"), "a.nii", "a.nii"),
    ".nii.gz": (lambda: _saved("a.nii.gz"), "a.nii.gz", "a.nii.gz"),
    ".ome.zarr": (lambda: _saved("a.ome.zarr"), "a.ome.zarr", "a.ome.zarr/zarr.json"),
    "array of Zarr": (lambda: _saved("a.ome.zarr"), "a.ome.zarr", "a.ome.zarr/0/zarr.json"),
    "visu_pars": (lambda: _paravision, "study", "study/1/pdata/1/visu_pars"),
    "method": (lambda: _paravision, "study", "study/1/method"),
    "DICOM": (lambda: _dicom, "a.dcm", "a.dcm"),
    "TIFF": (lambda: _tiff, "a.tif", "a.tif"),
    "NIfTI pair": (lambda: _nibabel("Nifti1Pair", "a.hdr"), "a.hdr", "a.hdr"),
    "ANALYZE": (lambda: _nibabel("Spm99AnalyzeImage", "a.hdr"), "a.hdr", "a.hdr"),
    ".mat": (lambda: _nibabel("Spm99AnalyzeImage", "a.hdr"), "a.hdr", "a.mat"),
    ".mgh": (lambda: _nibabel("MGHImage", "a.mgh"), "a.mgh", "a.mgh"),
    ".mgz": (lambda: _nibabel("MGHImage", "a.mgz"), "a.mgz", "a.mgz"),
    "MINC 1": (
        lambda: lambda folder: minc_1(folder / "a.mnc", VALUES.astype(">i2"), ("zspace", "yspace", "xspace")),
        "a.mnc",
        "a.mnc",
    ),
    "MINC 2": (lambda: lambda folder: minc_2(folder / "a.mnc", VALUES), "a.mnc", "a.mnc"),
    "AFNI": (
        lambda: lambda folder: afni(folder / "a.HEAD", VALUES.T[..., None], BRICK_FLOAT_FACS=[0.5]),
        "a.HEAD",
        "a.HEAD",
    ),
    "PAR/REC": (lambda: lambda folder: parrec(folder, "T2"), "a.PAR", "a.PAR"),
    ".nrrd": (lambda: _nrrd("a.nrrd"), "a.nrrd", "a.nrrd"),
    ".nhdr": (lambda: _nrrd("a.nhdr"), "a.nhdr", "a.nhdr"),
    ".mha": (lambda: lambda folder: metaimage(folder / "a.mha", VALUES.T, compressed=True), "a.mha", "a.mha"),
    ".mhd": (lambda: lambda folder: metaimage(folder / "a.mhd", VALUES.T), "a.mhd", "a.mhd"),
}
KINDS = tuple(_MAKERS)


@cache
def healthy(kind: str) -> Tiny:
    """Make a valid scan of a kind."""
    maker, opened, damaged = _MAKERS[kind]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        maker()(folder)
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return Tiny(files, opened, damaged)


def damage(kind: str, rng: np.random.Generator) -> Tiny:
    """Change bytes of a header, in one of many ways; compressed files also below the compression."""
    tiny = healthy(kind)
    content = bytearray(tiny.files[tiny.damaged])
    compressed = tiny.damaged.endswith((".gz", ".mgz")) and bool(rng.integers(2))
    if compressed:
        content = bytearray(gzip.decompress(content))
    _change(content, rng)
    changed = gzip.compress(bytes(content)) if compressed else bytes(content)
    return tiny._replace(files=tiny.files | {tiny.damaged: changed})


def _change(content: bytearray, rng: np.random.Generator) -> None:
    voxels = (content.find(VALUES.astype(order).tobytes()[:40]) for order in ("<i2", ">i2"))
    reach = next((at for at in voxels if at > 0), min(len(content), 4000))
    at = int(rng.integers(reach))
    digits = [k for k, byte in enumerate(content[:reach]) if 48 <= byte < 58]
    way = rng.choice(["overwrite", "flip", "digit", "scramble", "cut", "remove", "insert"])
    if way == "overwrite":
        for _ in range(int(rng.integers(1, 7))):
            content[int(rng.integers(reach))] = int(rng.integers(256))
    elif way == "flip":
        content[at] ^= 1 << int(rng.integers(8))
    elif way == "digit" and digits:
        content[digits[int(rng.integers(len(digits)))]] = int(rng.choice(list(b"0123456789-e.n")))
    elif way == "scramble":
        piece = content[at : at + 40]
        content[at : at + 40] = bytes(rng.permutation(np.frombuffer(bytes(piece), np.uint8)))
    elif way == "cut":
        del content[int(rng.integers(len(content))) :]
    elif way == "remove":
        del content[at : at + int(rng.integers(1, 9))]
    else:
        content[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8))


def write(tiny: Tiny, folder: Path) -> Path:
    """Write all files of a scan, and give the path to open."""
    for name, content in tiny.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / tiny.opened
