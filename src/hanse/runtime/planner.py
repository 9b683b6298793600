"""The resident planner: answers what the control plane may not compute, because it knows no component."""

import asyncio
import os
import signal
from collections import defaultdict

import msgspec

from hanse.core import frames
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.planning import Catalogue, CheckPipeline, DescribeCatalogue, PipelineCheck, Question
from hanse.runtime import catalogue, log, pipelines
from hanse.sdk.component import Component

QUESTION_BYTES = 64 << 20

_question: msgspec.msgpack.Decoder[Question] = msgspec.msgpack.Decoder(Question)


def main() -> int:
    """Attach to the gateway that the environment names (`HANSE_SOCKET`, `HANSE_TOKEN`) and answer until it ends."""
    log.start(process="planner")
    return asyncio.run(serve(os.environ["HANSE_SOCKET"], os.environ.pop("HANSE_TOKEN")))


async def serve(path: str, token: str) -> int:
    """Answer questions until the socket ends or the node says stop."""
    components = catalogue.load_all()
    reader, writer = await asyncio.open_unix_connection(path, limit=2 * frames.PIECE_BYTES)
    writer.writelines(frames.encode(frames.Attach(token)))
    answering = asyncio.create_task(_answer_all(reader, writer, components))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, answering.cancel)
    log.info("planner.started", components=len(components))
    await asyncio.wait({answering})
    writer.close()
    error = None if answering.cancelled() else answering.exception()
    if error is None or isinstance(error, asyncio.IncompleteReadError | ConnectionError):
        return 0
    log.error("planner.failed", error)
    return 1


async def _answer_all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, components: dict[str, Component]
) -> None:
    parts: defaultdict[int, bytearray] = defaultdict(bytearray)
    while True:
        head_bytes, body_bytes = frames.lengths(await reader.readexactly(frames.LENGTHS_BYTES))
        head = frames.decode(await reader.readexactly(head_bytes))
        body = await reader.readexactly(body_bytes)
        if not isinstance(head, frames.Ask):
            continue
        parts[head.id] += body
        if sum(map(len, parts.values())) > QUESTION_BYTES:
            raise ValueError(f"questions above {QUESTION_BYTES} bytes")
        if head.final:
            await _write_answer(writer, head.id, await _find_answer(bytes(parts.pop(head.id)), components))


async def _find_answer(raw: bytes, components: dict[str, Component]) -> bytes | Fault:
    """Return the answer, or why there is none: one bad question must not end the planner."""
    finding = asyncio.create_task(asyncio.to_thread(answer, raw, components))
    await asyncio.wait({finding})
    match finding.exception():
        case None:
            return msgspec.msgpack.encode(finding.result())
        case HanseError(fault=told):
            return told
        case error:
            log.error("question.failed", error)
            return Fault("planner.failed", step="planning", cause=f"{type(error).__name__}: {error}")


async def _write_answer(writer: asyncio.StreamWriter, ask_id: int, answer: bytes | Fault) -> None:
    if isinstance(answer, Fault):
        writer.writelines(frames.encode(frames.Answer(ask_id, answer)))
    else:
        for body, final in frames.pieces(answer):
            writer.writelines(frames.encode(frames.Answer(ask_id, final=final), body))
            await writer.drain()
    await writer.drain()


def answer(raw: bytes, components: dict[str, Component]) -> Catalogue | PipelineCheck:
    """Answer one encoded question. Raises HanseError("planner.question") when it is none."""
    try:
        question = _question.decode(raw)
    except msgspec.DecodeError as error:
        raise fault("planner.question", f"no question: {error}", step="planning") from error
    match question:
        case DescribeCatalogue():
            return Catalogue(tuple(component.card() for component in components.values()))
        case CheckPipeline():
            return pipelines.check(question, components)
