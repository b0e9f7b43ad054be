"""Training on paired scans: configuration, data, the loop, and the run directory that outlives every window."""
