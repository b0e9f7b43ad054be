"""The dock "Study and slice curation": `dock` puts it together, one module per tab; what has no Qt is named below.

`tree`, `slices`, `report`, `session`, `splits` and `planning` decide without Qt what is shown and done.
"""
