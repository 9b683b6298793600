"""Who a TLS peer is: the organisation whose pinned root signed its certificate. TLS 1.3 only, both ways."""

import hashlib
import ssl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from hanse.core.faults import fault
from hanse.core.ids import OrganisationId
from hanse.gateway.shapes import Identity


class Roots:
    """The roots that are pinned now. A removed one still passes a running listener's handshake, but names nobody."""

    def __init__(self) -> None:
        self._roots: dict[OrganisationId, x509.Certificate] = {}

    def add(self, organisation: OrganisationId, root_pem: str) -> None:
        """Pin a root. Raises HanseError when it is not the one that the organisation's id was taken from."""
        try:
            root = x509.load_pem_x509_certificate(root_pem.encode())
        except ValueError as error:
            raise fault("peer.root_unreadable", f"the root of {organisation} is no certificate: {error}") from error
        if identify(root) != organisation:
            raise fault("peer.root_differs", f"the root has the id {identify(root)}, not {organisation}")
        self._roots[organisation] = root

    def remove(self, organisation: OrganisationId) -> None:
        self._roots.pop(organisation, None)

    def organisation_of(self, leaf_der: bytes | None) -> OrganisationId | None:
        """Return whose root directly signed this certificate, or None: nobody's that is pinned."""
        if not leaf_der:
            return None
        leaf = x509.load_der_x509_certificate(leaf_der)
        return next((organisation for organisation, root in self._roots.items() if _signed(leaf, root)), None)


def identify(root: x509.Certificate) -> OrganisationId:
    """Return the id of the organisation that a root certificate stands for."""
    return OrganisationId(hashlib.sha256(root.public_bytes(Encoding.DER)).hexdigest()[:32])


def is_signed_by(leaf_der: bytes, root_pem: str) -> bool:
    """Say whether the root directly signed the certificate."""
    return _signed(x509.load_der_x509_certificate(leaf_der), x509.load_pem_x509_certificate(root_pem.encode()))


def listen_context(identity: Identity) -> ssl.SSLContext:
    """Return the party port's context: asks for a certificate, lets none through; roots are added as they are pinned.

    Resumption is off, so that every connection shows its certificate.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0
    return context


def dial_context(identity: Identity, root_pem: str) -> ssl.SSLContext:
    """Return a context that shows our certificate and trusts one organisation's root, and nothing else."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, identity)
    context.load_verify_locations(cadata=root_pem)
    return context


def stranger_context(trusted: str | None) -> ssl.SSLContext:
    """Return a context without a certificate of ours, for pairing. It trusts exactly `trusted` (PEM), or anybody."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, None)
    if trusted is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=trusted)
    return context


def _context(side: int, identity: Identity | None) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a peer is its root, wherever it listens
    if identity is not None:
        context.load_cert_chain(identity.chain_pem, identity.key_pem)
    return context


def _signed(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
