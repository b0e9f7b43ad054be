"""Every kind of model in a folder of its own."""
