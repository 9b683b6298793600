"""Hanse: organisations that do not share raw data match ids, train and score together."""
