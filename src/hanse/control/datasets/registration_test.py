"""The process that reads a file gets what it needs and nothing that is secret."""

import sys
from pathlib import Path

import pytest
from tests.databases import open_new

from hanse.control.datasets.registration import Registration
from hanse.core.faults import HanseError


async def test_the_nodes_secrets_are_not_in_the_readers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "token:$HANSE_TOKEN:database:$HANSE_DATABASE:tmp:$TMPDIR"\n')
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("HANSE_DATABASE", "postgresql://hanse:hush@db/hanse")
    monkeypatch.setenv("HANSE_TOKEN", "hush")
    (tmp_path / "people.csv").write_text("id,x\n1,2\n")
    database = open_new(tmp_path)
    with pytest.raises(HanseError, match=r"dataset\.ingest") as error:
        await Registration(tmp_path, database).register("people", str(tmp_path / "people.csv"), "id")
    database.close()
    assert f"token::database::tmp:{tmp_path}/data/snapshot-" in error.value.fault.cause
