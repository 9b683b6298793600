"""A token that is wrong in one thing is refused, whoever signed it."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from hanse.control.oidc.tokens import Expected, UnknownKey, judge, read_keys
from hanse.core.faults import HanseError

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
EXPECTED = Expected("https://login.example", "hanse", "the-nonce", AT)
GOOD: dict[str, Any] = {
    "iss": "https://login.example",
    "aud": "hanse",
    "sub": "4711",
    "nonce": "the-nonce",
    "iat": NOW - 5,
    "exp": NOW + 300,
}
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS: dict[str, Key] = {
    "RS256": RSA,
    "PS256": RSA,
    "ES256": ECKey.generate_key("P-256", {"kid": "p256"}),
    "ES384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}
PUBLISHED = read_keys({"keys": [key.as_dict(private=False) for key in {k.kid: k for k in KEYS.values()}.values()]})


def sign(algorithm: str = "ES256", key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in (GOOD | claims).items() if value is not None}
    signer = key or KEYS[algorithm]
    return jwt.encode({"alg": algorithm, "kid": signer.kid} | (header or {}), said, signer, algorithms=[algorithm])


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # providers still write it
@pytest.mark.parametrize("algorithm", list(KEYS))
def test_a_right_token_is_taken_under_each_algorithm(algorithm: str) -> None:
    assert judge(sign(algorithm), PUBLISHED, EXPECTED).subject == "4711"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": None},
        {"aud": ["hanse", "other"]},
        {"aud": ["hanse", "other"], "azp": "other"},
        {"azp": "other"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "soon"},
        {"iat": NOW - 601},
        {"iat": NOW + 61},
        {"iat": None},
        {"nbf": NOW + 61},
        {"sub": ""},
        {"sub": None},
        {"sub": "x" * 256},
        {"sub": 7},
    ],
)
def test_a_token_that_says_something_wrong_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(HanseError, match=r"oidc\.refused"):
        judge(sign(**claims), PUBLISHED, EXPECTED)


def test_several_audiences_are_taken_when_it_was_asked_for_here() -> None:
    assert judge(sign(aud=["hanse", "other"], azp="hanse"), PUBLISHED, EXPECTED).subject == "4711"


def test_a_token_signed_by_nobody_is_refused() -> None:
    head, body, _ = sign().split(".")
    none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    for forged in (f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}.AAAA", f"{head}.{body}", "", "a.b.c", "é.b.c"):
        with pytest.raises(HanseError, match=r"oidc\.refused"):
            judge(forged, PUBLISHED, EXPECTED)


def test_a_public_key_is_no_shared_secret() -> None:
    """The published key as the secret of an HMAC (RFC 8725, 2.1)."""
    words = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "rsa"}, GOOD)]
    signed = b".".join(urlsafe_b64encode(word).rstrip(b"=") for word in words)
    mark = hmac.digest(RSA.as_pem(private=False), signed, "sha256")
    forged = f"{signed.decode()}.{urlsafe_b64encode(mark).rstrip(b'=').decode()}"
    with pytest.raises(HanseError, match="HS256"):
        judge(forged, PUBLISHED, EXPECTED)


def test_another_key_of_the_same_name_does_not_sign() -> None:
    with pytest.raises(HanseError, match="signature"):
        judge(sign(key=ECKey.generate_key("P-256", {"kid": "p256"})), PUBLISHED, EXPECTED)


def test_a_key_that_is_not_published_may_be_asked_for_once_more() -> None:
    fresh = ECKey.generate_key("P-256", {"kid": "fresh"})
    with pytest.raises(UnknownKey):
        judge(sign(key=fresh), PUBLISHED, EXPECTED)


def test_a_key_within_the_token_is_not_looked_at() -> None:
    mine = ECKey.generate_key("P-256", {"kid": "mine"})
    with pytest.raises(HanseError, match=r"oidc\.refused"):
        judge(sign(key=mine, header={"jwk": mine.as_dict(private=False)}), PUBLISHED, EXPECTED)


def test_another_kind_of_token_is_refused() -> None:
    with pytest.raises(HanseError, match="another kind"):
        judge(sign(header={"typ": "at+jwt"}), PUBLISHED, EXPECTED)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_keys_that_are_weak_shared_or_for_encryption_are_left_out() -> None:
    weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    shared = OctKey.generate_key(256).as_dict(private=True)
    sealing = KEYS["ES256"].as_dict(private=False) | {"use": "enc"}
    assert read_keys({"keys": [weak, shared, sealing, "junk", {"kty": "EC"}]}) == ()
    documents: tuple[dict[str, Any], ...] = ({}, {"keys": 3}, {"keys": [{}] * 101})
    for junk in documents:
        with pytest.raises(HanseError, match=r"oidc\.provider"):
            read_keys(junk)
