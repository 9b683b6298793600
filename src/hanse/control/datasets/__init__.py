"""Registered tables and their versions."""
