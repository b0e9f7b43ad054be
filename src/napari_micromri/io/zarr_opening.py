"""Open Zarr stores, local and remote, and say in a sentence why one can't be read."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import ReadError, describe_os_error
from napari_micromri.io.small_files import check_zarr_metadata
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    import zarr


def open_store(where: Path | str) -> zarr.Array[Any] | zarr.Group:
    """Open a store for reading, after making sure that its metadata are small files."""
    import zarr

    if isinstance(where, str) and where.startswith("s3://"):
        return zarr.open(where, mode="r", storage_options={"anon": _no_s3_credentials()})
    if isinstance(where, Path):
        check_zarr_metadata(where)
    return zarr.open(where, mode="r")


def _no_s3_credentials() -> bool:
    import os

    return "AWS_ACCESS_KEY_ID" not in os.environ and "AWS_PROFILE" not in os.environ


@contextmanager
def problems_told(where: Path | str) -> Iterator[None]:
    """Say in a sentence what zarr raises; damaged metadata make it raise whatever its parser stumbles over."""
    import zarr

    try:
        with quiet("zarr_io"):  # zarr warns of foreign files between the chunks
            yield
    except ImportError as error:
        raise ReadError(f"{where} is a remote store: 'pip install fsspec[http,s3]' to open it.") from error
    except OSError as error:
        raise ReadError(describe_os_error(error, where) if error.errno else _no_store(where)) from error
    except zarr.errors.NodeNotFoundError as error:
        raise ReadError(_no_store(where)) from error
    except _connection_errors() as error:
        raise ReadError(_no_store(where)) from error
    except kinds_of_damage() as error:
        raise ReadError(f"{where} has damaged Zarr metadata ({str(error) or type(error).__name__}).") from error


def kinds_of_damage() -> tuple[type[Exception], ...]:
    """List what zarr raises when metadata make no sense."""
    import zarr

    return (
        zarr.errors.BaseZarrError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        NotImplementedError,
        OverflowError,
        RecursionError,
        ZeroDivisionError,
    )


def _connection_errors() -> tuple[type[Exception], ...]:
    """List what the remote stores' libraries raise of their own, of those that are loaded."""
    names = {"aiohttp": ("ClientError",), "botocore.exceptions": ("BotoCoreError", "ClientError")}
    return tuple(getattr(sys.modules[m], name) for m, those in names.items() if m in sys.modules for name in those)


def _no_store(where: Path | str) -> str:
    return f"{where} isn't a Zarr store, or can't be reached. Choose a folder with a zarr.json, .zarray or .zgroup."
