"""A network of gated blocks without activation functions."""
