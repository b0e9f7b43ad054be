"""Run a trained model over a scan, slice by slice."""
