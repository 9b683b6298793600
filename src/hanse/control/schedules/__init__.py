"""Schedules: pipelines that are run at times, on days, or when a dataset has a new version."""
