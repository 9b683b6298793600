"""Keys, certificates and fingerprints (RFC 5280, ECDSA on P-256).

An organisation is its self-signed root: its id is the root's SHA-256, so that nobody hands ids out and nobody can take
another's. The root signs the certificates of its nodes, and those are all that TLS ever shows.
"""

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hanse.core.faults import HanseError, fault
from hanse.core.ids import NodeId, OrganisationId

FINGERPRINT_DIGITS = 32
"""128 bits in hexadecimal: what a person compares, in eight groups of four."""

CERTIFICATES_BYTES = 16 << 10
"""Cap on PEM text from a stranger; a chain of two P-256 certificates has under 2 KiB."""

ROOT_VALID = dt.timedelta(days=365 * 20)
NODE_VALID = dt.timedelta(days=365 * 2)
REST_VALID = dt.timedelta(days=397)
"""The longest that browsers accept of a server."""

NODE_RENEW = dt.timedelta(days=180)
"""At a start with less than this left, the node issues itself a new certificate under the same root."""

SKEW = dt.timedelta(days=1)
"""Certificates are dated back by this, for partners whose clock is slow."""

Key: TypeAlias = ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey
Certificate: TypeAlias = x509.Certificate


class Named(NamedTuple):
    """Whom a node certificate speaks for."""

    organisation: OrganisationId
    node: NodeId


def new_key() -> Key:
    """Return a fresh P-256 key from the operating system's entropy."""
    return ec.generate_private_key(ec.SECP256R1())


def sign_root(name: str, key: Key, now: dt.datetime | None = None) -> Certificate:
    """Return the self-signed root of the organisation called `name`."""
    now = now or dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _begin(subject, subject, key.public_key(), now, ROOT_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def sign_node(node: NodeId, key: Key, root: Certificate, root_key: Key, now: dt.datetime | None = None) -> Certificate:
    """Return the certificate of a node: common name = node id, URI `hanse://<organisation id>/<node id>`."""
    return certify_node(node, key.public_key(), root, root_key, now)


def node_subject(node: NodeId, root: Certificate) -> tuple[x509.Name, x509.SubjectAlternativeName]:
    """Return how a node of the root's organisation is named in its certificate, and in the request for one."""
    uri = x509.UniformResourceIdentifier(f"hanse://{organisation_id(root)}/{node}")
    names = x509.SubjectAlternativeName([uri, x509.DNSName(f"{node}.hanse.invalid")])
    return x509.Name([*root.subject, x509.NameAttribute(NameOID.COMMON_NAME, node)]), names


def certify_node(
    node: NodeId,
    key: PublicKey,
    root: Certificate,
    root_key: Key,
    now: dt.datetime | None = None,
    valid: dt.timedelta = NODE_VALID,
) -> Certificate:
    """Return the certificate of a node whose private key lies elsewhere."""
    now = now or dt.datetime.now(dt.UTC)
    subject, names = node_subject(node, root)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        _begin(subject, root.subject, key, now, valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(both, critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def sign_rest(
    names: Iterable[str],
    key: Key,
    root: Certificate,
    signer: Key,
    now: dt.datetime | None = None,
    *,
    is_root_signed: bool = True,
) -> Certificate:
    """Return the certificate of a node's REST interface, for browsers and clients: its names and addresses.

    `signer` is the root's key, or the certificate's own where the root's is not at hand.
    """
    now = now or dt.datetime.now(dt.UTC)
    said = list(dict.fromkeys(names))
    subject = x509.Name([*root.subject, x509.NameAttribute(NameOID.COMMON_NAME, said[0][:64])])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        _begin(subject, root.subject if is_root_signed else subject, key.public_key(), now, REST_VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in said]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: dt.datetime, valid: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def to_pem(certificate: Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def key_to_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_from_pem(pem: bytes) -> Key:
    """Return the P-256 key of `pem`. Raises `node.keys` for any other content."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise fault("node.keys", "the file holds no P-256 key")
    return key


def organisation_id(root: Certificate) -> OrganisationId:
    """Return the first 128 bits of the root's SHA-256 in hexadecimal: id and fingerprint of its organisation."""
    return OrganisationId(root.fingerprint(hashes.SHA256()).hex()[:FINGERPRINT_DIGITS])


def organisation_name(root: Certificate) -> str:
    """Return the name that the root gives its organisation."""
    return str(root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)


def pair_fingerprint(one: Certificate, other: Certificate) -> str:
    """Return 128 bits over both roots, the same whoever asks: what two administrators read to each other."""
    roots = sorted(root.fingerprint(hashes.SHA256()) for root in (one, other))
    return hashlib.sha256(b"hanse pair 1" + b"".join(roots)).hexdigest()[:FINGERPRINT_DIGITS]


def show(fingerprint: str) -> str:
    """Return a fingerprint in eight groups of four: `3f2a-01bc-…`."""
    return "-".join(fingerprint[i : i + 4] for i in range(0, FINGERPRINT_DIGITS, 4))


def read_fingerprint(text: str) -> str:
    """Return the 32 digits of what a person typed or pasted. Raises `fingerprint.unreadable`."""
    digits = "".join(character for character in text.lower() if character not in " -:\t\r\n")
    if len(digits) != FINGERPRINT_DIGITS or set(digits) - set("0123456789abcdef"):
        raise fault("fingerprint.unreadable", "a fingerprint is eight groups of four characters 0-9 a-f")
    return digits


def read_root(pem: str, now: dt.datetime | None = None) -> Certificate:
    """Return the root in `pem` after all checks that need no other knowledge. Raises `certificate.refused`."""
    certificates = read_chain(pem)
    if len(certificates) != 1:
        raise _refused(f"expected one root certificate, got {len(certificates)}")
    root = certificates[0]
    _demand_signature(root, root)
    _demand_valid(root, now)
    if not _constraints(root).ca:
        raise _refused("the root certificate may not sign others")
    names = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if len(names) != 1 or not 1 <= len(str(names[0].value)) <= 64 or not str(names[0].value).isprintable():
        raise _refused("the root certificate names no organisation")
    return root


def check_node(leaf: Certificate, root: Certificate, now: dt.datetime | None = None) -> Named:
    """Return whom `leaf` speaks for, once it is known to be a valid node certificate under `root`."""
    _demand_signature(leaf, root)
    _demand_valid(leaf, now)
    if _constraints(leaf).ca:
        raise _refused("a node's certificate may not sign others")
    return Named(organisation_id(root), node_of(leaf, root))


def node_of(leaf: Certificate, root: Certificate) -> NodeId:
    """Return which node a certificate names, whether it holds or not. Raises `certificate.refused`."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise _refused("the node's certificate has no name") from None
    return read_names(names, root).node


def read_names(names: x509.SubjectAlternativeName, root: Certificate) -> Named:
    """Return which node of the root's organisation is named. Raises `certificate.refused` when none is."""
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        organisation, _, node = uri.removeprefix("hanse://").partition("/")
        if organisation == organisation_id(root) and node:
            return Named(OrganisationId(organisation), NodeId(node))
    raise _refused("the node's certificate names another organisation")


def read_chain(pem: str) -> list[Certificate]:
    """Return the certificates of `pem`, leaf first. Raises `certificate.refused`."""
    if len(pem) > CERTIFICATES_BYTES:
        raise _refused(f"certificates of {len(pem)} bytes are above the cap of {CERTIFICATES_BYTES}")
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise _refused("the certificate cannot be read") from error


def read_leaf(der: bytes) -> Certificate:
    """Return the certificate that a TLS handshake showed. Raises `certificate.refused`."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise _refused("the certificate cannot be read") from error


def sign(key: Key, content: bytes) -> bytes:
    """Return an ECDSA signature (SHA-256, DER)."""
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def demand_signed(leaf: Certificate, content: bytes, signature: bytes) -> None:
    """Raise `certificate.refused` unless whoever holds the key of `leaf` has signed `content`."""
    key = leaf.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            return key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        if isinstance(key, ed25519.Ed25519PublicKey):
            return key.verify(signature, content)
    except InvalidSignature as error:
        raise _refused("the signature is not by the key of the certificate") from error
    raise _refused("the node's key is neither on P-256 nor Ed25519")


def _demand_signature(certificate: Certificate, root: Certificate) -> None:
    if not isinstance(root.public_key(), ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise _refused("the root's key is neither on P-256 nor Ed25519")
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _refused("the certificate is not signed by the root that it is shown with") from error


def _demand_valid(certificate: Certificate, now: dt.datetime | None) -> None:
    now = now or dt.datetime.now(dt.UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _refused(
            f"the certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}, and this machine says it is {now:%Y-%m-%d}"
        )


def _constraints(certificate: Certificate) -> x509.BasicConstraints:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise _refused("the certificate does not say whether it may sign others") from error


def _refused(cause: str) -> HanseError:
    return fault("certificate.refused", cause)
