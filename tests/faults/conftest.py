"""The federations of the end-to-end tests, to be broken."""

from tests.e2e.conftest import federation

__all__ = ["federation"]
