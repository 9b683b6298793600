"""Passwords: what is accepted (ASVS 5.0, 6.2), and their Argon2id hashes as PHC strings (RFC 9106)."""

import os
import threading
from functools import cache

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from hanse.core.faults import HanseError, fault

LEAST, MOST = 8, 256
"""Characters of a password. There is no rule about which."""

MEMORY_KIB, PASSES, LANES, SALT_BYTES, HASH_BYTES = 64 << 10, 3, 4, 16, 32
"""The second recommended option of RFC 9106 (section 4)."""

AT_ONCE = threading.BoundedSemaphore(2)
"""Hashes computed at a time: each takes 64 MiB, and strangers cause them."""


def demand_good(password: str, *about: str) -> None:
    """Raise `password.weak` for one that is short, endless, well known, or made of `about` (names, addresses)."""
    if not LEAST <= len(password) <= MOST:
        raise _weak(f"it has {len(password)} characters, and {LEAST} to {MOST} are accepted")
    plain = password.casefold()
    if plain in known():
        raise _weak("it is among the passwords that are tried first")
    if plain in {word.casefold() for word in about}:
        raise _weak("it is a name that others know")


def hash_password(password: str) -> str:
    """Return the PHC string of a password; it takes some 0.1 s and 64 MiB."""
    with AT_ONCE:
        return _argon(os.urandom(SALT_BYTES)).derive_phc_encoded(password.encode("utf-8", "surrogatepass"))


def is_right(password: str, phc: str | None) -> bool:
    """Say whether a password is the one of a PHC string; without a string it takes as long and says no."""
    with AT_ONCE:
        try:
            Argon2id.verify_phc_encoded(password.encode("utf-8", "surrogatepass"), phc or _of_nobody())
        except InvalidKey:
            return False
    return phc is not None


@cache
def known() -> frozenset[str]:
    """Return the passwords that are refused because they were found in breaches most often, in lower case."""
    return frozenset(FREQUENCY_LISTS["passwords"])


@cache
def _of_nobody() -> str:
    return _argon(bytes(SALT_BYTES)).derive_phc_encoded(os.urandom(32))


def _argon(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=HASH_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)


def _weak(cause: str) -> HanseError:
    return fault("password.weak", cause)
