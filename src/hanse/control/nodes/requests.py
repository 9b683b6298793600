"""Requests for a node's certificate (PKCS#10, RFC 2986), for a root whose key is kept elsewhere.

The request says what the certificate has to say, in a form that any authority can copy: name, URI and uses. The key
stays on the node.
"""

import datetime as dt

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from hanse.control.nodes.certificates import (
    CERTIFICATES_BYTES,
    NODE_VALID,
    Certificate,
    Key,
    Named,
    PublicKey,
    certify_node,
    check_node,
    node_subject,
    read_chain,
    read_names,
)
from hanse.core.faults import HanseError, fault
from hanse.core.ids import NodeId

USES = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH})
"""A node dials and is dialled with one certificate."""


def make_request(node: NodeId, key: Key, root: Certificate) -> str:
    """Return the request (PEM) of a node for a certificate under `root`."""
    subject, names = node_subject(node, root)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(sorted(USES, key=lambda use: use.dotted_string)), critical=False)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )


def read_request(pem: str, root: Certificate) -> tuple[Named, PublicKey]:
    """Return which node of the root's organisation asks, and with which key. Raises `certificate.request`."""
    if len(pem) > CERTIFICATES_BYTES:
        raise _unusable(f"{len(pem)} bytes are above the cap of {CERTIFICATES_BYTES}")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key, is_own = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise _unusable(f"it cannot be read: {error}") from error
    if not is_own:
        raise _unusable("it is not signed by the key that it asks for")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _unusable("its key is not on P-256")
    try:
        return read_names(names, root), key
    except HanseError as error:
        raise _unusable("it is of a node of another organisation than the root's") from error


def sign_request(
    pem: str, root: Certificate, root_key: Key, now: dt.datetime | None = None, valid: dt.timedelta = NODE_VALID
) -> Certificate:
    """Return the certificate that a request asks for: of it, only the node's id and key are taken over."""
    if root_key.public_key() != root.public_key():
        raise _unusable("the key is not the root's")
    named, key = read_request(pem, root)
    return certify_node(named.node, key, root, root_key, now, valid)


def read_answer(pem: str, root: Certificate, node: NodeId) -> Certificate:
    """Return the node's certificate of what an authority sent: alone, or with the root behind it.

    Raises `certificate.refused` unless partners that know the root will take it for this node's, dialling and dialled.
    """
    chain = read_chain(pem)
    if not chain or chain[1:] not in ([], [root]):
        raise fault("certificate.refused", "expected the node's certificate, alone or with the organisation's root")
    leaf = chain[0]
    named = check_node(leaf, root)
    if named.node != node:
        raise fault("certificate.refused", f"the certificate is of {named.node}, and this is {node}")
    _demand_uses(leaf)
    return leaf


def _demand_uses(leaf: Certificate) -> None:
    try:
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return
    if not uses >= USES:
        raise fault("certificate.refused", "the certificate must be good for servers and for clients")


def _unusable(cause: str) -> HanseError:
    return fault("certificate.request", cause)
