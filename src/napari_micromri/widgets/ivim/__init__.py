"""The dock "IVIM maps"."""
