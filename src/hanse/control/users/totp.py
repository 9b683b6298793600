"""Authenticators: time-based one-time passwords (RFC 6238: SHA-1, 6 digits, 30 s), and recovery codes beside them."""

import hashlib
import hmac
import secrets
from base64 import b32encode
from datetime import datetime
from io import BytesIO
from typing import NamedTuple

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete
from sqlalchemy.orm import Session

from hanse.control.access import pepper as peppers
from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.users import service
from hanse.control.users.tables import RecoveryCode, User
from hanse.core.faults import fault
from hanse.core.times import format_time

SECRET_BYTES, STEP_S, DIGITS = 20, 30, 6
AROUND = (-1, 0, 1)
"""Steps that are accepted beside the present one, for a clock that is slightly off."""

RECOVERY_CODES = 10


class Enrolment(NamedTuple):
    """What an authenticator needs, told once: as an address, as text to type, as a QR code."""

    uri: str
    secret: str
    svg: str


def enrol(session: Session, pepper: bytes, user: User, issuer: str, caller: Caller) -> Enrolment:
    """Make a secret; it counts once a code of it was shown to `confirm`. Raises `totp.exists`."""
    if user.totp_since is not None:
        raise fault("totp.exists", f"{user.name} has an authenticator")
    key = secrets.token_bytes(SECRET_BYTES)
    user.totp = peppers.seal(pepper, key, user.id)
    audit.append(session, caller.id, "totp.enrol", user.id)
    uri = _totp(key).get_provisioning_uri(user.name, issuer)
    drawing = BytesIO()
    segno.make(uri, error="m").save(drawing, kind="svg", scale=4, xmldecl=False)
    return Enrolment(uri, b32encode(key).decode(), drawing.getvalue().decode())


def confirm(session: Session, pepper: bytes, user: User, code: str, caller: Caller, at: datetime) -> list[str]:
    """Let the authenticator count from now on; return the recovery codes, told once. Raises `totp.wrong`."""
    if user.totp is None or user.totp_since is not None:
        raise fault("totp.exists", "no authenticator waits for its first code", "enrol one first")
    if not _matches(pepper, user, code, at):
        raise fault("totp.wrong", "the code does not belong to the secret, or the clocks differ")
    user.totp_since = format_time(at)
    codes = [secrets.token_hex(8) for _ in range(RECOVERY_CODES)]
    session.execute(delete(RecoveryCode).where(RecoveryCode.user == user.id))
    session.add_all(RecoveryCode(user=user.id, digest=_digest(user, code)) for code in codes)
    audit.append(session, caller.id, "totp.confirm", user.id)
    return codes


def remove(session: Session, user: User, caller: Caller) -> None:
    """Do without the authenticator again."""
    service.forget_totp(session, user)
    audit.append(session, caller.id, "totp.remove", user.id)


def is_right(session: Session, pepper: bytes, user: User, code: str, at: datetime) -> bool:
    """Say whether this is a code of now that was not used, or an unused recovery code; it is used then."""
    if _matches(pepper, user, code, at):
        return True
    row = session.get(RecoveryCode, (user.id, _digest(user, code)), with_for_update=True)
    if row is None:
        return False
    session.delete(row)
    return True


def _matches(pepper: bytes, user: User, code: str, at: datetime) -> bool:
    """Compare with the codes around now that are later than the last one used, and note which it was."""
    if user.totp is None:
        return False
    totp = _totp(peppers.unseal(pepper, user.totp, user.id))
    present = int(at.timestamp()) // STEP_S
    for step in (present + offset for offset in AROUND):
        right = hmac.compare_digest(totp.generate(step * STEP_S), code.strip().encode("utf-8", "replace"))
        if right and step > user.totp_step:
            user.totp_step = step
            return True
    return False


def _totp(key: bytes) -> TOTP:
    return TOTP(key, DIGITS, SHA1(), STEP_S)  # noqa: S303 (what authenticators compute: RFC 6238)


def _digest(user: User, code: str) -> str:
    """A recovery code has 64 random bits: a plain hash is enough."""
    return hashlib.sha256(f"{user.id} {code.strip().lower().replace('-', '')}".encode("utf-8", "replace")).hexdigest()
