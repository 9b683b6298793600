"""Approvals: what waits for a person, who may decide it, and which rules decide by themselves."""
