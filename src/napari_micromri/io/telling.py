"""What readers leave out, guess or repair, and how it reaches the person."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def inverted(file: object) -> str:
    """Say that other programs show a file's low values bright."""
    return f"{file} is meant to be shown inverted, low values bright. Its values are kept as stored: check the air."


def with_warnings(scans: Sequence[Scan], texts: Iterable[str]) -> list[Scan]:
    """Note on each of the scans that were opened together what went wrong with their neighbours."""
    texts = list(texts)
    return [Scan(scan.data, scan.info.with_warnings(texts)) for scan in scans]


def warnings_of(scans: Iterable[Scan]) -> list[str]:
    """List each warning of scans once."""
    return list(dict.fromkeys(text for scan in scans for text in scan.info.warnings))


@contextmanager
def complaints(logger: str) -> Iterator[list[str]]:
    """Collect what a library logs in this thread, instead of letting it go to the terminal."""
    found: list[str] = []
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        if record.thread == thread:
            found.append(record.getMessage())
        return record.thread != thread

    logging.getLogger(logger).addFilter(collect)
    try:
        yield found
    finally:
        logging.getLogger(logger).removeFilter(collect)
