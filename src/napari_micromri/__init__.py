"""Denoise, super-resolve and measure preclinical MRI scans in napari and from the command line.

Importing this package is cheap: neither torch nor Qt nor napari is imported before something needs it.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("napari-micromri")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
