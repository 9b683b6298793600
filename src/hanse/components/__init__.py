"""The catalogue: one folder for each algorithm; none imports another."""
