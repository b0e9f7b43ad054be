"""Denoise many scans: a background job that continues where it was interrupted and skips what is done."""
