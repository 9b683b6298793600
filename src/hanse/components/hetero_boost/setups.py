"""Set-ups that outlive a job: the same rows under the same bins need no second hint.

A host keeps the seeds of a set-up, the guest its hints, each in its own private folder (`Party.kept`), which is one for
each pair of dataset and guest: no two guests share a set-up. A file counts only while its digest is right, so that
one cut short is as good as none.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hanse.components.hetero_boost.messages import MOST_SETUPS
from hanse.kernel.ids import Ids

OLDEST_S = 300 * 86_400
"""A public part serves no longer than this: one lattice reduction would open all that it ever hid."""

_SUFFIX = ".setup"
_DIGEST_BYTES = 32
Octets = Annotated[bytes, Meta(max_length=64)]
K = TypeVar("K", bound="Kept")


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What both sides note of a set-up. `id` follows from the public seed; `rows` is a digest of what it belongs to."""

    id: Octets
    created_s: float
    parameters: str
    public_seed: Octets
    rows: Octets


class HostSetup(Kept, frozen=True):
    """A host's part: with this seed it draws the same secrets again. Never another set-up under one secret seed."""

    secret_seed: Octets


class GuestSetup(Kept, frozen=True):
    """A guest's part: who the hosts were, how many cells each answered for, and what their hints are."""

    hosts: tuple[str, ...]
    cells: tuple[int, ...]
    hints: tuple[Octets, ...]


def setup_id(public_seed: bytes) -> bytes:
    """Return the 16 bytes by which all parties of a set-up call it."""
    return hashlib.blake2b(public_seed, digest_size=16, person=b"hanse set-up id").digest()


def rows_digest(ids: Ids, *columns: NDArray[Any]) -> bytes:
    """Return what stands for rows in order, and for a host for the codes and cells of its features as well."""
    digest = hashlib.sha256(len(ids).to_bytes(8, "little"))
    arrays: tuple[NDArray[Any], ...] = (ids.offsets, ids.data, *columns)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


def keep(folder: Path, setup: Kept, hints: Sequence[bytes | memoryview] = ()) -> None:
    """Write a set-up down, readable for this user only, and forget those beyond the newest four."""
    for number, hint in enumerate(hints):
        _write(folder / _hint_name(setup.id, number), hint)
    raw = msgspec.msgpack.encode(setup)
    _write(folder / f"{setup.id.hex()}{_SUFFIX}", hashlib.sha256(raw).digest() + raw)
    _forget(folder, {each.id for each in list_setups(folder, type(setup))})


def list_setups(folder: Path, kind: type[K], rows: bytes | None = None) -> list[K]:
    """Return the set-ups in a folder that may still serve, newest first; those of `rows` only, if it is given."""
    found = [setup for path in folder.glob(f"*{_SUFFIX}") if (setup := _read(path, kind)) is not None]
    oldest = time.time() - OLDEST_S
    young = sorted((each for each in found if each.created_s > oldest), key=lambda each: (-each.created_s, each.id))
    return [each for each in young[:MOST_SETUPS] if rows is None or each.rows == rows]


def read_hints(folder: Path, setup: GuestSetup) -> list[bytes] | None:
    """Return the hosts' hints of a kept set-up, or None when one is gone or damaged."""
    hints = []
    for number, digest in enumerate(setup.hints):
        try:
            hint = (folder / _hint_name(setup.id, number)).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(hint).digest() != digest:
            return None
        hints.append(hint)
    return hints


def hint_digests(hints: Iterable[bytes | memoryview]) -> tuple[bytes, ...]:
    """Return what the hints are known by."""
    return tuple(hashlib.sha256(hint).digest() for hint in hints)


def _forget(folder: Path, kept: set[bytes]) -> None:
    names = {setup.hex() for setup in kept}
    for path in folder.iterdir():
        stem = path.name.partition(".")[0]
        if path.suffix in (_SUFFIX, ".hint") and stem not in names:
            path.unlink(missing_ok=True)


def _hint_name(setup: bytes, number: int) -> str:
    return f"{setup.hex()}.{number}.hint"


def _read(path: Path, kind: type[K]) -> K | None:
    try:
        raw = path.read_bytes()
        if hashlib.sha256(raw[_DIGEST_BYTES:]).digest() != raw[:_DIGEST_BYTES]:
            return None
        return msgspec.msgpack.decode(raw[_DIGEST_BYTES:], type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, content: bytes | memoryview) -> None:
    """Give a file its content by renaming. It is not forced to disk: a digest tells whether it arrived."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
