"""Registries: this node as one, and those that it reads and shows itself in."""
