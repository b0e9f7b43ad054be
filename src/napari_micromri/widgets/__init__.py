"""The docks of the napari plugin."""
