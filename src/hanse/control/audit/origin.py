"""From where what happens now was asked for: set at the doors of the node, read by every audit record.

It goes with the context of a request, into its threads and tasks. What nobody outside has asked for is the node's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import msgspec

Door = Literal["local", "session", "key", "stranger", "partner", "node"]
"""`local`: the holder of the node's file `token`, as the command line on its machine. `stranger`: nobody let in yet."""


class Origin(msgspec.Struct, frozen=True):
    """A way in. `via` is the id of the session, the key or the partner; `person` answers for what is done."""

    door: Door = "node"
    via: str = ""
    address: str = ""
    correlation: str = ""
    person: str = ""


INSIDE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=INSIDE)


def current() -> Origin:
    """Return from where what happens now comes."""
    return _origin.get()


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Let what is done inside be recorded as coming from there."""
    before = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(before)
