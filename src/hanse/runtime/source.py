"""Try a source: open it, say what answers and which tables its user sees. Order on stdin, answer on stdout.

The order holds the password: it lies in no file and on no command line.
"""

import sys
import time

import msgspec

from hanse.core.faults import Fault, HanseError
from hanse.core.sources import KINDS, Answer, Order
from hanse.runtime.readers import databases, stores


def main() -> int:
    """Answer one order with an `Answer` or a `Fault`, as JSON, and return the exit status."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        answer: Answer | Fault = look(order)
    except HanseError as error:
        answer = error.fault
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 1 if isinstance(answer, Fault) else 0


def look(order: Order) -> Answer:
    """Open the source and list its tables. Raises `source.*`."""
    began = time.monotonic()
    of = stores if KINDS[order.reader.source.kind].is_store else databases
    with of.opened(order.reader, order.password) as source:
        return Answer(source.server(), tuple(source.tables(order.most)), source.encrypted(), time.monotonic() - began)
