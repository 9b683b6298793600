"""Secrets at rest: sealed under a key of the node's directory, so that a copy of the database alone opens none.

AES-256-GCM (NIST SP 800-38D) with a fresh 96-bit nonce for each text. The purpose is authenticated with it: what was
sealed as a source's password cannot be put in the place of a webhook's key.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hanse.core.faults import fault

KEY_FILE = "keys/secrets.key"
KEY_BYTES, NONCE_BYTES = 32, 12
FORM = "v1."


def seal(directory: Path, plain: bytes, purpose: str) -> str:
    """Return `plain` sealed for one purpose (`"source:source-5f2c…"`), as text of about 4/3 of its size and 40 more.

    The key lies in `directory` (mode 0600), made at first use. Raises `secrets.key` when it cannot be read or made.
    """
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(_key(directory)).encrypt(nonce, plain, purpose.encode())
    return FORM + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(directory: Path, sealed: str, purpose: str) -> bytes:
    """Return what `seal` was given. Raises `secrets.unreadable`: another key, another purpose, or an altered text."""
    try:
        raw = base64.b64decode(sealed.removeprefix(FORM).encode(), altchars=b"-_", validate=True)
        if not sealed.startswith(FORM) or len(raw) <= NONCE_BYTES:
            raise ValueError
        return AESGCM(_key(directory)).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode())
    except (ValueError, binascii.Error, InvalidTag):
        raise fault("secrets.unreadable", f"what was kept for {purpose.partition(':')[0]} does not open") from None


def _key(directory: Path) -> bytes:
    path = directory / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise fault("secrets.key", f"{KEY_FILE}: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise fault("secrets.key", f"{KEY_FILE} has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _make(path: Path) -> None:
    """Write a key that appears whole, and only if no other process was first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
    finally:
        beside.unlink()
