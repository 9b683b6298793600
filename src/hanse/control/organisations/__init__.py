"""The organisations that this one works with."""
