"""What is sent over each channel, byte for byte: bodies, signatures, and what an answer means.

DingTalk, WeCom and Feishu as their pages for custom robots have them. Rooms of chat belong to somebody else's service:
they are told titles only, each once with how often, and where to read on.
"""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import msgspec

from hanse.control.notifications.kinds import CATALOGUE, Language, word
from hanse.control.notifications.tables import ChannelKind, Delivery, Secret

READ_ON: Mapping[Language, str] = {"en": "Log in to read more", "zh": "请登录查看"}
TEST: Mapping[Language, str] = {"en": "This is a test", "zh": "这是一条测试消息"}


class Post(NamedTuple):
    """One HTTPS request."""

    url: str
    headers: dict[str, str]
    body: bytes


class Letter(NamedTuple):
    """What a room or a person is told: titles, the organisation's name, and the console's address."""

    titles: Sequence[str]
    organisation: str
    home: str
    language: Language

    @property
    def head(self) -> str:
        return f"Hanse · {self.organisation}"

    @property
    def read_on(self) -> str:
        return READ_ON[self.language]

    @property
    def text(self) -> str:
        return "\n".join([self.head, *self.titles, f"{self.read_on}: {self.home}"])

    @property
    def markdown(self) -> str:
        return "\n".join([f"### {self.head}", *(f"- {t}" for t in self.titles), "", f"[{self.read_on}]({self.home})"])


def letter(deliveries: Sequence[Delivery], organisation: str, home: str, language: Language) -> Letter:
    """Return several notifications as one letter; none of them is a test."""
    titles = Counter(CATALOGUE[one.kind].title[language] for one in deliveries)
    said = [title if count == 1 else f"{title} (× {count})" for title, count in titles.items()]
    return Letter(said or [TEST[language]], organisation, home, language)


def webhook(secret: Secret, one: Delivery | None, letter: Letter, moment: str, second: int) -> Post:
    """Return a notification as JSON under an HMAC-SHA256 over `timestamp.body`; None is a test.

    Receivers refuse old timestamps, and a `Hanse-Delivery` that they have had: a node that dies may send it again.
    """
    said: dict[str, Any] = {"kind": "test", "title": TEST[letter.language], "body": "", "link": "", "at": moment}
    if one is not None:
        text = word(one.kind, one.words, letter.language)
        said = {"kind": one.kind, "title": text.title, "body": text.body, "link": one.link, "at": one.at}
    body = msgspec.json.encode(said | {"organisation": letter.organisation})
    signature = hmac.new(secret.secret.encode(), f"{second}.".encode() + body, hashlib.sha256).hexdigest()
    return _post(
        secret.url,
        body,
        {
            "Hanse-Timestamp": str(second),
            "Hanse-Signature": f"v1={signature}",
            "Hanse-Delivery": "test" if one is None else str(one.number),
        },
    )


def dingtalk(secret: Secret, letter: Letter, plain: bool, second: int) -> Post:
    """Return a letter for a robot of DingTalk; its signature goes into the address."""
    body: dict[str, Any] = {"msgtype": "markdown", "markdown": {"title": letter.head, "text": letter.markdown}}
    if plain:
        body = {"msgtype": "text", "text": {"content": letter.text}}
    url = secret.url
    if secret.secret:
        stamp = second * 1000
        sign = _hmac(secret.secret.encode(), f"{stamp}\n{secret.secret}".encode())
        url += f"{'&' if '?' in url else '?'}timestamp={stamp}&sign={quote_plus(sign)}"
    return _post(url, msgspec.json.encode(body))


def wecom(secret: Secret, letter: Letter, plain: bool, _second: int) -> Post:
    """Return a letter for a robot of WeCom; it has no signature, its address is the secret."""
    body: dict[str, Any] = {"msgtype": "markdown", "markdown": {"content": letter.markdown}}
    if plain:
        body = {"msgtype": "text", "text": {"content": letter.text}}
    return _post(secret.url, msgspec.json.encode(body))


def feishu(secret: Secret, letter: Letter, plain: bool, second: int) -> Post:
    """Return a letter for a robot of Feishu: a card, or text. The signature is the HMAC of nothing, as theirs is."""
    body: dict[str, Any] = {"msg_type": "interactive", "card": _card(letter)}
    if plain:
        body = {"msg_type": "text", "content": {"text": letter.text}}
    if secret.secret:
        sign = _hmac(f"{second}\n{secret.secret}".encode(), b"")
        body = {"timestamp": str(second), "sign": sign} | body
    return _post(secret.url, msgspec.json.encode(body))


CHATS: Mapping[ChannelKind, Callable[[Secret, Letter, bool, int], Post]] = {
    "dingtalk": dingtalk,
    "wecom": wecom,
    "feishu": feishu,
}

_VERDICTS: Mapping[ChannelKind, str] = {"dingtalk": "errcode", "wecom": "errcode", "feishu": "code"}
"""Where a chat says whether it has taken a letter: it answers 200 to those that it refuses, too."""


def refusal(kind: ChannelKind, answer: bytes) -> str:
    """Return what a chat complains of in an answer with status 200, empty when it has taken the letter."""
    if kind not in _VERDICTS:
        return ""
    try:
        said = msgspec.json.decode(answer, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "it answers something else than a robot does"
    verdict = said.get(_VERDICTS[kind], said.get("StatusCode"))
    return "" if verdict == 0 else f"it answers {verdict!r}"


def _card(letter: Letter) -> dict[str, Any]:
    lines = "\n".join(f"- {title}" for title in letter.titles) + f"\n[{letter.read_on}]({letter.home})"
    return {
        "config": {"wide_screen_mode": True},
        "header": {"title": {"tag": "plain_text", "content": letter.head}},
        "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": lines}}],
    }


def _hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def _post(url: str, body: bytes, headers: dict[str, str] | None = None) -> Post:
    return Post(url, {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Hanse"} | (headers or {}), body)
