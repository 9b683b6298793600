"""Attempts as real processes, talking through real gateways over mutual TLS."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import msgspec
import pytest
from tests.gateway.house import GUEST, HOST, JOB, TASK, House
from tests.network.proxy import Proxy, wait_until
from tests.network.recorder import Recorder

from hanse.core.events import Progress
from hanse.core.faults import Fault
from hanse.core.specs import Artefact, AttemptResult, AttemptSpec, Limits
from hanse.protocols.messages import decode, kind_of
from hanse.runtime.agreement import Hello
from hanse.runtime.post import CONTROL_STREAM, NOTICES
from hanse.sdk import Table

HERE = Path(__file__).parent
COMMAND = [sys.executable, str(HERE.parent / "faults" / "attempt.py"), "--components", str(HERE / "components")]


class Run:
    """One party's attempt as a process."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self.process = process
        self.directory = directory

    @classmethod
    async def start(
        cls,
        house: House,
        parties: dict,
        tmp_path: Path,
        *,
        attempt: int = 1,
        options: tuple[str, ...] = (),
        socket: Path | None = None,
        limits: Limits | None = None,
        inputs: dict[str, Artefact] | None = None,
        kept: Path | None = None,
        version: str = "1.2.0",
        **settings: object,
    ) -> Run:
        party = next(party for party, owner in parties.items() if owner == house.id)
        directory = tmp_path / "jobs" / house.identity.name / f"{attempt}"
        directory.mkdir(parents=True)
        spec = AttemptSpec(
            job=JOB,
            task=TASK,
            attempt=attempt,
            component="exchange",
            version=version,
            party=party,
            parties=parties,
            settings=settings,
            inputs=inputs or {},
            directory=str(directory),
            checkpoints=str(directory.parent / "checkpoints"),
            kept=str(kept) if kept else "",
            socket=str(socket or house.gateway.socket_path),
            token=house.open(parties, attempt),
            limits=limits or Limits(),
        )
        path = directory / "task.json"
        path.write_bytes(msgspec.json.encode(spec))
        process = await asyncio.create_subprocess_exec(*COMMAND, *options, "run", str(path), stdout=PIPE, stderr=PIPE)
        return cls(process, directory)

    async def end(self) -> tuple[int, AttemptResult | None]:
        """Wait for the process; return its status and its result, None when it left none."""
        out, self.log = await self.process.communicate()
        assert out == b""
        path = self.directory / "result.json"
        result = msgspec.json.decode(path.read_bytes(), type=AttemptResult) if path.exists() else None
        assert self.process.returncode is not None
        return self.process.returncode, result

    async def succeed(self) -> AttemptResult:
        status, result = await self.end()
        assert result is not None, self.log.decode()
        assert (status, result.state, result.fault) == (0, "succeeded", None), self.log.decode()
        return result

    async def fail(self) -> Fault:
        status, result = await self.end()
        assert result is not None, self.log.decode()
        assert (status, result.state, result.outputs) == (1, "failed", {})
        assert result.fault is not None
        return result.fault


def read_report(result: AttemptResult) -> dict:
    return json.loads((Path(result.outputs["report"].path) / "report.json").read_text())["values"]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def test_two_attempts_run_a_component_to_its_end_and_report_it(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    runs = [await Run.start(house, linked, tmp_path, rounds=4, size=300_000) for house in (bank, telecom)]
    at_guest, at_host = [await run.succeed() for run in runs]
    assert read_report(at_guest)["total"] == read_report(at_host)["total"] == 300_000 * (1 + 2 + 3 + 4)
    assert at_guest.outputs["model"].component == "exchange"
    assert at_guest.peak_memory_bytes > 1 << 20
    assert [event for event in bank.side.events if isinstance(event, Progress)][-1] == Progress(4, 4, "asked")
    assert telecom.side.spent == 4
    sent, received = bank.close(), telecom.close()
    assert sent.bytes_sent[HOST] == received.bytes_received[GUEST] > 4 * 300_000 * 8
    assert {(d.stream, d.sha256) for d in sent.digests if d.direction == "sent"} == {
        (d.stream, d.sha256) for d in received.digests if d.direction == "received"
    }
    assert bank.side.lines == telecom.side.lines == []


async def test_only_declared_messages_leave_an_attempt(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    async with (
        Recorder(tmp_path / "b", bank.gateway.socket_path) as at_bank,
        Recorder(tmp_path / "t", telecom.gateway.socket_path) as at_telecom,
    ):
        runs = [
            await Run.start(bank, linked, tmp_path, socket=at_bank.path),
            await Run.start(telecom, linked, tmp_path, socket=at_telecom.path),
        ]
        for run in runs:
            await run.succeed()
    assert [(stream, kind_of(raw)) for _, stream, raw in at_bank.messages if stream != CONTROL_STREAM] == [
        (0, "Question")
    ] * 3
    assert [(stream, kind_of(raw)) for _, stream, raw in at_telecom.messages if stream != CONTROL_STREAM] == [
        (0, "Answer")
    ] * 3
    control = [raw for _, stream, raw in at_bank.messages + at_telecom.messages if stream == CONTROL_STREAM]
    assert control
    for raw in control:
        decode(raw, {"Hello": Hello, **NOTICES}[kind_of(raw)])
    assert {type(head).__name__ for head in at_bank.other} == {"Attach", "Report", "Leave"}


@pytest.mark.parametrize(
    ("options", "started_at"),
    [
        (("--at", "checkpoint", "--nth", "3", "--party", "guest"), {3}),
        (("--at", "checkpoint", "--nth", "3", "--party", "host-1"), {2, 3}),  # what it had said may still arrive
        (("--at", "message", "--nth", "2", "--party", "host-1"), {1}),
        (("--at", "received", "--nth", "1", "--party", "guest"), {0}),
    ],
)
async def test_killed_and_started_again_it_goes_on_from_the_common_checkpoint(
    tmp_path: Path, bank: House, telecom: House, linked: dict, options: tuple[str, ...], started_at: set[int]
) -> None:
    runs = {house: await Run.start(house, linked, tmp_path, options=options, rounds=5) for house in (bank, telecom)}
    victim, other = (bank, telecom) if "guest" in options else (telecom, bank)
    lost = next(party for party, owner in linked.items() if owner == victim.id)
    assert await runs[victim].end() == (-signal.SIGKILL, None)
    other.gateway.peer_gone(JOB, TASK, 1, lost, Fault("attempt.lost", lost, TASK))
    status, result = await runs[other].end()
    assert (status, bool(result and result.fault)) in [(1, True), (0, False)]
    if result and result.fault:
        assert (result.fault.code, result.fault.party) == ("attempt.lost", lost)
    for house in (bank, telecom):
        house.close(1)
    runs = {house: await Run.start(house, linked, tmp_path, attempt=2, rounds=5) for house in (bank, telecom)}
    results = {house: await run.succeed() for house, run in runs.items()}
    assert read_report(results[bank])["total"] == 10 * (1 + 2 + 3 + 4 + 5)
    assert read_report(results[bank])["started_at"] in started_at
    assert read_report(results[bank])["tried"] == 2, "what the first attempt left in its scratch folder is still there"


async def test_what_a_component_keeps_lies_where_the_node_says_for_this_user_alone(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    kept = tmp_path / "kept" / "people" / "bank"
    for attempt in (1, 2):
        runs = [
            await Run.start(house, linked, tmp_path, attempt=attempt, kept=place)
            for house, place in ((bank, kept), (telecom, None))
        ]
        at_guest, _ = [await run.succeed() for run in runs]
        assert read_report(at_guest)["kept"] == attempt
        for house in (bank, telecom):
            house.close(attempt)
    assert kept.stat().st_mode & 0o777 == 0o700


async def test_a_link_cut_during_a_run_is_not_noticed(
    tmp_path: Path, bank: House, telecom: House, parties: dict
) -> None:
    async with Proxy(telecom.port) as proxy:
        telecom.gateway.pin(bank.peer())
        bank.gateway.pin(telecom.peer(proxy.address))
        runs = [await Run.start(house, parties, tmp_path, rounds=60, size=50_000) for house in (bank, telecom)]
        await wait_until(lambda: proxy.carried_bytes > 5_000_000)
        proxy.cut()
        await wait_until(lambda: not bank.is_linked_to(telecom))
        proxy.mend()
        results = [await run.succeed() for run in runs]
    assert read_report(results[0])["total"] == 50_000 * 60 * 61 / 2


async def test_a_failure_names_its_party_and_step_and_keeps_its_cause_at_home(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    guest = await Run.start(bank, linked, tmp_path)
    host = await Run.start(telecom, linked, tmp_path, fail_in=2)
    fault = await host.fail()
    assert (fault.code, fault.party, fault.step) == ("component.failed", HOST, TASK)
    assert fault.cause == "KeyError: 'a value of the host'"
    assert b"Traceback" in host.log or b"frames" in host.log
    bank.gateway.peer_gone(JOB, TASK, 1, HOST, fault.for_peers())
    told = await guest.fail()
    assert told == Fault("component.failed", HOST, TASK)
    assert b"a value of the host" not in guest.log


async def test_too_much_memory_is_a_clean_failure(tmp_path: Path, bank: House, telecom: House, linked: dict) -> None:
    host = await Run.start(telecom, linked, tmp_path, limits=Limits(memory_bytes=400 << 20), memory_mb=4000)
    guest = await Run.start(bank, linked, tmp_path)
    fault = await host.fail()
    assert (fault.code, fault.party) == ("attempt.memory", HOST)
    bank.gateway.cancel_attempt(JOB, TASK, 1)
    await guest.fail()


async def test_a_peer_of_another_version_is_named_with_both_versions(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    fault = await (await Run.start(bank, linked, tmp_path, version="1.1.9")).fail()
    assert fault.code == "version.mismatch"
    assert "1.1.9" in fault.cause
    assert "1.2.0" in fault.cause


async def test_a_live_peer_that_gives_no_sign_is_named_after_the_step_time(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    guest = await Run.start(bank, linked, tmp_path, limits=Limits(step_s=1.0))
    host = await Run.start(telecom, linked, tmp_path, wait=True)
    fault = await guest.fail()
    assert (fault.code, fault.party, fault.step) == ("peer.stalled", HOST, TASK)
    host.process.send_signal(signal.SIGTERM)
    assert (await host.fail()).code == "attempt.cancelled"


@pytest.mark.parametrize("way", ["signal", "frame"])
async def test_told_to_stop_it_ends_as_cancelled(
    tmp_path: Path, bank: House, telecom: House, linked: dict, way: str
) -> None:
    guest = await Run.start(bank, linked, tmp_path)
    host = await Run.start(telecom, linked, tmp_path, wait=True)
    await wait_until(lambda: any(link.bytes_received > 2000 for link in telecom.gateway.links()))
    await wait_until(lambda: (tmp_path / "jobs" / "bank" / "checkpoints").exists())
    if way == "frame":
        bank.gateway.cancel_attempt(JOB, TASK, 1)
    else:
        guest.process.send_signal(signal.SIGTERM)
    fault = await guest.fail()
    assert (fault.code, fault.party, fault.step) == ("attempt.cancelled", GUEST, TASK)
    telecom.gateway.cancel_attempt(JOB, TASK, 1)
    await host.fail()


async def test_without_its_node_an_attempt_ends_at_once_and_leaves_no_result(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    host = await Run.start(telecom, linked, tmp_path, wait=True)
    await wait_until(lambda: (tmp_path / "jobs" / "telecom" / "checkpoints").exists())
    await telecom.gateway.stop()
    assert await host.end() == (3, None)
    await telecom.gateway.start("127.0.0.1", 0)


async def test_an_input_that_was_changed_is_refused(tmp_path: Path, bank: House, telecom: House, linked: dict) -> None:
    table = Table.of({"id": ["a", "b"], "x": [1.0, 2.0], "y": [3.0, 4.0]}, id="id").save(tmp_path / "table")
    parties = {GUEST: bank.id}
    run = await Run.start(bank, parties, tmp_path, inputs={"table": table}, rounds=1)
    assert read_report(await run.succeed())["rows"] == 2
    bank.close(1)
    flip_a_bit(Path(table.path))
    run = await Run.start(bank, parties, tmp_path, attempt=2, inputs={"table": table}, rounds=1)
    assert (await run.fail()).code == "artefact.damaged"


async def test_a_model_is_applied_with_the_settings_that_it_was_trained_with(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    runs = [await Run.start(house, linked, tmp_path, rounds=2) for house in (bank, telecom)]
    trained = [await run.succeed() for run in runs]
    directory = tmp_path / "apply"
    directory.mkdir()
    spec = msgspec.json.decode((runs[0].directory / "task.json").read_bytes(), type=AttemptSpec)
    for part, expected in ((trained[0], 0), (trained[1], 1)):
        applied = msgspec.structs.replace(
            spec,
            apply=True,
            parties={GUEST: bank.id},
            inputs={"model": part.outputs["model"]},
            settings={},
            socket="",
            token="",
            directory=str(directory),
            checkpoints=str(directory / "checkpoints"),
        )
        (directory / "task.json").write_bytes(msgspec.json.encode(applied))
        process = await asyncio.create_subprocess_exec(*COMMAND, "run", str(directory / "task.json"), stderr=PIPE)
        await process.communicate()
        result = msgspec.json.decode((directory / "result.json").read_bytes(), type=AttemptResult)
        assert process.returncode == expected
        if expected == 0:
            assert read_report(result) == {"again": 30.0, "rounds": 2}
        else:
            assert result.fault is not None
            assert result.fault.code == "model.other"


async def test_an_ingest_leaves_a_table_or_says_what_is_wrong(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("id,x\n1,2\n2,3\n")
    bad.write_text("id,x\n1,2\n1,3\n")
    for source, status in ((good, 0), (bad, 1)):
        spec = tmp_path / f"{source.stem}.json"
        directory = tmp_path / source.stem
        spec.write_text(json.dumps({"source": str(source), "id_column": "id", "directory": str(directory)}))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hanse.runtime", "ingest", str(spec), stderr=PIPE
        )
        await process.communicate()
        assert process.returncode == status
        result = msgspec.json.decode((directory / "result.json").read_bytes(), type=AttemptResult)
        if status == 0:
            assert result.outputs["table"].rows == 2
            assert list(directory.glob("*.parquet")) == [Path(result.outputs["table"].path)]
        else:
            assert result.fault is not None
            assert result.fault.code.startswith("dataset.")
