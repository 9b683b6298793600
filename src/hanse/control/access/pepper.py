"""The node's own key for what its people prove themselves with: `keys/access.key`, 256 bits, made at first use.

Secrets of access keys are hashed under it and authenticators' secrets sealed with it, so that a stolen database alone
is good for nothing (ASVS 5.0, 11.4 and 13.3).
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hanse.core.faults import fault

KEY_BYTES, NONCE_BYTES = 32, 12


def load_pepper(directory: Path) -> bytes:
    """Return the key of the node in `directory`. Whoever comes first has made it."""
    path = directory / "keys" / "access.key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"access.key.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise fault("node.keys", f"{path} does not hold {KEY_BYTES} bytes")
    return key


def digest(pepper: bytes, secret: str) -> str:
    """Return the keyed hash of a secret that has 256 random bits (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=pepper, digest_size=32).hexdigest()


def seal(pepper: bytes, plain: bytes, owner: str) -> str:
    """Return a secret sealed for one owner (AES-256-GCM, NIST SP 800-38D), in hexadecimal."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return (nonce + _cipher(pepper).encrypt(nonce, plain, owner.encode())).hex()


def unseal(pepper: bytes, sealed: str, owner: str) -> bytes:
    """Return what was sealed for this owner. Raises `node.keys` when it was sealed otherwise or changed."""
    raw = bytes.fromhex(sealed)
    try:
        return _cipher(pepper).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], owner.encode())
    except InvalidTag:
        raise fault("node.keys", "keys/access.key is not the one with which the database was written") from None


def _cipher(pepper: bytes) -> AESGCM:
    return AESGCM(hashlib.blake2b(key=pepper, digest_size=32, person=b"hanse seal 1").digest())
