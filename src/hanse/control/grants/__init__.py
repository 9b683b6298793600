"""Grants: who may use which columns of a dataset, in which project, until when."""
