"""Background jobs of any kind: one folder each, in which a process works and which any number of programs read.

A job writes only into its folder: what it was asked for, what happened, and what it made. It can be stopped, killed and
resumed, here or from another computer, and exactly one event ends it. What a job does is written elsewhere: see
`napari_micromri.runs.kinds`.
"""
