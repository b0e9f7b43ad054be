"""Build the study of a whole lab from its own folders: 144 pairs of DICOM slices in two trees that mirror each other.

The layout is that of the report:
`{HIGH RES,LOW RES}/{HEAD-THORAX,THORAX-ABDOMEN}/Mouse01/{Coronal,Sagittal,Transax}/`, with a DICOM file per slice as
ParaVision exports them, the same names on both sides, and a `BLACKLIST.json`. Animals are digital mice; three are
drawn, and moved and scaled for the others, since drawing takes longer than all the rest. Built and marked by the
command line, each command in a process of its own. Run it with

    python benchmarks/lab_folders.py [--mice 24] [--anonymous] [--keep FOLDER]

It ends with 1 when a pair is wrong, a listed slice isn't excluded, or a limit is missed: 180 s and 300 MB for 144
pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.simulation.digital_mouse import digital_mouse_volume
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGIONS = {"HEAD-THORAX": "H", "THORAX-ABDOMEN": "T"}
PLANES = {"Coronal": "coronal", "Sagittal": "sagittal", "Transax": "transaxial"}
ALONG = {
    "Coronal": [1, 0, 0, 0, 0, -1],
    "Sagittal": [0, 1, 0, 0, 0, -1],
    "Transax": [1, 0, 0, 0, 1, 0],
}
DRAWN, LISTED = 3, 200
SECONDS, MEGABYTES = 180, 300


def main() -> int:
    """Make the folders, build the study, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mice", type=int, default=24)
    parser.add_argument("--anonymous", action="store_true", help="headers say neither whose scan it is nor its plane")
    parser.add_argument("--keep", type=Path, help="make the folders here, and leave them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        listed = make_folders(folder, options.mice, anonymous=options.anonymous)
        study = Path(temporary, "mice.mri.zarr")
        building = run("study", "build", str(folder), str(study))
        marking = run("study", "import-marks", str(study), str(folder / "BLACKLIST.json"))
        figures = {"pairs": 6 * options.mice, "built": building, "marked": marking} | check(study, folder, listed)
    print(json.dumps(figures, indent=2))
    right = figures["pairs"] == figures["right_pairs"] and figures["excluded"] == figures["listed"]
    part = figures["pairs"] / 144
    within = building["seconds"] <= SECONDS * part and building["peak_mb"] <= MEGABYTES
    return 0 if right and within else 1


def run(*command: str) -> dict[str, float]:
    """Run a command of the program and give how long it took, by the clock and of a CPU, and its largest memory."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "napari_micromri.cli", *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"micromri {' '.join(command[:2])} ended with {process.returncode}.")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
    }


def check(path: Path, folder: Path, listed: set[tuple[str, int]]) -> dict[str, int]:
    """Count the pairs whose scans come from the same place of both trees under the right name, and excluded slices."""
    study = Study.open(path)
    right = 0
    for key, pair in study.pairs_by_key.items():
        low, high = (Path(pair.sources[side]["path"]) for side in ("lr", "hr"))
        place = high.relative_to(folder / "HIGH RES")
        said = f"{place.parts[1]}/{place.parts[0].lower()}/{PLANES[place.parts[2]]}"
        right += low == folder / "LOW RES" / place and key == said
    excluded = {(key, n) for key, pair in study.pairs_by_key.items() for n in pair.marks.excluded}
    return {"right_pairs": right, "listed": len(listed), "excluded": len(excluded & listed) - len(excluded - listed)}


def make_folders(folder: Path, mice: int, *, anonymous: bool) -> set[tuple[str, int]]:
    """Write both trees and the list of bad slices. Gives those by the key of the pair, counted from 0."""
    for seed, plane in product(range(min(mice, DRAWN)), PLANES):
        volume = digital_mouse_volume(seed, PLANES[plane])
        for mouse, (number, region) in product(range(seed, mice, DRAWN), enumerate(REGIONS)):
            # The head end and the tail end of the animal; no two stacks are the same.
            moved = np.roll(volume, 40 * (2 * number - 1) + mouse, axis=1) * np.float32(0.8 + 0.02 * mouse)
            write_pair(folder, (region, f"Mouse{mouse + 1:02}", plane), moved, anonymous=anonymous)
    places = [*product(range(mice), REGIONS, PLANES, range(30))]
    chosen = np.random.default_rng(0).choice(len(places), min(LISTED, len(places) // 10), replace=False)
    bad = [places[k] for k in chosen]
    ids = [f"{mouse + 1:02}{REGIONS[region]}{plane[0]}{n + 1:02}" for mouse, region, plane, n in bad]
    (folder / "BLACKLIST.json").write_text(json.dumps({"blacklist": sorted(ids)}))
    return {(f"Mouse{mouse + 1:02}/{region.lower()}/{PLANES[plane]}", n) for mouse, region, plane, n in bad}


def write_pair(folder: Path, place: tuple[str, str, str], volume: NDArray[Any], *, anonymous: bool) -> None:
    """Write the slices of a good and of a fast scan."""
    good = Scan(volume * 20000, ScanInfo(name="a", axes="zyx", voxel_size=(0.6, 0.1, 0.1)))
    for name, factor, averages in (("HIGH RES", 1.0, 5), ("LOW RES", 2.0, 1)):
        scan = simulate_fast_scan(good, factor=factor, snr=15 * averages**0.5, seed=len("".join(place)))
        target = folder.joinpath(name, *place)
        target.mkdir(parents=True)
        write_slices(target, scan, place, averages, anonymous=anonymous)


def write_slices(folder: Path, scan: Scan, place: tuple[str, str, str], averages: int, *, anonymous: bool) -> None:
    """Write a file per slice, with the names that ParaVision gives."""
    region, mouse, plane = place
    along = np.reshape(ALONG["Transax" if anonymous else plane], (2, 3))
    normal, size = np.cross(*along), scan.info.voxel_size
    study, series = generate_uid(), generate_uid()
    for k, pixels in enumerate(np.asarray(scan.data)):
        first = normal * (k - 14.5) * 0.6 - along.sum(axis=0) * (15 - size[1] / 2)
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
        header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = MRImageStorage
        header.Modality, header.Manufacturer = "MR", "Bruker BioSpin MRI GmbH"
        header.StudyInstanceUID, header.SeriesInstanceUID = study, series
        header.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        header.PatientID = "" if anonymous else mouse
        header.StudyDescription = "" if anonymous else f"{mouse} {region.lower()}"
        header.ProtocolName = "T2_TurboRARE"
        header.SeriesNumber, header.InstanceNumber = 65537, k + 1
        header.RepetitionTime, header.EchoTime, header.NumberOfAverages = 4000, 37.1, averages
        header.SliceThickness, header.PixelSpacing = 0.6, [size[1], size[2]]
        header.ImageOrientationPatient, header.ImagePositionPatient = along.ravel().tolist(), first.tolist()
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
        header.Rows, header.Columns = pixels.shape
        header.PixelData = np.clip(pixels, 0, 65535).astype("<u2").tobytes()
        header.save_as(folder / f"MRIm{k + 1:02}.dcm", enforce_file_format=True)


if __name__ == "__main__":
    sys.exit(main())
