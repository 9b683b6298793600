"""Notifications end to end: told in a transaction, sent to real mail servers and receivers over TLS, once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select
from tests.databases import open_new

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit.tables import AuditLine
from hanse.control.database import Database
from hanse.control.nodes.expiry import tell_expiring
from hanse.control.notifications import channels, service
from hanse.control.notifications.channels import Terms
from hanse.control.notifications.sender import MOST_TRIES, Sender
from hanse.control.notifications.service import Wish
from hanse.control.notifications.tables import Channel, ChannelKind, Delivery, Secret
from hanse.control.users import groups
from hanse.control.users.tables import User
from hanse.core.addresses import NOTHING, read_allowed
from hanse.core.faults import HanseError
from hanse.core.times import now

HERE = read_allowed(["localhost"])
JOB = {"name": "secret-score", "code": "peer.unreachable"}
KEY = "key of the house"


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Papers:
    """A certificate for localhost that is its own authority."""

    pem: str
    server: ssl.SSLContext


@dataclass
class House:
    database: Database
    directory: Path
    clock: Clock
    papers: Papers

    def sender(self, **more: Any) -> Sender:
        given: dict[str, Any] = {
            "home": "https://bank.example/notifications",
            "allowed": HERE,
            "clock": self.clock,
        } | more
        return Sender(self.database, self.directory, "bank", **given)

    def hire(self, name: str, group: str, email: str = "") -> Caller:
        with self.database.write() as session:
            user = User(id=f"user-{name}", name=name, email=email, state="active", must_change=False, totp_step=0)
            user.created_at = now()
            session.add(user)
            session.flush()
            groups.set_groups(session, user.id, [group])
            return Caller(user.id, name, "user", groups.permissions_of(session, user.id))

    def open_channel(self, kind: ChannelKind, **terms: Any) -> Channel:
        given = Terms(**{"name": kind, "secret": KEY, "authority": self.papers.pem} | terms)
        with self.database.write() as session:
            return channels.create(session, LOCAL, self.directory, kind, given)

    def tell(self, *people: str) -> None:
        with self.database.write() as session:
            service.tell(session, "job.failed", to=people, link="/jobs/job-1", words=JOB)

    def log(self, channel: Channel) -> list[Delivery]:
        with self.database.read() as session:
            return channels.list_deliveries(session, channel.id)

    def states(self, channel: Channel) -> list[str]:
        return [one.state for one in self.log(channel)]

    def pass_by(self, **span: float) -> None:
        self.clock.now += timedelta(**span)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    moment = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(moment - timedelta(days=1)).not_valid_after(moment + timedelta(days=20))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.add_extension(names, False).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("papers") / "server.pem"
    path.write_bytes(secret + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return Papers(pem.decode(), server)


@pytest.fixture
def house(tmp_path: Path, papers: Papers) -> Iterator[House]:
    database = open_new(tmp_path)
    with database.write() as session:
        groups.plant(session)
    yield House(database, tmp_path, Clock(), papers)
    database.close()


Answer = Callable[[], web.Response]


@dataclass
class Receiver:
    """A real HTTPS server; it keeps what it was sent and answers what it is told to."""

    url: str = ""
    answer: Answer = lambda: web.Response(text='{"errcode":0,"code":0}')
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((str(request.rel_url), dict(request.headers), await request.read()))
        return self.answer()


@asynccontextmanager
async def receiving(papers: Papers, answer: Answer | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver() if answer is None else Receiver(answer=answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=papers.server)
    await site.start()
    receiver.url = f"https://localhost:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Postbox:
    """What the mail server does with what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], str]] = []

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Any, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        assert _session.ssl is not None
        self.got.append((envelope.mail_from or "", envelope.rcpt_tos, envelope.content.decode()))
        return "250 taken"


def check_login(_server: SMTP, _session: Any, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"hanse", KEY.encode())
    return AuthResult(success=good, handled=False)


@pytest.fixture
async def mail(papers: Papers) -> AsyncIterator[tuple[str, Postbox]]:
    """A real SMTP server that takes mail only after STARTTLS and a login."""
    box, loop = Postbox(), asyncio.get_running_loop()

    def serve() -> SMTP:
        return SMTP(
            box,
            tls_context=papers.server,
            require_starttls=True,
            authenticator=check_login,
            auth_required=True,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", 0)
    yield f"localhost:{server.sockets[0].getsockname()[1]}", box
    server.close()
    await server.wait_closed()


def mail_terms(place: str, **more: Any) -> dict[str, Any]:
    return {"place": place, "sender": "hanse@bank.example", "username": "hanse"} | more


async def test_mail_goes_over_starttls_after_a_login_and_holds_no_word_of_the_case(
    house: House, mail: tuple[str, Postbox]
) -> None:
    ann = house.hire("ann", "modeller", "ann@bank.example")
    house.hire("bob", "modeller")
    channel = house.open_channel("email", **mail_terms(mail[0]))
    with house.database.write() as session:
        service.subscribe(session, ann, [], "zh")
    house.tell("user-ann", "user-bob")
    house.tell("user-ann")
    house.pass_by(seconds=31)
    await house.sender().settle()
    assert house.states(channel) == ["sent", "sent"]
    ((sender, receivers, text),) = mail[1].got
    assert (sender, receivers) == ("hanse@bank.example", ["ann@bank.example"])
    assert "Auto-Submitted: auto-generated" in text
    assert "https://bank.example/notifications" in text
    assert all(hidden not in text for hidden in ("secret-score", "job-1", "user-ann", KEY))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"secret": "wrong"}, "refuses the name or the password (535)"),
        ({"authority": ""}, "certificate or TLS is not good"),
    ],
)
async def test_mail_that_is_not_taken_is_tried_again_and_says_why(
    house: House, mail: tuple[str, Postbox], terms: dict[str, Any], words: str
) -> None:
    house.hire("ann", "modeller", "ann@bank.example")
    channel = house.open_channel("email", **mail_terms(mail[0], **terms))
    house.tell("user-ann")
    house.pass_by(seconds=31)
    await house.sender().settle()
    (one,) = house.log(channel)
    assert (one.state, one.tries, mail[1].got) == ("waiting", 1, [])
    assert words in one.error


async def test_a_webhook_is_signed_and_sent_once_by_two_processes(house: House) -> None:
    async with receiving(house.papers) as receiver:
        channel = house.open_channel("webhook", url=f"{receiver.url}/hook")
        for _ in range(5):
            house.tell()
        house.pass_by(seconds=1)
        await asyncio.gather(*(house.sender().settle() for _ in range(2)))
        await house.sender().settle()
    assert house.states(channel) == ["sent"] * 5
    assert len({headers["Hanse-Delivery"] for _, headers, _ in receiver.got}) == len(receiver.got) == 5
    path, headers, body = receiver.got[0]
    expected = hmac.new(KEY.encode(), headers["Hanse-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert (path, headers["Hanse-Signature"]) == ("/hook", f"v1={expected}")
    assert msgspec.json.decode(body)["body"] == "secret-score has failed (peer.unreachable)."


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
async def test_rooms_of_chat_get_one_letter_of_what_came_together(house: House, kind: ChannelKind) -> None:
    async with receiving(house.papers) as receiver:
        channel = house.open_channel(kind, url=f"{receiver.url}/robot?key=1", kinds=("job.failed",))
        house.tell()
        house.tell()
        with house.database.write() as session:
            service.tell(session, "job.ended", to=[], words={"name": "n", "state": "succeeded"})
        house.pass_by(seconds=6)
        await house.sender().settle()
        assert await house.sender().test(channel) == ""
    assert house.states(channel) == ["sent", "sent"]
    (path, _, body), (_, _, test) = receiver.got
    assert path.startswith("/robot?key=1")
    assert ("&sign=" in path) is (kind == "dingtalk")
    assert "A job has failed (× 2)" in body.decode()
    assert "secret-score" not in body.decode()
    assert "This is a test" in test.decode()


async def test_what_a_room_refuses_in_words_is_not_sent(house: House) -> None:
    async with receiving(house.papers, lambda: web.Response(text='{"errcode":310000}')) as receiver:
        channel = house.open_channel("dingtalk", url=receiver.url)
        assert await house.sender().test(channel) == "it answers 310000"


async def test_failures_are_repeated_later_and_later_then_given_up_and_revived(house: House) -> None:
    async with receiving(house.papers, lambda: web.Response(status=503)) as receiver:
        channel = house.open_channel("webhook", url=receiver.url)
        house.tell()
        house.pass_by(seconds=1)
        gaps = []
        for _ in range(MOST_TRIES):
            await house.sender().settle()
            (one,) = house.log(channel)
            gaps.append((datetime.fromisoformat(one.due_at) - house.clock.now).total_seconds())
            await house.sender().settle()
            house.clock.now = datetime.fromisoformat(one.due_at)
        assert (one.state, one.tries, len(receiver.got)) == ("dead", MOST_TRIES, MOST_TRIES)
        assert [round(gap) for gap in gaps] == [30, 60, 120, 240, 480, 960, 1920, 3600]
        receiver.answer = lambda: web.Response(text="ok")
        with house.database.write() as session:
            assert channels.revive(session, LOCAL, channel.id) == 1
        await house.sender().settle()
    assert house.states(channel) == ["sent"]


@pytest.mark.parametrize("status", [302, 307, 400, 404, 410])
async def test_a_redirect_or_a_refusal_ends_a_delivery_at_once(house: House, status: int) -> None:
    async with receiving(house.papers) as target:
        answer = lambda: web.Response(status=status, headers={"Location": f"{target.url}/elsewhere"})  # noqa: E731
        async with receiving(house.papers, answer) as receiver:
            channel = house.open_channel("webhook", url=receiver.url)
            house.tell()
            house.pass_by(seconds=1)
            await house.sender().settle()
    assert (house.states(channel), len(receiver.got), target.got) == (["dead"], 1, [])


async def test_an_address_of_the_house_is_dialled_only_where_it_is_allowed(house: House) -> None:
    async with receiving(house.papers) as receiver:
        channel = house.open_channel("webhook", url=receiver.url)
        assert (await house.sender(allowed=NOTHING).test(channel)).startswith("address.refused")
        literal = house.open_channel("webhook", name="literal", url=receiver.url.replace("localhost", "127.0.0.1"))
        assert (await house.sender(allowed=NOTHING).test(literal)).startswith("address.refused")
        mapped = receiver.url.replace("localhost", "[::ffff:127.0.0.1]")
        hidden = house.open_channel("webhook", name="mapped", url=mapped)
        assert (await house.sender(allowed=NOTHING).test(hidden)).startswith("address.refused")
    assert receiver.got == []


async def test_a_certificate_that_nobody_trusts_is_not_spoken_to(house: House) -> None:
    async with receiving(house.papers) as receiver:
        channel = house.open_channel("webhook", url=receiver.url, authority="")
        assert "Certificate" in await house.sender().test(channel)
    assert receiver.got == []


async def test_an_endless_answer_is_read_no_further_than_its_cap(house: House) -> None:
    async with receiving(house.papers, lambda: web.Response(body=b"x" * (8 << 20))) as receiver:
        channel = house.open_channel("webhook", url=receiver.url)
        assert await house.sender().test(channel) == ""


async def test_what_a_dead_process_had_taken_is_sent_by_another_after_its_lease(house: House) -> None:
    async with receiving(house.papers) as receiver:
        channel = house.open_channel("webhook", url=receiver.url)
        house.tell()
        house.pass_by(seconds=1)
        assert house.sender()._claim(channel.id) is not None
        await house.sender().settle()
        assert receiver.got == []
        house.pass_by(seconds=121)
        await house.sender().settle()
    assert (house.states(channel), len(receiver.got)) == (["sent"], 1)


def test_a_kept_secret_goes_to_no_other_place(house: House) -> None:
    channel = house.open_channel("webhook", url="https://one.example/hook")
    with house.database.write() as session:
        row = channels.find(session, channel.id)
        assert KEY not in row.sealed
        assert channels.secret_of(row, house.directory) == Secret("https://one.example/hook", KEY)
        moved = Terms("webhook", url="https://two.example/hook")
        with pytest.raises(HanseError, match=r"channel\.secret_needed"):
            channels.change(session, LOCAL, house.directory, channel.id, moved)
        kept = channels.change(session, LOCAL, house.directory, channel.id, Terms("hook", state="off"))
        assert channels.secret_of(kept, house.directory).secret == KEY


@pytest.mark.parametrize(
    "url", ["http://h.example/", "https://user:word@h.example/", "https://", "ftp://h.example", "https://h:x/", "h"]
)
def test_only_https_without_a_password_is_an_address(house: House, url: str) -> None:
    with pytest.raises(HanseError, match=r"channel\.invalid"):
        house.open_channel("webhook", url=url)


def test_holders_of_a_permission_are_told_with_their_reach_and_nobody_else(house: House) -> None:
    for name, group in (("ann", "approver"), ("bob", "modeller"), ("cat", "operator")):
        house.hire(name, group)
    with house.database.write() as session:
        words = {"title": "t", "kind": "job"}
        told = service.tell(session, "approval.requested", to=Permission.APPROVALS_DECIDE, but={LOCAL.id}, words=words)
        assert told == {"user-ann"}
        own = service.tell(session, "job.ended", to=Permission.JOBS_READ, words={"name": "n", "state": "succeeded"})
        assert own == {LOCAL.id, "user-ann", "user-cat"}


def test_one_reads_what_one_was_told_and_nothing_of_others(house: House) -> None:
    ann, bob = house.hire("ann", "modeller"), house.hire("bob", "modeller")
    house.tell("user-ann", "user-bob", "user-gone")
    house.tell("user-ann")
    key = Caller("key-1", "nightly", "key", {Permission.MODELS_READ: "own"}, user="user-ann")
    with house.database.write() as session:
        assert service.count_unread(session, ann) == 1  # the second took the place of the first: the same link
        assert service.count_unread(session, key) == 0
        assert service.list_notifications(session, key) == []
        (other,) = service.list_notifications(session, bob)
        assert service.mark_read(session, ann, [other.number]) == 0
        assert service.mark_read(session, ann) == 1
        assert (service.count_unread(session, ann), service.count_unread(session, bob)) == (0, 1)
        assert list(session.scalars(select(AuditLine.actor).where(AuditLine.action == "notification.read"))) == [ann.id]


def test_a_wish_decides_what_is_told_where(house: House) -> None:
    ann = house.hire("ann", "modeller", "ann@bank.example")
    mail = house.open_channel("email", **mail_terms("mail.example:587"))
    with house.database.write() as session:
        service.subscribe(session, ann, [Wish("job.failed", False, False), Wish("job.ended", True, True)])
        wishes = {wish.kind: wish for wish in service.wishes_of(session, ann.id)}
        assert wishes["job.failed"] == Wish("job.failed", False, False)
        assert wishes["approval.requested"] == Wish("approval.requested", True, True)
        service.tell(session, "job.ended", to=[ann.id], words={"name": "n", "state": "succeeded"})
    house.tell(ann.id)
    with house.database.read() as session:
        assert [one.kind for one in service.list_notifications(session, ann)] == ["job.ended"]
    assert [(one.kind, one.reader) for one in house.log(mail)] == [("job.ended", ann.id)]


def test_nothing_is_told_of_what_was_rolled_back(house: House) -> None:
    house.hire("ann", "modeller")

    def tell_badly() -> None:
        with house.database.write() as session:
            service.tell(session, "job.failed", to=["user-ann"], words=JOB)
            service.tell(session, "job.failed", to=["user-ann"], words={})

    with pytest.raises(KeyError):
        tell_badly()
    with house.database.read() as session:
        assert service.list_notifications(session, Caller("user-ann", "ann", "user", {})) == []


def test_a_certificate_that_ends_soon_is_told_once(house: House) -> None:
    house.hire("cat", "operator")
    with house.database.write() as session:
        for _ in range(2):
            tell_expiring(session, lambda: {"REST": house.papers.pem})
        tell_expiring(session, lambda: {"REST": house.papers.pem}, datetime.now(UTC) - timedelta(days=20))
        found = service.list_notifications(session, Caller("user-cat", "cat", "user", {}))
    assert [one.kind for one in found] == ["certificate.expiring"]
