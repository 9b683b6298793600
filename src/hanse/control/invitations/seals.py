"""Proofs of the invitation's secret: who joins knows it, and so does who answers (HMAC-SHA256, RFC 2104)."""

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes

from hanse.control.nodes.certificates import Certificate
from hanse.core.federation_messages import JoinReply, JoinRequest


def seal_request(secret: bytes, inviter: Certificate, request: JoinRequest) -> str:
    """Return the joiner's proof; it holds for this inviter and these certificates only."""
    inviter_root = inviter.fingerprint(hashes.SHA256()).hex()
    return _seal(secret, "join", inviter_root, request.invitation, request.root, request.chain, request.address)


def seal_reply(secret: bytes, request: JoinRequest, state: str) -> str:
    """Return the inviter's proof; it holds for this request only."""
    return _seal(secret, "welcome", request.seal, state)


def is_sealed(secret: bytes, inviter: Certificate, request: JoinRequest) -> bool:
    return hmac.compare_digest(seal_request(secret, inviter, request), request.seal)


def is_answered(secret: bytes, request: JoinRequest, reply: JoinReply) -> bool:
    return hmac.compare_digest(seal_reply(secret, request, reply.state), reply.seal)


def _seal(secret: bytes, *parts: str) -> str:
    """Each part goes with its length, so that no two lists of parts look the same."""
    raws = [part.encode() for part in ("hanse pair 1", *parts)]
    framed = b"".join(len(raw).to_bytes(4, "little") + raw for raw in raws)
    return hmac.new(secret, framed, hashlib.sha256).hexdigest()
