"""Judge an ID token (OpenID Connect Core 1.0, 3.1.3.7; RFC 8725): from whom, for whom, of when, for which sign-in."""

import math
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from hanse.core.faults import HanseError, fault

ALGORITHMS: dict[str, tuple[str, str]] = {
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""What may sign, with the type and curve of its key. No shared secret does, and never nothing."""

LEAST_RSA_BITS = 2048
LEEWAY_S, OLDEST_S = 60, 600
TOKEN_BYTES = 64 << 10
MOST_KEYS = 100


class Claims(msgspec.Struct, frozen=True):
    """What a checked token says. `rest` are all of its claims."""

    issuer: str
    subject: str
    rest: dict[str, Any]


class Expected(NamedTuple):
    """What a token has to say."""

    issuer: str
    client: str
    nonce: str
    at: datetime


class UnknownKey(HanseError):
    """The token names a key that is not among those known: they may have been changed."""


def read_keys(document: dict[str, Any]) -> tuple[Key, ...]:
    """Return the public signature keys of a JWK set; what cannot verify one of `ALGORITHMS` is left out."""
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise fault("oidc.provider", "its key set is no list of keys, or too long")
    return tuple(key for entry in entries if (key := _read_key(entry)) is not None)


def _read_key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") not in {"RSA", "EC", "OKP"}:
        return None
    if "verify" not in entry.get("key_ops", ["verify"]):
        return None
    try:
        key = JWKRegistry.import_key({name: value for name, value in entry.items() if name not in PRIVATE})
    except (JoseError, ValueError, TypeError):
        return None
    weak = isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS
    return None if weak else key


PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def judge(raw: str, keys: tuple[Key, ...], expected: Expected) -> Claims:
    """Return the claims of a token. Raises `oidc.refused` with the rule that it breaks, UnknownKey for its key."""
    header = _read_header(raw)
    key = _choose(keys, header)
    try:
        claims = jwt.decode(raw, key, algorithms=[header["alg"]]).claims
    except (JoseError, ValueError, TypeError) as error:
        raise _refused(f"its signature is not right ({type(error).__name__})") from error
    _demand(claims, expected)
    return Claims(expected.issuer, claims["sub"], claims)


def _read_header(raw: str) -> dict[str, Any]:
    if len(raw) > TOKEN_BYTES or raw.count(".") != 2:
        raise _refused("it is no signed token of a sensible size")
    try:
        header = dict(jws.extract_compact(raw.encode("ascii", "strict")).headers())
    except (JoseError, ValueError, TypeError) as error:
        raise _refused("its header cannot be read") from error
    if header.get("alg") not in ALGORITHMS:
        raise _refused(f"it is signed with {str(header.get('alg'))[:20]!r}, which is not accepted")
    if str(header.get("typ", "JWT")).upper() != "JWT" or "crit" in header:
        raise _refused("it is another kind of token")
    return header


def _choose(keys: tuple[Key, ...], header: dict[str, Any]) -> Key:
    """Return the key that the header names and that its algorithm goes with; one alone needs no name."""
    fitting = [key for key in keys if _fits(key, header["alg"])]
    named = [key for key in fitting if key.as_dict().get("kid") == header["kid"]] if "kid" in header else fitting
    if len(named) != 1:
        cause = "the provider has no such key" if not named else "it does not say by which key it is signed"
        raise UnknownKey(_refused(cause).fault)
    return named[0]


def _fits(key: Key, algorithm: str) -> bool:
    kind, curve = ALGORITHMS[algorithm]
    if key.key_type != kind or key.as_dict().get("alg", algorithm) != algorithm:
        return False
    return not isinstance(key, ECKey | OKPKey) or key.curve_name == curve


def _demand(claims: dict[str, Any], expected: Expected) -> None:
    now = expected.at.timestamp()
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    issued, expires, begins = (_time(claims, name) for name in ("iat", "exp", "nbf"))
    subject = claims.get("sub")
    rules = (
        (claims.get("iss") == expected.issuer, "it is from another issuer"),
        (expected.client in audiences, "it is for somebody else"),
        (len(audiences) == 1 or "azp" in claims, "it is for several and does not say who asked"),
        (claims.get("azp", expected.client) == expected.client, "somebody else asked for it"),
        (expires > now - LEEWAY_S, "it has expired"),
        (now - OLDEST_S <= issued <= now + LEEWAY_S, "it was not issued now"),
        ("nbf" not in claims or begins <= now + LEEWAY_S, "it is not good yet"),
        (bool(expected.nonce) and claims.get("nonce") == expected.nonce, "it belongs to another sign-in"),
        (isinstance(subject, str) and 0 < len(subject) <= 255, "it does not say whom it is about"),
    )
    for holds, otherwise in rules:
        if not holds:
            raise _refused(otherwise)


def _time(claims: dict[str, Any], name: str) -> float:
    """Return a claim in seconds; one that is missing or no number is a moment that no rule takes (not a number)."""
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _refused(cause: str) -> HanseError:
    return fault("oidc.refused", f"the provider's token: {cause}")
