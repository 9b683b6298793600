"""Receipts: what the node has read, said under the key that its partners know."""

import base64
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

from hanse.control.datasets.service import Snapshot
from hanse.control.nodes.certificates import key_from_pem
from hanse.control.nodes.identity import Identity


class Receipt(NamedTuple):
    """`statement` is JSON; `signature` (base64) is ECDSA with SHA-256 over its bytes, by the node's certified key."""

    statement: str
    signature: str


def sign(identity: Identity, snapshot: Snapshot) -> Receipt:
    """Return the receipt of a dataset's version."""
    dataset, version = snapshot
    said = {
        "node": identity.node,
        "dataset": dataset.id,
        "version": version.number,
        "rows": version.rows,
        "columns": len(version.schema.columns),
        "source_bytes": version.source_bytes,
        "source_sha256": version.source_sha256,
        "sha256": version.sha256,
        "created_at": version.created_at,
    }
    statement = msgspec.json.encode(said, order="sorted")
    signature = key_from_pem(identity.key_path.read_bytes()).sign(statement, ECDSA(hashes.SHA256()))
    return Receipt(statement.decode(), base64.b64encode(signature).decode())
