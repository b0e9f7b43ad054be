"""`micromri export`: a model for programs without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.errors import WriteError

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands

ENDING = ".onnx"


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "export",
        help="write a model as ONNX",
        description="Write the network of a model as ONNX, for slices of any size. The file's metadata says how slices "
        "are brought to the network and back.",
        epilog="Example:\n  micromri export unet-default unet-default.onnx",
    )
    parser.add_argument("model", metavar="MODEL", help="model name or .safetensors")
    parser.add_argument("output", metavar="OUT", help=f"file to write, {ENDING}")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, export, say where."""
    if not options.output.lower().endswith(ENDING):
        raise WriteError(f"{options.output} doesn't end in {ENDING}. Choose another name for the output.")

    from napari_micromri.nn.onnx_export import export_onnx

    written = export_onnx(options.model, options.output, overwrite=options.overwrite)
    print(f"Wrote {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return 0
