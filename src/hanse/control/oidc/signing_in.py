"""A sign-in at a provider, from the browser's first step to its session (authorisation code with proof key, RFC 7636).

The browser gets a cookie of 256 bits for ten minutes. State, nonce and proof key are hashes of it, so that whatever
comes back is bound to that browser, and the database holds nothing that would let somebody go on in its place.
"""

import asyncio
import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from sqlalchemy import delete

from hanse.control.admission.gate import Gate
from hanse.control.oidc import service
from hanse.control.oidc.dialling import ask
from hanse.control.oidc.discovery import Endpoints, Registry
from hanse.control.oidc.tables import Provider, ProviderSession, SignIn
from hanse.control.oidc.tokens import Claims, Expected
from hanse.control.secrets import seal, unseal
from hanse.control.sessions.service import Opened, digest
from hanse.control.users import logins
from hanse.core.addresses import Allowed
from hanse.core.faults import Fault, HanseError, Waits, fault
from hanse.core.throttle import Throttle
from hanse.core.times import format_time

VALID = timedelta(minutes=10)
BURST, EACH_SECOND = 20, 0.5


class Begun(NamedTuple):
    """Where the browser goes, and its cookie."""

    location: str
    token: str


class Returned(NamedTuple):
    """What a browser brings back, and the cookie that it got before."""

    provider: str
    code: str
    state: str
    issuer: str
    error: str
    token: str


class SignIns:
    """Signs people of this organisation's providers in."""

    def __init__(self, gate: Gate, allowed: Allowed) -> None:
        self.gate = gate
        self.providers = Registry(allowed)
        self._throttle = Throttle(BURST, EACH_SECOND)

    @property
    def directory(self) -> Path:
        return self.gate.directory

    async def begin(self, name: str, address: str, back: str) -> Begun:
        """Return where the browser signs in; `back` is where it comes back to. Raises `oidc.unknown`, `login.wait`."""
        if self._throttle.admit(address) is None:
            raise Waits(Fault("login.wait", cause="too many sign-ins were begun from this address"), 2)
        provider = await asyncio.to_thread(self._read, name)
        endpoints = await self.providers.endpoints(provider.issuer, self.gate.clock())
        token = secrets.token_urlsafe(32)
        await asyncio.to_thread(self._note, provider, token)
        words = {
            "response_type": "code",
            "client_id": provider.client,
            "redirect_uri": back,
            "scope": " ".join(provider.scopes),
            "state": derive(token, "state"),
            "nonce": derive(token, "nonce"),
            "code_challenge": _hash(derive(token, "proof").encode()),
            "code_challenge_method": "S256",
        }
        return Begun(_with(endpoints.authorise, words), token)

    async def finish(self, returned: Returned, address: str, agent: str, back: str) -> Opened:
        """Return the session of whoever comes back. Raises `oidc.refused`, `oidc.unlinked`, `oidc.provider`."""
        at = self.gate.clock()
        try:
            provider = await asyncio.to_thread(self._take, returned, at)
            endpoints = await self.providers.endpoints(provider.issuer, at)
            _demand_issuer(returned, provider, endpoints)
            answer = await self._exchange(provider, endpoints, returned, back)
            raw = answer.get("id_token")
            if not isinstance(raw, str):
                raise fault("oidc.refused", "the provider sends no ID token")
            expected = Expected(provider.issuer, provider.client, derive(returned.token, "nonce"), at)
            claims = await self.providers.judge(raw, expected)
            return await asyncio.to_thread(self._open, provider.name, claims, raw, address, agent, at)
        except HanseError as refusal:
            await asyncio.to_thread(self._note_refusal, address, refusal.fault)
            raise

    async def sign_out_link(self, session_id: str, back: str) -> str:
        """Return where the browser ends the provider's own session, "" when none opened this one or it cannot."""
        found = await asyncio.to_thread(self._hint, session_id)
        if found is None:
            return ""
        provider, hint = found
        endpoints = await self.providers.endpoints(provider.issuer, self.gate.clock())
        words = {"id_token_hint": hint, "client_id": provider.client, "post_logout_redirect_uri": back}
        return _with(endpoints.end, words) if endpoints.end else ""

    async def check(self, name: str) -> Endpoints:
        """Ask a provider anew what it says of itself. Raises `oidc.provider`, `address.*`."""
        provider = await asyncio.to_thread(self._read, name)
        self.providers.forget(provider.issuer)
        return await self.providers.endpoints(provider.issuer, self.gate.clock())

    def _note_refusal(self, address: str, refusal: Fault) -> None:
        self.gate.note_refusal(address, refusal.code, cause=refusal.cause)

    def _read(self, name: str) -> Provider:
        with self.gate.database.read() as session:
            return service.find(session, name)

    def _note(self, provider: Provider, token: str) -> None:
        at = self.gate.clock()
        with self.gate.database.write() as session:
            session.execute(delete(SignIn).where(SignIn.expires_at <= format_time(at)))
            session.add(SignIn(digest=digest(token), provider=provider.name, expires_at=format_time(at + VALID)))

    def _take(self, returned: Returned, at: datetime) -> Provider:
        """Return the provider of a sign-in that this browser has begun; it works once, however it ends."""
        with self.gate.database.write() as session:
            row = session.get(SignIn, digest(returned.token), with_for_update=True) if returned.token else None
            if row is not None:
                session.delete(row)
            begun = row is not None and row.expires_at > format_time(at)
            provider = service.find(session, row.provider) if row is not None and begun else None
        right = secrets.compare_digest(returned.state.encode(), derive(returned.token, "state").encode())
        if provider is None or not right or provider.name != returned.provider:
            raise fault("oidc.refused", "this browser has begun no such sign-in, or it was more than ten minutes ago")
        if returned.error or not returned.code:
            raise fault("oidc.refused", "the provider did not let this person in")
        return provider

    async def _exchange(
        self, provider: Provider, endpoints: Endpoints, returned: Returned, back: str
    ) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": returned.code, "redirect_uri": back}
        form["code_verifier"] = derive(returned.token, "proof")
        headers = {}
        secret = await asyncio.to_thread(self._secret, provider)
        if secret and not endpoints.posts_secret:
            pair = f"{quote(provider.client, safe='')}:{quote(secret, safe='')}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": provider.client} | ({"client_secret": secret} if secret else {})
        return await ask(endpoints.token, self.providers.allowed, form, **headers)

    def _secret(self, provider: Provider) -> str:
        sealed = provider.secret
        return unseal(self.directory, sealed, service.purpose(provider)).decode() if sealed else ""

    def _open(self, name: str, claims: Claims, raw: str, address: str, agent: str, at: datetime) -> Opened:
        with self.gate.database.write() as session:
            provider = service.find(session, name)
            user = service.recognise(session, provider, claims, at)
            opened = logins.admit(session, user, f"provider {name}", address, agent, at, self.gate.span)
            session.flush()
            hint = seal(self.directory, raw.encode(), service.purpose(provider))
            session.add(ProviderSession(session=opened.row.id, provider=name, hint=hint))
            return opened

    def _hint(self, session_id: str) -> tuple[Provider, str] | None:
        with self.gate.database.read() as session:
            row = session.get(ProviderSession, session_id)
            if row is None:
                return None
            provider = service.find(session, row.provider)
            return provider, unseal(self.directory, row.hint, service.purpose(provider)).decode()


def derive(token: str, part: str) -> str:
    """Return a word of a sign-in: 256 bits that nobody can tell who has not its cookie."""
    return _hash(f"hanse sign-in 1\n{part}\n{token}".encode("utf-8", "surrogatepass"))


def _hash(raw: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()


def _with(url: str, words: dict[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(words)}"


def _demand_issuer(returned: Returned, provider: Provider, endpoints: Endpoints) -> None:
    """Refuse an answer of another provider than was asked (mix-up, RFC 9207)."""
    if returned.issuer != provider.issuer and (returned.issuer or endpoints.says_issuer):
        raise fault("oidc.refused", "the answer is not from the provider that was asked")
