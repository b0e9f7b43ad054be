"""Paired studies: building, curation, crop, split, and reading them for training."""
