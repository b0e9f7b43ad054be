"""Write small ParaVision folders in the syntax of versions 6 and 360."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

WORD_TYPES = {"u1": "_8BIT_UNSGN_INT", "i2": "_16BIT_SGN_INT", "i4": "_32BIT_SGN_INT", "f4": "_32BIT_FLOAT"}
TRANSAXIAL = (1, 0, 0, 0, 1, 0, 0, 0, 1)
CORONAL = (1, 0, 0, 0, 0, -1, 0, 1, 0)
SAGITTAL = (0, 1, 0, 0, 0, -1, -1, 0, 0)


@dataclass
class Reconstruction:
    """What goes into ``pdata/1``; the defaults make one transaxial stack of 16-bit slices 0.6 mm apart.

    ``stored`` is ``(frames, y, x)``, or ``(frames, z, y, x)`` for three-dimensional frames.
    """

    stored: NDArray[np.generic]
    groups: Sequence[tuple[int, str]] = ()
    positions: Sequence[Sequence[float]] | None = None
    orientations: Sequence[Sequence[float]] = (TRANSAXIAL,)
    extent: Sequence[float] = (30.0, 24.0)
    thickness: float = 0.5
    slope: Sequence[float] = (1.0,)
    offset: Sequence[float] = (0.0,)
    protocol: str = "T2_TurboRARE"
    version: str = "6.0.1"
    subject: str = "mouse_07"
    study: str = "head-thorax"
    big_endian: bool = False
    more: dict[str, str] = field(default_factory=dict)

    def write(self, study: Path, scan: int = 1, reconstruction: int = 1) -> Path:
        """Create ``study/scan/pdata/reconstruction`` and give its path."""
        folder = study / str(scan) / "pdata" / str(reconstruction)
        folder.mkdir(parents=True)
        order = ">" if self.big_endian else "<"
        (folder / "2dseq").write_bytes(self.stored.astype(self.stored.dtype.newbyteorder(order)).tobytes())
        (folder / "visu_pars").write_text(self.visu_pars(), encoding="utf-8")
        (folder / "reco").write_text(parameter_file(self.version, {"RECO_size": "( 2 )\n4 4"}), encoding="utf-8")
        write_beside(folder, "acqp", {"ACQ_scan_name": f"( 64 )\n<{self.protocol} (E{scan})>"}, self.version)
        write_beside(folder, "method", {"Method": "<Bruker:RARE>", "PVM_NAverages": "5"}, self.version)
        return folder

    def visu_pars(self) -> str:
        frames = len(self.stored)
        groups = self.groups or ((frames, "FG_SLICE"),)
        slices = next((n for n, name in groups if name == "FG_SLICE"), 1)
        positions = self.positions or [(-self.extent[0] / 2, -self.extent[1] / 2, 0.6 * k) for k in range(slices)]
        values = {
            "VisuVersion": "3",
            "VisuCreatorVersion": f"( 65 )\n<{self.version}>",
            "VisuCoreFrameCount": str(frames),
            "VisuCoreDim": str(self.stored.ndim - 1),
            "VisuCoreSize": self.array(self.stored.shape[:0:-1]),
            "VisuCoreDimDesc": f"( {self.stored.ndim - 1} )\n" + " ".join(["spatial"] * (self.stored.ndim - 1)),
            "VisuCoreExtent": self.array(self.extent),
            "VisuCoreFrameThickness": self.array([self.thickness]),
            "VisuCoreUnits": f"( {self.stored.ndim - 1}, 65 )\n" + " ".join(["<mm>"] * (self.stored.ndim - 1)),
            "VisuCoreOrientation": self.table(self.orientations),
            "VisuCorePosition": self.table(positions),
            "VisuCoreDataOffs": self.array(list(self.offset) * (frames if len(self.offset) == 1 else 1)),
            "VisuCoreDataSlope": self.array(list(self.slope) * (frames if len(self.slope) == 1 else 1)),
            "VisuCoreFrameType": "MAGNITUDE_IMAGE",
            "VisuCoreWordType": WORD_TYPES[self.stored.dtype.str[1:]],
            "VisuCoreByteOrder": "bigEndian" if self.big_endian else "littleEndian",
            "VisuFGOrderDescDim": str(len(groups)),
            "VisuFGOrderDesc": f"( {len(groups)} )\n"
            + " ".join(f"({n}, <{name}>, <y=A*exp(-t/T)>, 0, 2)" for n, name in groups),
            "VisuGroupDepVals": "( 2 )\n(<VisuCoreOrientation>, 0) (<VisuCorePosition>, 0)",
            "VisuSubjectId": f"( 65 )\n<{self.subject}>",
            "VisuSubjectType": "Quadruped",
            "VisuSubjectPosition": "Head_Prone",
            "VisuStudyId": f"( 65 )\n<{self.study}>",
            "VisuAcqNumberOfAverages": "5",
            "VisuAcqRepetitionTime": "( 1 )\n4000",
            "VisuAcqEchoTime": "( 1 )\n37.1",
            "VisuAcquisitionProtocol": f"( 64 )\n<{self.protocol}>",
        }
        return parameter_file(self.version, values | self.more)

    def array(self, values: Iterable[float]) -> str:
        values = list(values)
        return f"( {len(values)} )\n{self.numbers(values)}"

    def table(self, rows: Sequence[Sequence[float]]) -> str:
        return f"( {len(rows)}, {len(rows[0])} )\n{self.numbers([v for row in rows for v in row])}"

    def numbers(self, values: list[float]) -> str:
        """Numbers on lines of at most 78 characters; ParaVision 360 packs runs of equal ones."""
        words = [f"{v:.15g}" for v in values]
        if self.version.startswith("360"):
            runs = ((word, len(list(run))) for word, run in groupby(words))
            words = [word if n == 1 else f"@{n}*({word})" for word, n in runs]
        lines, line = [], ""
        for word in words:
            if len(line) + len(word) > 76:
                lines.append(line)
                line = ""
            line += word + " "
        return "\n".join([*lines, line])


def parameter_file(version: str, values: dict[str, str]) -> str:
    """Give the text of a file with these parameters; values hold their size bracket."""
    program = "ParaVision 360 V3.5" if version.startswith("360") else f"ParaVision {version}"
    head = f"##TITLE=Parameter List, {program}\n##JCAMPDX=4.24\n##DATATYPE=Parameter Values\n"
    head += "##ORIGIN=Bruker BioSpin MRI GmbH\n##OWNER=nmr\n"
    records = [f"##${name}={value}\n$$ @vis= {name}\n" for name, value in values.items()]
    return head + "$$ 2024-03-05 10:11:12.345 +0100  nmr@scanner\n" + "".join(records) + "##END=\n"


def write_beside(reconstruction: Path, name: str, values: dict[str, str], version: str = "6.0.1") -> None:
    """Write a parameter file of the scan that a reconstruction belongs to."""
    (reconstruction.parent.parent / name).write_text(parameter_file(version, values), encoding="utf-8")
