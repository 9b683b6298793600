"""The code that one administrator sends another: address, fingerprint and secret in some 90 letters and digits.

Base32 (RFC 4648) in lower case with a checksum, so that it survives a chat window, a line break and a reading aloud,
and a slip of one character is a slip and not a refused invitation.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from hanse.core.faults import HanseError, fault

PREFIX = "hanse1"
SECRET_BYTES = 16
_FINGERPRINT_BYTES = 16
_CHECK_BYTES = 4
_LONGEST = 1024


@dataclass(frozen=True)
class Code:
    """What an invitation says: dial `address`, expect a root with this fingerprint, prove yourself by the secret."""

    address: str
    fingerprint: str
    secret: bytes = field(repr=False)

    @property
    def invitation(self) -> str:
        """The invitation's number, which tells nothing of the secret."""
        return hashlib.sha256(b"hanse invitation 1" + self.secret).hexdigest()[:16]


def write_code(code: Code) -> str:
    """Return the text to send."""
    content = bytes.fromhex(code.fingerprint) + code.secret + code.address.encode()
    return PREFIX + base64.b32encode(content + _check(content)).decode().rstrip("=").lower()


def read_code(text: str) -> Code:
    """Return what a pasted text says; spaces, line breaks, dashes and case do not matter. Raises `invitation.code`."""
    letters = "".join(text.split()).replace("-", "").lower()
    if not letters.startswith(PREFIX) or len(letters) > _LONGEST:
        raise _unreadable(f"an invitation begins with {PREFIX}")
    letters = letters.removeprefix(PREFIX).upper()
    try:
        raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise _unreadable("a character is wrong or missing") from error
    content, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if check != _check(content) or len(content) <= _FINGERPRINT_BYTES + SECRET_BYTES:
        raise _unreadable("a character is wrong or missing")
    fingerprint, rest = content[:_FINGERPRINT_BYTES], content[_FINGERPRINT_BYTES:]
    code = Code(rest[SECRET_BYTES:].decode("utf-8", "replace"), fingerprint.hex(), rest[:SECRET_BYTES])
    if write_code(code) != PREFIX + letters.lower():  # bits that no byte holds
        raise _unreadable("a character is wrong or missing")
    return code


def _check(content: bytes) -> bytes:
    return hashlib.sha256(b"hanse code 1" + content).digest()[:_CHECK_BYTES]


def _unreadable(cause: str) -> HanseError:
    return fault("invitation.code", cause)
