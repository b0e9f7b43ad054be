"""All kinds of models, each in a folder of its own; cheap to import, since torch comes with the first network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, create_model

from napari_micromri.nn.families.apddm.family import APDDM
from napari_micromri.nn.families.nafnet.family import NAFNET
from napari_micromri.nn.families.unet.family import UNET

if TYPE_CHECKING:
    from napari_micromri.nn.family import Family

__all__ = ["FAMILIES", "OWN_SETTINGS", "FamilySettings"]

FAMILIES: dict[str, Family] = {family.kind: family for family in (UNET, APDDM, NAFNET)}
"""Kind of model -> all about it. A new kind is a new folder and a name here."""

OWN_SETTINGS: dict[str, type[BaseModel]] = {
    kind: family.settings for kind, family in FAMILIES.items() if family.settings is not None
}
"""Kind of model -> what its training can be told that no other can."""

if TYPE_CHECKING:
    FamilySettings = BaseModel
else:
    _fields = {
        kind: (settings, Field(default=settings(), description=f"only for models of the kind {kind}"))
        for kind, settings in OWN_SETTINGS.items()
    }
    FamilySettings = create_model("FamilySettings", **_fields)
