"""Pipelines: graphs of components as their author saved them."""
