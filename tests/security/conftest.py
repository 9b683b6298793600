from tests.access.premises import premises

__all__ = ["premises"]
