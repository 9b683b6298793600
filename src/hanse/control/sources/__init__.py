"""Databases and stores that datasets are read from: what the node keeps of them, and how it asks them."""
