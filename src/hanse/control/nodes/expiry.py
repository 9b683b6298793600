"""Tell the operators when a certificate of this node ends soon: one that it cannot renew, or could not."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from cryptography import x509
from sqlalchemy.orm import Session

from hanse.control.access.permissions import Permission
from hanse.control.notifications import service as notifications
from hanse.core.times import format_time

SOON = timedelta(days=30)


def tell_expiring(
    session: Session, certificates: Callable[[], Mapping[str, str]], moment: datetime | None = None
) -> None:
    """Tell once of each certificate (PEM, the first of its chain) that ends within 30 days of now."""
    for name, pem in certificates().items():
        until = x509.load_pem_x509_certificates(pem.encode())[0].not_valid_after_utc
        link = f"/node#{name.replace(' ', '-')}-{until:%Y-%m-%d}"
        ends_soon = until - (moment or datetime.now(UTC)) < SOON
        if ends_soon and not notifications.was_told(session, "certificate.expiring", link):
            words = {"name": name, "until": format_time(until)}
            notifications.tell(session, "certificate.expiring", to=Permission.NODE_OPERATE, link=link, words=words)
