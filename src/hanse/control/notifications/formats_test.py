"""What is sent, byte for byte; signatures against values that OpenSSL's command line computed."""

from typing import Any

import msgspec
import pytest

from hanse.control.notifications.formats import CHATS, Letter, letter, refusal, webhook
from hanse.control.notifications.kinds import CATALOGUE, KINDS, LANGUAGES, word
from hanse.control.notifications.tables import ChannelKind, Delivery, Secret

SECOND = 1_766_500_000
LETTER = Letter(["A job has failed", "A request waits for a decision (× 2)"], "bank", "https://bank.example/n", "en")

MARKDOWN = (
    "### Hanse · bank\n- A job has failed\n- A request waits for a decision (× 2)\n\n"
    "[Log in to read more](https://bank.example/n)"
)
TEXT = (
    "Hanse · bank\nA job has failed\nA request waits for a decision (× 2)\nLog in to read more: https://bank.example/n"
)
CARD = {
    "config": {"wide_screen_mode": True},
    "header": {"title": {"tag": "plain_text", "content": "Hanse · bank"}},
    "elements": [
        {
            "tag": "div",
            "text": {
                "tag": "lark_md",
                "content": "- A job has failed\n- A request waits for a decision (× 2)\n"
                "[Log in to read more](https://bank.example/n)",
            },
        }
    ],
}

GOLDEN: list[tuple[ChannelKind, bool, dict[str, Any]]] = [
    ("dingtalk", False, {"msgtype": "markdown", "markdown": {"title": "Hanse · bank", "text": MARKDOWN}}),
    ("dingtalk", True, {"msgtype": "text", "text": {"content": TEXT}}),
    ("wecom", False, {"msgtype": "markdown", "markdown": {"content": MARKDOWN}}),
    ("wecom", True, {"msgtype": "text", "text": {"content": TEXT}}),
    ("feishu", False, {"msg_type": "interactive", "card": CARD}),
    ("feishu", True, {"msg_type": "text", "content": {"text": TEXT}}),
]


@pytest.mark.parametrize(("kind", "plain", "body"), GOLDEN)
def test_a_letter_has_the_form_that_the_room_reads(kind: ChannelKind, plain: bool, body: dict[str, Any]) -> None:
    post = CHATS[kind](Secret("https://chat.example/robot?key=1"), LETTER, plain, SECOND)
    assert (post.url, msgspec.json.decode(post.body)) == ("https://chat.example/robot?key=1", body)


def test_dingtalk_is_signed_in_the_address() -> None:
    post = CHATS["dingtalk"](Secret("https://oapi.example/robot/send?access_token=t", "SEC0"), LETTER, False, SECOND)
    signed = "https://oapi.example/robot/send?access_token=t&timestamp=1766500000000&sign="
    assert post.url == signed + "zeNIdGS9br5z0U6aj3A9V9VRMstced0HTARzr1BTviU%3D"


def test_feishu_is_signed_in_the_body() -> None:
    body = msgspec.json.decode(CHATS["feishu"](Secret("https://f.example/h", "SEC0"), LETTER, True, SECOND).body)
    assert (body["timestamp"], body["sign"]) == ("1766500000", "YFytd7Wk2ri1jtJCaVKNGFxs5il868OGgXWLo+GiHpg=")


def test_a_webhook_is_signed_over_its_timestamp_and_body() -> None:
    one = Delivery(
        number=7, kind="job.failed", words={"name": "score", "code": "x.y"}, link="/jobs/job-1", at="2026-11-23"
    )
    post = webhook(Secret("https://h.example/", "key"), one, LETTER, "now", SECOND)
    assert post.body == (
        b'{"kind":"job.failed","title":"A job has failed","body":"score has failed (x.y).","link":"/jobs/job-1",'
        b'"at":"2026-11-23","organisation":"bank"}'
    )
    assert post.headers["Hanse-Timestamp"] == "1766500000"
    assert post.headers["Hanse-Delivery"] == "7"
    assert post.headers["Hanse-Signature"] == "v1=819d9577b0625a7ee31e55d18f3727793a148414a7d02adaa70589007e9587e7"


def test_a_letter_holds_titles_and_no_word_of_the_case() -> None:
    words = {"name": "secret-name", "code": "c.d"}
    several = [Delivery(kind="job.failed", words=words, link="/jobs/job-1") for _ in range(2)]
    told = letter(several, "bank", "https://bank.example/n", "zh")
    assert told.titles == ["有作业失败 (× 2)"]
    assert "secret-name" not in told.text + told.markdown
    assert "job-1" not in told.text + told.markdown


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_in_both_languages(kind: Any) -> None:
    assert all("{" not in CATALOGUE[kind].title[language] for language in LANGUAGES)
    gaps = "partner dataset title state reason kind cause name until project code due version older columns".split()
    said = {language: word(kind, dict.fromkeys(gaps, "WORD"), language) for language in LANGUAGES}
    assert said["en"].body.isascii()
    assert not said["zh"].title.isascii()
    assert said["en"].body.count("WORD") == said["zh"].body.count("WORD") > 0


@pytest.mark.parametrize(
    ("kind", "answer", "taken"),
    [
        ("dingtalk", b'{"errcode":0,"errmsg":"ok"}', True),
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', False),
        ("wecom", b"<html>", False),
        ("wecom", b"{}", False),
        ("feishu", b'{"StatusCode":0}', True),
        ("feishu", b'{"code":19021}', False),
        ("webhook", b"anything", True),
    ],
)
def test_a_room_that_answers_200_may_still_refuse(kind: ChannelKind, answer: bytes, taken: bool) -> None:
    assert (refusal(kind, answer) == "") is taken
