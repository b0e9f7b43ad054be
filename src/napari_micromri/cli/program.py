"""The program as a whole: its parser, its exit codes, and how it ends when something goes wrong.

A command is a module with ``add_to(commands)``, which adds a parser and sets its ``run``; list it in `COMMANDS`.
"""

from __future__ import annotations

import argparse
import difflib
import io
import logging
import os
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from napari_micromri import __version__
from napari_micromri.cli import (
    calibrate,
    convert,
    denoise,
    dsq,
    evaluate,
    export,
    info,
    ivim,
    ivim_regions,
    ivim_train,
    measure,
    models,
    runs,
    simulate,
    study,
    train,
    tune,
    tune_report,
)
from napari_micromri.errors import CancelledError, MicroMRIError, OutputExistsError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

COMMANDS = (
    info,
    convert,
    simulate,
    study,
    train,
    runs,
    calibrate,
    tune,
    tune_report,
    denoise,
    dsq,
    measure,
    evaluate,
    ivim,
    ivim_regions,
    ivim_train,
    models,
    export,
)

GOOD, REFUSED, INTERRUPTED, BROKEN_PIPE = 0, 2, 130, 141


class OneSentenceParser(argparse.ArgumentParser):
    """Refuses with one sentence rather than with the whole usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse what isn't known, in the words of the command itself; argparse leaves that to the whole program."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and not unknown[0].startswith("-"):
            self.error(f"'{unknown[0]}' is one argument too many")
        if unknown:
            near = difflib.get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, n=1)
            self.error(f"there is no '{unknown[0]}' here" + "".join(f", but {name}" for name in near))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where help is, and exit with 2."""
        self.exit(REFUSED, f"{self.prog}: {message}. See '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the program with all its commands."""
    parser = OneSentenceParser(
        prog="micromri",
        description="Denoise, super-resolve and measure preclinical MRI scans.",
        epilog="Example: micromri denoise fast.nii.gz denoised.ome.zarr",
    )
    parser.add_argument("--version", action="version", version=f"micromri {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    for subparser in commands.choices.values():
        subparser.formatter_class = argparse.RawDescriptionHelpFormatter
        subparser.add_argument("--debug", action="store_true", help="show the traceback when something goes wrong")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns
    -------
    int
        0 good, 1 a check found something, 2 refused with one sentence on standard error, 130 interrupted.
    """
    _prepare_output()
    if arguments is None:
        _prepare_process()
    options = build_parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        code = run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output went away (`micromri info --json . | head`): nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print("micromri: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except CancelledError as error:
        print(f"micromri: {error}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if _interrupted.is_set():  # libraries make an error of their own of it
            print("micromri: interrupted.", file=sys.stderr)
            return INTERRUPTED
        if options.debug:
            raise
        print(f"micromri: {_explain(error, options)}", file=sys.stderr)
        return REFUSED
    return code


def _explain(error: Exception, options: argparse.Namespace) -> str:
    if isinstance(error, OutputExistsError):  # in this command's own words
        way_out = "replace it with --overwrite" if "overwrite" in options else "delete it"
        return str(OutputExistsError(error.path, way_out))
    if isinstance(error, MicroMRIError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return describe_os_error(error, os.fsdecode(error.filename))
    return (
        f"something unexpected went wrong ({type(error).__name__}: {error}). "
        "Run the command again with --debug and report what it prints."
    )


def _prepare_process() -> None:
    logging.basicConfig(format="micromri: %(message)s", level=logging.WARNING)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    # A cluster ends a job with SIGTERM: unwind as for Ctrl-C, so that no half-written output stays behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _prepare_output() -> None:
    """Let a closed output swallow what is said, and one that lacks a letter show another: the work is what counts."""
    if sys.stdout is None or sys.stdout.closed:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None or sys.stderr.closed:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


_interrupted = threading.Event()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    _interrupted.set()
    raise KeyboardInterrupt
