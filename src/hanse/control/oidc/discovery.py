"""What a provider says of itself (OpenID Connect Discovery 1.0), and the keys that it signs with; kept for an hour."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from joserfc.jwk import Key

from hanse.control.oidc.dialling import ask, demand_url
from hanse.control.oidc.tokens import ALGORITHMS, Claims, Expected, UnknownKey, judge, read_keys
from hanse.core.addresses import Allowed
from hanse.core.faults import fault

FRESH = timedelta(hours=1)
PAUSE = timedelta(seconds=30)
"""How long keys are not asked for again, so that forged key names cause no traffic."""


class Endpoints(msgspec.Struct, frozen=True):
    """Where a provider does what. `says_issuer`: its answers to the browser name it (RFC 9207)."""

    authorise: str
    token: str
    keys: str
    end: str
    says_issuer: bool
    posts_secret: bool


class Known(msgspec.Struct):
    """A provider as it was seen last."""

    endpoints: Endpoints
    seen_at: datetime
    keys: tuple[Key, ...] = ()
    keys_at: datetime | None = None


class Registry:
    """Remembers providers by issuer, in this process."""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed
        self._known: dict[str, Known] = {}

    def forget(self, issuer: str) -> None:
        self._known.pop(issuer, None)

    async def endpoints(self, issuer: str, at: datetime) -> Endpoints:
        """Return where the provider does what. Raises `oidc.provider`."""
        return (await self._find(issuer, at)).endpoints

    async def judge(self, raw: str, expected: Expected) -> Claims:
        """Return the claims of a token; a key that is not known is looked for once more. Raises `oidc.refused`."""
        known = await self._find(expected.issuer, expected.at)
        if known.keys_at is None or expected.at - known.keys_at >= FRESH:
            await self._load_keys(known, expected.at)
        try:
            return judge(raw, known.keys, expected)
        except UnknownKey:
            if known.keys_at is None or expected.at - known.keys_at < PAUSE:
                raise
        await self._load_keys(known, expected.at)
        return judge(raw, known.keys, expected)

    async def _find(self, issuer: str, at: datetime) -> Known:
        known = self._known.get(issuer)
        if known is None or at - known.seen_at >= FRESH:
            document = await ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration", self.allowed)
            known = self._known[issuer] = Known(read_endpoints(document, issuer), at)
        return known

    async def _load_keys(self, known: Known, at: datetime) -> None:
        known.keys, known.keys_at = read_keys(await ask(known.endpoints.keys, self.allowed)), at


def read_endpoints(document: dict[str, Any], issuer: str) -> Endpoints:
    """Return what a discovery document says. Raises `oidc.provider`, when it is another issuer's first of all."""
    if document.get("issuer") != issuer:
        raise fault("oidc.provider", "it calls itself by another issuer than was set here")
    signs = document.get("id_token_signing_alg_values_supported", ["RS256"])
    if not isinstance(signs, list) or not set(map(str, signs)) & ALGORITHMS.keys():
        raise fault("oidc.provider", f"it signs with none of {', '.join(ALGORITHMS)}")
    proofs = document.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(proofs, list) or "S256" not in proofs:
        raise fault("oidc.provider", "it has no proof key for code exchange (S256)")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    end = document.get("end_session_endpoint")
    return Endpoints(
        authorise=demand_url(document.get("authorization_endpoint"), "authorization_endpoint"),
        token=demand_url(document.get("token_endpoint"), "token_endpoint"),
        keys=demand_url(document.get("jwks_uri"), "jwks_uri"),
        end=demand_url(end, "end_session_endpoint") if end is not None else "",
        says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        posts_secret=isinstance(methods, list)
        and "client_secret_basic" not in methods
        and "client_secret_post" in methods,
    )
