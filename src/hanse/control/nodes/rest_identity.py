"""The certificate under which REST is served to other machines: one's own files, or one of the organisation's root."""

import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from hanse.control.nodes.certificates import key_from_pem, key_to_pem, new_key, read_root, sign_rest, to_pem
from hanse.control.nodes.identity import ROOT, ROOT_KEY, write_private
from hanse.control.settings import NodeSettings
from hanse.core.faults import fault

REST_KEY, REST_CHAIN = "rest.key", "rest.pem"
RENEW = timedelta(days=30)
ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (names of "every address")


class RestIdentity(NamedTuple):
    """What a TLS server needs; `fingerprint` is the SHA-256 of its certificate in hexadecimal."""

    chain_path: Path
    key_path: Path
    fingerprint: str


def names_of(settings: NodeSettings) -> list[str]:
    """Return the names and addresses under which REST is reached."""
    host = [] if settings.rest_host in ANYWHERE else [settings.rest_host]
    return list(dict.fromkeys([*settings.rest_names, *host, socket.gethostname(), "localhost", "127.0.0.1", "::1"]))


def load_rest_identity(settings: NodeSettings) -> RestIdentity:
    """Return the certificate of REST, made now where there is none that fits. Raises `node.keys`."""
    if settings.rest_certificate:
        chain, key = Path(settings.rest_certificate), Path(settings.rest_key)
    else:
        keys = settings.directory / "keys"
        chain, key = keys / REST_CHAIN, keys / REST_KEY
        if not _fits(chain, key, names_of(settings)):
            _issue(keys, names_of(settings))
    try:
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise fault("node.keys", f"{chain} holds no certificate: {error}") from error
    return RestIdentity(chain, key, leaf.fingerprint(hashes.SHA256()).hex())


def _fits(chain: Path, key: Path, names: Iterable[str]) -> bool:
    """Say whether there is a certificate with all these names that is good for a while, and its key."""
    try:
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
        said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        same_key = key_from_pem(key.read_bytes()).public_key() == leaf.public_key()
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    has = {*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))}
    return same_key and set(names) <= has and leaf.not_valid_after_utc - datetime.now(UTC) > RENEW


def _issue(keys: Path, names: Iterable[str]) -> None:
    """Make one under the organisation's root, or, where the root's key lies elsewhere, one that signs itself.

    Clients compare the fingerprint of either.
    """
    root, key = read_root((keys / ROOT).read_text("ascii")), new_key()
    has_root_key = (keys / ROOT_KEY).exists()
    signer = key_from_pem((keys / ROOT_KEY).read_bytes()) if has_root_key else key
    leaf = sign_rest(names, key, root, signer, is_root_signed=has_root_key)
    chain = to_pem(leaf) + to_pem(root) if has_root_key else to_pem(leaf)
    for name, content in ((REST_CHAIN, chain.encode()), (REST_KEY, key_to_pem(key))):
        write_private(keys / f"{name}.new", content)
        (keys / f"{name}.new").replace(keys / name)
