"""Measure image quality and noise."""
