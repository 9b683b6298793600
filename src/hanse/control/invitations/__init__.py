"""Invitations: a partner joins with a short code."""
