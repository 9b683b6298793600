"""Derived datasets: tables that jobs made of granted data, kept under a name with all that they come from."""
