"""Identifiers, each a type of its own, so that one is never passed for another."""

import secrets
from typing import NewType

OrganisationId = NewType("OrganisationId", str)
"""First 32 hexadecimal digits of the SHA-256 of the organisation's root certificate: nobody assigns it."""

NodeId = NewType("NodeId", str)
ProjectId = NewType("ProjectId", str)
DatasetId = NewType("DatasetId", str)
GrantId = NewType("GrantId", str)
PipelineId = NewType("PipelineId", str)
JobId = NewType("JobId", str)
ModelVersionId = NewType("ModelVersionId", str)

TaskName = NewType("TaskName", str)
"""Name of a task in its pipeline; with a `JobId` it names one task of one job."""


def new_id(kind: str) -> str:
    """Return a fresh id such as `job-5f2c9a7d01b4e6c8`: its kind and 64 random bits."""
    return f"{kind}-{secrets.token_hex(8)}"
