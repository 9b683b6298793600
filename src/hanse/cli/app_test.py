import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hanse.cli import app as application
from hanse.cli.app import app, main


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command that does something, by its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, found in inner.items():
        yield from leaves(found, (*path, name))


COMMANDS = list(leaves(typer.main.get_command(app)))


def run_main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["hanse", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 0


def test_the_command_line_has_the_commands_that_the_documents_name() -> None:
    named = "application answer, application ask, application list, derived list, derived remove, derived save, "
    named += "grant change, grant show, grant uses, "
    named += "component list, component show, demo, grant add, grant list, "
    named += "grant revoke, invite, job cancel, job estimate, job fetch, job list, job priority, job report, "
    named += "job resume, job retry, job run, job show, job watch, join, member confirm, "
    named += "member list, member resume, member suspend, model list, model show, node status, node up, "
    named += "pipeline archive, pipeline check, pipeline comment, pipeline copy, pipeline diff, "
    named += "pipeline export, pipeline format, pipeline list, pipeline restore, pipeline run, "
    named += "pipeline save, pipeline show, project accept, "
    named += "template add, template fill, template list, template remove, template show, job from-template, "
    named += "project create, project list, version"
    named += ", dataset register, dataset upload, dataset list, dataset show, dataset versions, dataset compare, "
    named += "dataset refresh, dataset describe, dataset retire, dataset delete, dataset receipt"
    named += ", dataset profile run, dataset profile show, dataset profile list, dataset profile compare, "
    named += "dataset profile price, dataset profile share, dataset profile shares, dataset profile withdraw, "
    named += "dataset profile budget, dataset profile partners"
    named += ", login, "
    named += "user list, user show, user add, user disable, user enable, user unlock, user reset, user setup-link, "
    named += "user setup, user choose-password, "
    named += "user change, user projects, user password, user totp, "
    named += "group list, group permissions, group add, group change, group remove, "
    named += "group add-user, group remove-user, session list, session end, "
    named += "key list, key add, key rotate, key revoke, "
    named += "job archive, job remove, job restore, job log, doctor, "
    named += "node certificate show, node certificate request, node certificate sign, node certificate install, "
    named += "node certificate renew, "
    named += "registry open, registry close, registry entries, registry add, registry strike, registry follow, "
    named += "registry leave, registry list, registry show, registry propose, "
    named += "schedule add, schedule list, schedule show, schedule history, schedule pause, schedule resume, "
    named += "schedule run, schedule remove, "
    named += "dataset read, source add, source change, source kinds, source list, source remove, source show, "
    named += "source tables, source test, "
    named += (
        "member invitations, member revoke, member show, member withdraw, project add, project leave, project remove"
    )
    named += ", notification list, notification read, notification subscribe, notification channel list, "
    named += "notification channel add, notification channel change, notification channel remove, "
    named += "notification channel test, notification channel log, notification channel retry"
    named += ", approval list, approval show, approval approve, approval reject, approval withdraw, approval watch, "
    named += "approval delegate, approval delegations, approval undelegate, "
    named += "rule add, rule list, rule remove, policy list, policy set"
    assert sorted(" ".join(path) for path in COMMANDS) == sorted(named.split(", "))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_a_command_does_and_gives_an_example(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}, prog_name="hanse")
    assert shown.exit_code == 0
    assert f"Usage: hanse {' '.join(path)}" in shown.output
    assert f"Example: hanse {' '.join(path)}" in shown.output
    assert path == ("node", "up") or "--json" in shown.output


def test_an_error_is_told_in_words_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert run_main(monkeypatch, "node", "status", "--directory", str(tmp_path)) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    for part in ("node.down", "cause", "no node has been started there", "remedy", "hanse node up --directory"):
        assert part in shown.err


def test_an_error_speaks_chinese_where_the_locale_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run_main(monkeypatch, "model", "list", "--directory", str(tmp_path)) == 1
    shown = capsys.readouterr().err
    assert "原因" in shown
    assert "处理办法" in shown


def test_with_json_an_error_is_one_document_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_main(monkeypatch, "job", "list", "--json", "--directory", str(tmp_path)) == 1
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert (error["code"], shown.err) == ("node.down", "")
    assert set(error["text"]) == {"zh", "en"}
    assert error["text"]["zh"] != error["text"]["en"]


def test_a_mistake_of_the_program_is_told_in_words_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str) -> str:
        raise RuntimeError(f"no release of {name}")

    monkeypatch.setattr(application, "release_of", fail)
    monkeypatch.delenv(application.TRACEBACK, raising=False)
    assert run_main(monkeypatch, "version") == 1
    shown = capsys.readouterr().err
    assert "RuntimeError: no release of hanse" in shown
    assert "Traceback" not in shown


def test_the_version_is_one_json_document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, "version", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"hanse", "python", "system"}


def test_a_wrong_pipeline_file_is_named_with_the_place_of_the_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "risk.json"
    file.write_text('{"name": "risk", "project": "p", "parties": {}, "tasks": {"a": {"component": 3}}}')
    assert run_main(monkeypatch, "job", "run", str(file), "--json") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "pipeline.unreadable"
    assert "$.tasks[...].component" in error["cause"]
