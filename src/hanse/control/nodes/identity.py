"""The node's own keys: made at its first start, kept in `keys/`, never sent anywhere."""

import os
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hanse.control.nodes.certificates import (
    NODE_RENEW,
    Certificate,
    check_node,
    key_from_pem,
    key_to_pem,
    new_key,
    organisation_id,
    organisation_name,
    read_chain,
    read_root,
    sign_node,
    sign_root,
    to_pem,
)
from hanse.core.faults import HanseError, fault
from hanse.core.ids import NodeId, OrganisationId, new_id

ROOT_KEY, ROOT, NODE_KEY, CHAIN = "root.key", "root.pem", "node.key", "chain.pem"


@dataclass(frozen=True)
class Identity:
    """Who this node is. The PEM files are what TLS needs; `root` is the organisation itself."""

    organisation: OrganisationId
    name: str
    node: NodeId
    root: Certificate
    root_pem: str
    chain_pem: str
    root_path: Path
    chain_path: Path
    key_path: Path = field(repr=False)


def load_identity(directory: Path, name: str) -> Identity:
    """Return the identity in `directory`/keys, made now if this is the first start of organisation `name`.

    Raises `node.keys` when the keys are damaged or belong to an organisation of another name.
    """
    keys = directory / "keys"
    if not keys.exists():
        _create(directory, keys, name)
    try:
        identity = _read(keys)
    except (OSError, ValueError, IndexError) as error:
        raise fault("node.keys", f"{keys} cannot be read: {error}") from error
    except HanseError as error:
        raise fault("node.keys", f"{keys}: {error.fault.cause}") from error
    if identity.name != name:
        raise fault("node.keys", f"{keys} belongs to {identity.name!r}, and this node was started for {name!r}")
    return identity


def load_token(directory: Path) -> str:
    """Return the administrator's token, made at the first start, in a file that only its owner reads."""
    path = directory / "token"
    if not path.exists():
        write_private(path.with_suffix(".new"), secrets.token_urlsafe(32).encode())
        path.with_suffix(".new").replace(path)
    return path.read_text("ascii").strip()


def _create(directory: Path, keys: Path, name: str) -> None:
    """Make all keys in a folder beside, then rename it: a crash leaves all of them or none."""
    fresh = directory / "keys.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    root_key = new_key()
    root = sign_root(name, root_key)
    write_private(fresh / ROOT_KEY, key_to_pem(root_key))
    write_private(fresh / ROOT, to_pem(root).encode())
    _issue(fresh, NodeId(new_id("node")))
    fresh.rename(keys)


def _issue(keys: Path, node: NodeId) -> None:
    """Write a fresh key and certificate of the node; the key goes last, and a pair that does not fit is issued anew."""
    root = read_root((keys / ROOT).read_text("ascii"))
    key = new_key()
    leaf = sign_node(node, key, root, key_from_pem((keys / ROOT_KEY).read_bytes()))
    for name, content in ((CHAIN, (to_pem(leaf) + to_pem(root)).encode()), (NODE_KEY, key_to_pem(key))):
        write_private(keys / f"{name}.new", content)
        (keys / f"{name}.new").replace(keys / name)


def _read(keys: Path) -> Identity:
    root = read_root((keys / ROOT).read_text("ascii"))
    leaf = read_chain((keys / CHAIN).read_text("ascii"))[0]
    node = NodeId(str(leaf.subject.rdns[-1].rfc4514_string().partition("=")[2]))
    fits = leaf.public_key() == key_from_pem((keys / NODE_KEY).read_bytes()).public_key()
    if not fits or leaf.not_valid_after_utc - datetime.now(UTC) < NODE_RENEW:
        _issue(keys, node)
        leaf = read_chain((keys / CHAIN).read_text("ascii"))[0]
    named = check_node(leaf, root)
    return Identity(
        organisation=organisation_id(root),
        name=organisation_name(root),
        node=named.node,
        root=root,
        root_pem=to_pem(root),
        chain_pem=to_pem(leaf) + to_pem(root),
        root_path=keys / ROOT,
        chain_path=keys / CHAIN,
        key_path=keys / NODE_KEY,
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
