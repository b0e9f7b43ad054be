"""What all images of a Zarr store share: where they are, the description that we wrote, the order of their axes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.io.describe import KEY, info_from_json
from napari_micromri.scan import AXES, SPATIAL_AXES, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Place:
    """A node of a store, and what was told of the nodes that are left out."""

    where: str
    notes: list[str]
    path: str = ""
    depth: int = 0

    def __str__(self) -> str:
        return f"{self.where}/{self.path}".rstrip("/")

    @property
    def name(self) -> str:
        """What to call an image at this node: its path, or the name of the store without its extension."""
        name = Path(self.where.rstrip("/")).name
        for ending in (".ome.zarr", ".zarr"):
            name = name.removesuffix(ending)
        return self.path or name or self.where

    def child(self, name: str) -> Place:
        """Give the node of that name in this group."""
        return replace(self, path=f"{self.path}/{name}".lstrip("/"), depth=self.depth + 1)


def is_whole(attributes: Mapping[str, Any]) -> bool:
    """Tell whether `create_ome_zarr` wrote an array with all its pieces, also empty ones, so that none may lack."""
    document = attributes.get(KEY)
    return isinstance(document, dict) and document.get("format") not in (None, 1)


def own_info(attributes: Mapping[str, Any], shape: tuple[int, ...]) -> ScanInfo | None:
    """Restore what `create_ome_zarr` wrote."""
    document = attributes.get(KEY)
    if not isinstance(document, dict):
        return None
    info = info_from_json(document)
    if len(info.axes) != len(shape):
        raise ValueError(f"{len(shape)} dimensions but the axes '{info.axes}'")
    return info


def ordered(letters: str) -> str:
    """Sort the letters of axes as those of a scan."""
    return "".join(a for a in AXES if a in letters)


def by_zyx(values: tuple[float, ...], letters: str) -> tuple[float, ...]:
    """Sort what is known of the spatial axes among ``letters`` as those of a scan."""
    spatial = [a for a in letters if a in SPATIAL_AXES]
    return tuple(values[spatial.index(a)] for a in SPATIAL_AXES if a in spatial)
