"""Keys for one purpose each, so that no two hashes of these protocols ever meet."""

import hashlib


def derive(purpose: bytes, *parts: bytes) -> bytes:
    """Return 32 bytes from (purpose, parts). Parts are preceded by their lengths, so that no two lists are alike."""
    digest = hashlib.blake2b(digest_size=32, person=b"hanse/ot/1")
    for part in (purpose, *parts):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
