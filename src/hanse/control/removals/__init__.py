"""Taking a dataset away with all that relies on it."""
