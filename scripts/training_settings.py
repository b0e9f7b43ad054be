"""Write the table of training settings into the documentation; ``--check`` only tells whether it is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.nn.families import FAMILIES, OWN_SETTINGS
from napari_micromri.nn.normalisation import Normalisation
from napari_micromri.training.config import TrainConfig
from napari_micromri.training.simulated_settings import SimulatedSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = Path(__file__).parents[1] / "docs" / "training-own.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
NETWORKS = {family.network: f"{family.label}: " for family in reversed(FAMILIES.values())}
"""Shapes of networks -> of which kind they are; a kind may share that of an earlier one."""

PARTS: list[tuple[str, type[BaseModel], str]] = [
    ("", TrainConfig, ""),
    *(("network", network, of) for network, of in reversed(NETWORKS.items())),
    *((kind, settings, "") for kind, settings in OWN_SETTINGS.items()),
    ("normalisation", Normalisation, ""),
    ("simulated", SimulatedSettings, ""),
]
WORDS = {
    "boolean": "true, false",
    "null": "none",
    "string": "text",
    "array": "whole numbers",
    "integer": "whole number",
}


def main() -> int:
    """Write or check; 1 when the page is out of date."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    wanted = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if "--check" in sys.argv[1:]:
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


def table() -> str:
    """Lay out every setting with its values, its default and what it means."""
    rows = [row for part in PARTS for row in _rows(*part)]
    return "\n".join(["| setting | values | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _rows(prefix: str, model: type[BaseModel], of: str) -> list[str]:
    definitions = model.model_json_schema().get("$defs", {})
    defaults = model().model_dump(mode="json")
    rows = []
    for name, schema in model.model_json_schema()["properties"].items():
        key = f"{prefix}.{name}" if prefix else name
        about = schema.get("description")
        if about is None or any(key == part for part, _, _ in PARTS):
            continue  # what follows from the kind of model, and what has rows of its own
        default = json.dumps(defaults[name]).replace("null", "none").strip('"') or "(empty)"
        rows.append(f"| `{key}` | {_values(schema, definitions)} | {default} | {of}{about} |")
    return rows


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_values(part, definitions) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = str(schema["type"])
    return WORDS.get(kind, kind)


if __name__ == "__main__":
    sys.exit(main())
