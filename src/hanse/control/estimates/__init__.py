"""Estimates: what a job takes before it runs, by cost models that this node's measurements correct."""
