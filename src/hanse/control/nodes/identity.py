"""The node's own keys: made at its first start, kept in `keys/`, never sent anywhere.

The root's key may lie elsewhere: then `keys/` is made around the organisation's root (`ask_first`), certificates are
asked for with a request, and what comes back is installed.
"""

import os
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hanse.control.nodes.certificates import (
    NODE_RENEW,
    Certificate,
    Key,
    check_node,
    key_from_pem,
    key_to_pem,
    new_key,
    node_of,
    organisation_id,
    organisation_name,
    read_chain,
    read_root,
    sign_node,
    sign_root,
    to_pem,
)
from hanse.control.nodes.requests import make_request, read_answer, read_request
from hanse.core.faults import HanseError, fault
from hanse.core.ids import NodeId, OrganisationId, new_id

ROOT_KEY, ROOT, NODE_KEY, CHAIN = "root.key", "root.pem", "node.key", "chain.pem"
ASKED_KEY, ASKED = "request.key", "request.pem"
"""The key that a certificate was asked for, and the request."""

UNREADY = frozenset({"certificate.awaited", "certificate.ended"})


@dataclass(frozen=True)
class Identity:
    """Who this node is. The PEM files are what TLS needs; `root` is the organisation itself."""

    organisation: OrganisationId
    name: str
    node: NodeId
    root: Certificate
    root_pem: str
    root_path: Path
    chain_path: Path
    key_path: Path = field(repr=False)

    @property
    def chain_pem(self) -> str:
        """The node's certificate as it is now, and then the root: it changes while the node runs."""
        return self.chain_path.read_text("ascii")

    @property
    def keys(self) -> Path:
        return self.key_path.parent

    @property
    def has_root_key(self) -> bool:
        """Say whether this node can sign certificates of its organisation itself."""
        return (self.keys / ROOT_KEY).exists()


def load_identity(directory: Path, name: str) -> Identity:
    """Return the identity in `directory`/keys, made now if this is the first start of organisation `name`.

    Raises `node.keys` when the keys are damaged or belong to an organisation of another name, `certificate.awaited`
    before the first certificate is installed, `certificate.ended` when the root's key is not here to sign another.
    """
    keys = directory / "keys"
    if not keys.exists():
        _create(directory, keys, name)
    try:
        identity = _read(keys)
    except (OSError, ValueError, IndexError) as error:
        raise fault("node.keys", f"{keys} cannot be read: {error}") from error
    except HanseError as error:
        if error.fault.code in UNREADY:
            raise
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


def ask_first(directory: Path, root_pem: str) -> str:
    """Make the keys of a new node under a root whose key lies elsewhere; return its request (PEM)."""
    keys = directory / "keys"
    if keys.exists():
        raise fault("node.keys", f"{keys} is there already: this node has its organisation")
    root = read_root(root_pem)
    fresh = directory / "keys.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    write_private(fresh / ROOT, to_pem(root).encode())
    request = _ask(fresh, NodeId(new_id("node")), root)
    fresh.rename(keys)
    return request


def ask(keys: Path) -> str:
    """Return the node's request for its next certificate (PEM): the one under way, or one with a fresh key."""
    root = read_root((keys / ROOT).read_text("ascii"))
    if (keys / ASKED).exists() and (keys / ASKED_KEY).exists():
        return (keys / ASKED).read_text("ascii")
    return _ask(keys, _node_of(keys, root), root)


def _ask(keys: Path, node: NodeId, root: Certificate) -> str:
    key = new_key()
    request = make_request(node, key, root)
    write_private(keys / ASKED_KEY, key_to_pem(key))
    write_private(keys / ASKED, request.encode())
    return request


@dataclass(frozen=True)
class Fresh:
    """A certificate that fits this node and a key of its own, checked and written beside the one in use."""

    keys: Path
    leaf: Certificate
    has_new_key: bool

    def take(self) -> None:
        """Use it from now on. Whoever is killed in between finds it taken at the next start (`_read`)."""
        (self.keys / f"{CHAIN}.new").replace(self.keys / CHAIN)
        if self.has_new_key:
            (self.keys / ASKED_KEY).replace(self.keys / NODE_KEY)
            (self.keys / ASKED).unlink(missing_ok=True)


def prepare(keys: Path, pem: str) -> Fresh:
    """Check what an authority answered to a request of this node. Raises `certificate.refused`."""
    root = read_root((keys / ROOT).read_text("ascii"))
    leaf = read_answer(pem, root, _node_of(keys, root))
    has_new_key = _fits(leaf, keys / ASKED_KEY)
    if not has_new_key and not _fits(leaf, keys / NODE_KEY):
        raise fault("certificate.refused", "the certificate is for a key that this node does not have")
    write_private(keys / f"{CHAIN}.new", (to_pem(leaf) + to_pem(root)).encode())
    return Fresh(keys, leaf, has_new_key)


def root_key_of(keys: Path) -> Key:
    """Return the root's key. Raises `certificate.root_elsewhere`."""
    try:
        return key_from_pem((keys / ROOT_KEY).read_bytes())
    except FileNotFoundError:
        raise fault("certificate.root_elsewhere", f"{keys} holds no {ROOT_KEY}") from None


def _fits(leaf: Certificate, key: Path) -> bool:
    return key.exists() and leaf.public_key() == key_from_pem(key.read_bytes()).public_key()


def _node_of(keys: Path, root: Certificate) -> NodeId:
    if (keys / CHAIN).exists():
        return node_of(read_chain((keys / CHAIN).read_text("ascii"))[0], root)
    return read_request((keys / ASKED).read_text("ascii"), root)[0].node


def _read(keys: Path) -> Identity:
    root = read_root((keys / ROOT).read_text("ascii"))
    if not (keys / CHAIN).exists() and (keys / ASKED).exists():
        raise fault("certificate.awaited", f"{keys / ASKED} is to be signed by the organisation's root")
    leaf = _settle(keys, read_chain((keys / CHAIN).read_text("ascii"))[0], root)
    named = check_node(leaf, root)
    return Identity(
        organisation=organisation_id(root),
        name=organisation_name(root),
        node=named.node,
        root=root,
        root_pem=to_pem(root),
        root_path=keys / ROOT,
        chain_path=keys / CHAIN,
        key_path=keys / NODE_KEY,
    )


def _settle(keys: Path, leaf: Certificate, root: Certificate) -> Certificate:
    """Return the certificate to start with: the one that is there, or a fresh one where the root's key is here."""
    fits, now = _fits(leaf, keys / NODE_KEY), datetime.now(UTC)
    if not fits and _fits(leaf, keys / ASKED_KEY):  # killed while a certificate was installed
        (keys / ASKED_KEY).replace(keys / NODE_KEY)
        (keys / ASKED).unlink(missing_ok=True)
        fits = True
    if fits and leaf.not_valid_after_utc - now >= NODE_RENEW:
        return leaf
    if (keys / ROOT_KEY).exists():
        _issue(keys, _node_of(keys, root))
        return read_chain((keys / CHAIN).read_text("ascii"))[0]
    if fits and leaf.not_valid_after_utc < now:
        raise fault("certificate.ended", f"the certificate held until {leaf.not_valid_after_utc:%Y-%m-%d}")
    if not fits:
        raise fault("node.keys", f"{CHAIN} is for another key than {NODE_KEY}")
    return leaf


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
