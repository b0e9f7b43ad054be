"""`micromri models`: which models there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.cli.console import print_json

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "models",
        help="list the models that 'denoise' knows by name",
        description="List the models that ship with the package and those in the folders named by MICROMRI_MODELS.",
        epilog="Example:\n  micromri models --json",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per model")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the models."""
    from napari_micromri.nn.registry import available_models

    entries = available_models()
    if options.json:
        names = ("name", "kind", "summary", "factor", "parameters")
        print_json([{**{name: getattr(e, name) for name in names}, "path": str(e.path)} for e in entries])
        return 0
    for entry in entries:
        print(f"{entry.name}  ({entry.kind}, factor {entry.factor}, {entry.parameters:,} parameters)")
        print(f"   {entry.summary}")
    return 0
