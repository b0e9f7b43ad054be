"""Phantoms, and fast scans made from good ones by the acquisition model."""
