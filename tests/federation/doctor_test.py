"""The link check as an operator meets it: over REST and on the command line, with one audit line each."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from typer.testing import CliRunner

from hanse.cli.app import app
from hanse.control.doctor.verdicts import judge, worst
from hanse.control.doctor.words import WORDS
from hanse.control.estimates.service import rate_to
from hanse.core.links import Reading


async def test_a_members_link_is_checked_and_audited_once(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    checked = await bank.ask("POST", "/doctor", {"target": "operator"})
    assert (checked["target"], checked["address"]) == ("operator", operator.node.party)
    found = {finding["name"]: finding for finding in checked["findings"]}
    assert {"dns", "tls", "upgrade", "bandwidth_up", "frame"} <= found.keys()
    assert "bad" not in {finding["state"] for finding in found.values()}
    ((actor, told),) = bank.audited("link.check")
    assert (actor, told["address"]) == ("administrator", operator.node.party)
    slower = min(found[way]["value"] for way in ("bandwidth_up", "bandwidth_down"))
    database = bank.database()
    with database.read() as session:
        assert rate_to(session, operator.id) == slower * 1e6 / 8
    database.close()
    assert (await bank.fail("POST", "/doctor", {"target": "nobody"}))["code"] == "member.unknown"


async def test_a_stranger_is_met_and_a_member_that_suspended_us_is_told(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    met = await bank.ask("POST", "/doctor", {"target": operator.node.party})
    assert met["findings"][-1]["value"] == "operator"
    await bank.pair(operator)
    await operator.ask("POST", f"/members/{bank.id}/suspend")
    words = ["doctor", "operator", "--directory", str(bank.directory), "--json"]
    called = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert called.exit_code == 1
    checked = json.loads(called.stdout.splitlines()[-1])
    assert (checked["state"], checked["findings"][-1]["code"]) == ("bad", "echo.refused")
    assert checked["findings"][-1]["remedy"].keys() == {"en", "zh"}


def test_values_are_judged_by_their_bounds() -> None:
    def verdict(name: str, value: float | str) -> tuple[str, str]:
        found = judge(Reading(name, value), "0.2.0")
        return found.state, found.code

    assert verdict("clock", -4.0) == ("ok", "")
    assert verdict("clock", -6.0) == ("warn", "clock.skewed")
    assert verdict("clock", 301.0) == ("bad", "clock.skewed")
    assert verdict("bandwidth_up", 0.5) == ("bad", "bandwidth.low")
    assert verdict("certificate", 29) == ("warn", "certificate.ending")
    assert verdict("release", "0.1.0") == ("warn", "release.differs")
    assert verdict("release", "0.2.0") == ("ok", "")
    assert judge(Reading("echo", trouble="echo.absent"), "").state == "warn"
    assert worst([judge(Reading("dns", "a"), ""), judge(Reading("tcp", trouble="tcp.refused"), "")]) == "bad"


def test_every_word_is_said_in_both_languages() -> None:
    for code, words in WORDS.items():
        for text in (words.cause, words.remedy):
            assert text["en"].isascii(), code
            assert not text["zh"].isascii(), code
