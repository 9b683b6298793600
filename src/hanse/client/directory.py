"""Where a running node on this machine answers, as it wrote into its own directory."""

from pathlib import Path

import msgspec

from hanse.core.faults import HanseError, fault


class NodeAddress(msgspec.Struct, frozen=True):
    """`node.json`: the node's REST address, its party port, its process.

    `fingerprint` is the SHA-256 of the certificate of REST in hexadecimal, empty where it speaks plain HTTP.
    """

    rest: str
    party: str = ""
    pid: int = 0
    fingerprint: str = ""


def read_address(directory: Path) -> NodeAddress:
    """Return what the node wrote last. Raises HanseError when there is no node."""
    try:
        return msgspec.json.decode((directory / "node.json").read_bytes(), type=NodeAddress)
    except FileNotFoundError:
        raise node_down(directory, "no node has been started there") from None
    except (OSError, msgspec.DecodeError) as error:
        raise node_down(directory, f"its node.json cannot be read: {error}") from error


def read_token(directory: Path) -> str:
    """Return the administrator's token. Raises HanseError when this user may not read it."""
    try:
        return (directory / "token").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise node_down(directory, "no node has been started there") from None
    except PermissionError:
        raise fault(
            "node.forbidden",
            f"{directory / 'token'} belongs to another user",
            "run the command as the user who runs the node",
            step="read the token",
        ) from None


def node_down(directory: Path, cause: str) -> HanseError:
    """Return the error of a node that does not answer, ready to raise."""
    remedy = f"start it: hanse node up --directory {directory}"
    return fault("node.down", f"{directory}: {cause}", remedy, step="reach the node")
