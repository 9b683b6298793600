"""The same two organisations as the gateway's tests have."""

from tests.gateway.conftest import bank, linked, parties, telecom

__all__ = ["bank", "linked", "parties", "telecom"]
