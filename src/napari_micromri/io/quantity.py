"""What the voxels of a scan are, in the words of headers and file names: a magnitude, a phase, a map and the like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WORDS = {
    # Siemens writes M, P, R, I; Philips M_FFE, PHASE MAP; ComplexImageComponent and ParaVision whole words.
    "phase": r"p|p_\w+|phase|phase.map|phase.image|velocity.map",
    "real part": r"r|r_\w+|real|real.image",
    "imaginary part": r"i|i_\w+|imaginary|imaginary.image",
    "field map": r"b[01]|b[01]_?map|b[01] map|field.?map|tb1map",
    "map": r"adc(_\w+)?|fa|(adc|[rt][12](_?star|\*)?|mtr|fat_fraction)[ _]?map",
    "magnitude": r"m|m_\w+|magnitude|magnitude.image",
}

_BIDS = {
    "phase": r"part-phase|_phase(diff|[12])?$|_ph$",
    "real part": r"part-real",
    "imaginary part": r"part-imag|_imaginary$",
    "field map": r"_fieldmap(hz)?$|_(TB1|B0|B1)map$",
    "map": r"_([A-Z]\w*map|ADC|FA)$",
    "labels": r"_(mask|dseg|probseg)$",
    "magnitude": r"part-mag|_magnitude[12]?$",
}
_UNITS = {"hz": "field map", "rad/s": "field map", "t": "field map", "rad": "phase"}
_SHOWN = {
    "phase": "a phase",
    "real part": "a real part",
    "imaginary part": "an imaginary part",
    "field map": "a field map",
    "map": "a map of fitted values",
}


def no_magnitude(quantity: str | None) -> str | None:
    """Say what a scan shows whose header or name says that it isn't a magnitude."""
    return None if quantity in (None, "magnitude") else _SHOWN.get(quantity, quantity)


def quantity_in(words: Iterable[Any]) -> str | None:
    """Name what an image shows by the words of its header; what isn't a magnitude goes first where they disagree."""
    said = [str(word).strip().lower() for word in words]
    found = (name for name, known in _WORDS.items() if any(re.fullmatch(known, word) for word in said))
    return next(found, None)


def quantity_of_dicom(kind: Iterable[str]) -> str | None:
    """Name it by ``ImageType`` or ``FrameType``, whose third word is the first to tell, and the complex component."""
    return quantity_in(list(kind)[2:])


def quantity_of_sidecar(said: Mapping[str, Any], stem: str) -> str | None:
    """Name it by the JSON file that BIDS and dcm2niix write beside an image, else by a name as they give."""
    types = said.get("ImageType")
    words = [*(types[2:] if isinstance(types, list) else []), said.get("ComplexImageComponent")]
    unit = _UNITS.get(str(said.get("Units", "")).strip().lower())
    named = next((name for name, pattern in _BIDS.items() if re.search(pattern, stem)), None)
    return unit or quantity_in(words) or named
