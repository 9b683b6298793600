"""Entries as bytes: signed by who they are about, vouched for by the registry, and believed only after both checks."""

import msgspec
from cryptography import x509

from hanse.control.nodes.certificates import (
    check_node,
    demand_signed,
    key_from_pem,
    organisation_id,
    organisation_name,
    read_chain,
    read_root,
    sign,
    to_pem,
)
from hanse.control.nodes.identity import Identity
from hanse.core.faults import HanseError, fault
from hanse.core.ids import OrganisationId
from hanse.core.registry_messages import Entry, Listing, SignedEntry


def sign_entry(me: Identity, entry: Entry) -> SignedEntry:
    """Sign what this organisation says of itself, with the node's key."""
    said = msgspec.msgpack.encode(entry)
    return SignedEntry(said, me.chain_pem, _sign(me, _entry_content(said)))


def open_entry(signed: SignedEntry, registry: OrganisationId) -> tuple[Entry, x509.Certificate]:
    """Return what an organisation has signed for this registry, and its root. Raises `registry.entry`.

    That the root is that organisation's is what people compare fingerprints for.
    """
    try:
        leaf, root = _read_chain(signed.chain)
        demand_signed(leaf, _entry_content(signed.entry), bytes.fromhex(signed.signature))
        entry = msgspec.msgpack.decode(signed.entry, type=Entry)
    except (HanseError, msgspec.DecodeError) as error:
        raise _unusable(error.fault.cause if isinstance(error, HanseError) else str(error)) from error
    if (entry.organisation, entry.name) != (organisation_id(root), organisation_name(root)):
        raise _unusable("it is signed under another organisation's root")
    if entry.registry != registry:
        raise _unusable("it was written for another registry")
    return entry, root


def vouch(me: Identity, listing: Listing) -> Listing:
    """Sign a listing as its registry."""
    return msgspec.structs.replace(listing, vouch=_sign(me, _listing_content(listing)))


def check_listing(listing: Listing, chain: str, registry_root: x509.Certificate) -> Entry | None:
    """Check both signatures of a listing; return the entry, None where the registry alone tells of somebody.

    Raises `registry.entry`.
    """
    try:
        leaf, root = _read_chain(chain)
        if root != registry_root:
            raise _unusable("it is vouched for under another root than the registry's")
        demand_signed(leaf, _listing_content(listing), bytes.fromhex(listing.vouch))
        listed = read_root(listing.root)
    except HanseError as error:
        raise _unusable(error.fault.cause) from error
    if (listing.organisation, listing.name) != (organisation_id(listed), organisation_name(listed)):
        raise _unusable("its id or name is another than its root's")
    if listing.signed is None:
        return None
    entry, root = open_entry(listing.signed, organisation_id(registry_root))
    if root != listed or entry.address != listing.address:
        raise _unusable("the registry says something else than the organisation has signed")
    return entry


def _read_chain(pem: str) -> tuple[x509.Certificate, x509.Certificate]:
    chain = read_chain(pem)
    if len(chain) != 2:
        raise _unusable("a chain is the node's certificate and then the root")
    root = read_root(to_pem(chain[1]))
    check_node(chain[0], root)
    return chain[0], root


def _sign(me: Identity, content: bytes) -> str:
    return sign(key_from_pem(me.key_path.read_bytes()), content).hex()


def _entry_content(said: bytes) -> bytes:
    return b"hanse registry entry 1 " + said


def _listing_content(listing: Listing) -> bytes:
    return b"hanse registry listing 1 " + msgspec.msgpack.encode(msgspec.structs.replace(listing, vouch=""))


def _unusable(cause: str) -> HanseError:
    return fault("registry.entry", cause)
