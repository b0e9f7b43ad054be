"""What libraries raise when the bytes of a file make no sense, as a sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_micromri.errors import MicroMRIError, ReadError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def damage_told(
    path: Path, what: str, speaking: tuple[type[Exception], ...] = (), *, gone: bool = False
) -> Iterator[None]:
    """Turn whatever a parser stumbles over into a `ReadError`.

    Parameters
    ----------
    what
        The format, e.g. "NIfTI".
    speaking
        Exceptions of the library whose own words say what isn't supported or missing.
    gone
        The file was opened before, so that it may have been removed or changed since.
    """
    broken = f"{path} is damaged or no {what} file. Copy or export it again."
    if gone:
        broken = f"{path} can no longer be read: it was removed, changed or is damaged."
    try:
        yield
    except MicroMRIError:
        raise
    except speaking as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise ReadError(f"{path} can't be read as {what}: {reason}.") from error
    except OSError as error:
        known = error.errno and not gone
        raise ReadError(describe_os_error(error, error.filename or path) if known else broken) from error
    except Exception as error:  # parsers raise errors of any kind on a damaged file
        raise ReadError(broken) from error
