"""The encoder-decoder network of the report."""
