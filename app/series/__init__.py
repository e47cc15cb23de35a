"""Numbers: from uploaded bytes to a regular panel, its windows, its baselines and its scores. Numpy and polars, no torch."""
