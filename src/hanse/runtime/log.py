"""This process's own log: JSON lines on stderr, which the node keeps as a file.

By the standard library alone: an attempt may live for half a second, and a logging library takes half of that to load.
"""

import json
import sys
import traceback

from hanse.core.times import now

_context: dict[str, object] = {}


def start(**context: object) -> None:
    """Have every line from now on carry `context`."""
    _context.update(context)


def info(event: str, **fields: object) -> None:
    """Write what happened."""
    _write("info", event, fields)


def error(event: str, cause: BaseException) -> None:
    """Write what went wrong, with the traceback: it stays in this house."""
    _write("error", event, {"exception": "".join(traceback.format_exception(cause))})


def _write(level: str, event: str, fields: dict[str, object]) -> None:
    line = {**_context, **fields, "event": event, "level": level, "timestamp": now()}
    sys.stderr.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
    sys.stderr.flush()
