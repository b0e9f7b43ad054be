"""Entry points of the napari plugin that need no Qt."""
