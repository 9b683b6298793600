"""A node's directory: made, claimed for one process, and told where that process listens."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hanse.core.faults import HanseError, fault

LOCK, ADDRESS = "lock", "node.json"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def claimed(directory: Path, standby: bool = False) -> Iterator[None]:
    """Hold the directory for this process; with `standby`, as soon as who holds it has ended.

    Raises `node.running`, `node.directory` or `database.full`.

    The lock is the open file, not its content: it falls with the process, however that ends.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise explain(directory, error) from error
    try:
        _lock(directory, descriptor, standby)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def address_written(directory: Path, rest: str, party: str, fingerprint: str = "") -> Iterator[None]:
    """Tell commands on this machine where the node answers, for as long as it does."""
    path = directory / ADDRESS
    told = {"rest": rest, "party": party, "pid": os.getpid()}
    content = msgspec.json.encode(told | ({"fingerprint": fingerprint} if fingerprint else {}))
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def explain(directory: Path, error: OSError) -> HanseError:
    """Return what a failure to write into the directory means."""
    if error.errno in FULL:
        return fault("database.full", f"{directory}: {error.strerror}")
    return fault("node.directory", f"{directory}: {error.strerror or error}")


def _lock(directory: Path, descriptor: int, standby: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if standby else fcntl.LOCK_NB))
    except BlockingIOError:
        pid = os.read(descriptor, 20).decode("ascii", "replace") or "?"
        raise fault("node.running", f"process {pid} runs the node of {directory}") from None
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
    except OSError as error:
        raise explain(directory, error) from error
