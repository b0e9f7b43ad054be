"""The dock "Measure CNR"."""
