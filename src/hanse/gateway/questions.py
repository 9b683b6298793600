"""Questions to the resident planner, and its answers."""

import asyncio
import hmac
import itertools

from hanse.core import frames
from hanse.core.faults import Fault, HanseError, fault
from hanse.gateway.attempts import Inbox

ANSWER_BYTES = 64 << 20


class Questions:
    """The node's end of the planner: at most one is attached, the last to come."""

    def __init__(self) -> None:
        self._tokens: set[bytes] = set()
        self._inbox: Inbox | None = None
        self._attached = asyncio.Event()
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._parts: dict[int, bytearray] = {}

    def expect(self, token: str) -> None:
        """Let a planner attach with this token, once."""
        self._tokens.add(token.encode())

    def attach(self, token: bytes) -> Inbox | None:
        """Return the inbox of a planner that shows an expected token, or None."""
        found = [expected for expected in self._tokens if hmac.compare_digest(expected, token)]
        if not found:
            return None
        self._tokens.discard(found[0])
        if self._inbox is not None:
            self._fail(Fault("planner.away", step="planning", cause="the planner was replaced"))
        self._inbox = Inbox()
        self._attached.set()
        return self._inbox

    def detach(self, inbox: Inbox) -> None:
        """Forget a planner whose socket has ended: its questions fail."""
        if self._inbox is inbox:
            self._inbox = None
            self._attached.clear()
            self._fail(Fault("planner.away", step="planning", cause="the planner has ended", remedy="ask again"))

    async def ask(self, question: bytes, timeout_s: float) -> bytes:
        """Return the planner's answer. Raises HanseError: its own fault, or that it is away."""
        question_id = next(self._ids)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[question_id] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._attached.wait()
                if self._inbox is not None:
                    for body, final in frames.pieces(question):
                        self._inbox.put(frames.Ask(question_id, final), body)
                return await answer
        except TimeoutError:
            raise fault(
                "planner.away", f"no answer within {timeout_s:g} s", "see log/ of this node", step="planning"
            ) from None
        finally:
            del self._waiting[question_id]
            self._parts.pop(question_id, None)

    def answered(self, head: frames.Answer, body: bytes) -> None:
        """Take a piece of an answer. Raises ValueError when it grows above its cap."""
        answer = self._waiting.get(head.id)
        if answer is None or answer.done():
            return
        parts = self._parts.setdefault(head.id, bytearray())
        parts += body
        if len(parts) > ANSWER_BYTES:
            raise ValueError(f"an answer above {ANSWER_BYTES} bytes")
        if head.fault is not None:
            answer.set_exception(HanseError(head.fault))
        elif head.final:
            answer.set_result(bytes(parts))

    def _fail(self, problem: Fault) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(HanseError(problem))
