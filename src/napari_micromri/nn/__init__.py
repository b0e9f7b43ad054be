"""Networks, their normalisation and their checkpoints."""
