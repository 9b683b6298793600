"""Words that others chose: what may be in them, so that they say something and do nothing."""

import re
from typing import Annotated

import msgspec

_UNSHOWN = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""What a terminal obeys (C0, DEL, C1: ECMA-48), and what ends a line or turns its direction (Unicode UAX 9)."""

PRINTABLE = rf"\A[^{_UNSHOWN}]*\Z"

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
"""A name."""

Label = Annotated[str, msgspec.Meta(max_length=200, pattern=PRINTABLE)]
"""A longer name, or none."""

_unshown = re.compile(rf"[{_UNSHOWN}]")
_unshown_in_text = re.compile(rf"(?!\n)[{_UNSHOWN}]")


def flatten(text: str) -> str:
    """Return a text as one printable line: a space for each character that is not shown."""
    return _unshown.sub(" ", text)


def disarm(text: str) -> str:
    """Return a text of any lines without the characters that a terminal obeys."""
    return _unshown_in_text.sub("", text)


def escape_json(document: str) -> str:
    """Return the same JSON document with every such character written as its escape."""
    return _unshown.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
