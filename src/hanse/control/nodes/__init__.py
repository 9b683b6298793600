"""This node: its keys, certificates and settings."""
