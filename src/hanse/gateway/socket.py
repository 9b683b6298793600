"""The Unix socket of this node's own processes: attempts and the planner. Only this user may reach it."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from hanse.core import frames
from hanse.core.faults import fault
from hanse.core.lines import Line

ATTACH_S = 10.0
PATH_BYTES = 107
"""What `sockaddr_un` holds on Linux."""


Serve = Callable[[bytes, Line], Awaitable[None]]


def _short_directory() -> Path:
    """Make a private directory whose path leaves room for the socket. Raises HanseError("node.directory")."""
    rooms = (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")  # noqa: S108  (mkdtemp is private)
    for room in rooms:
        path_bytes = len(os.fsencode(room)) + len("/hanse-12345678/attempts")
        if room and path_bytes <= PATH_BYTES and os.access(room, os.W_OK | os.X_OK):
            return Path(tempfile.mkdtemp(prefix="hanse-", dir=room))
    cause = f"no directory for the attempts' socket: its path may have {PATH_BYTES} bytes"
    raise fault("node.directory", cause, "choose a shorter --directory, or set TMPDIR to a short one")


class AttemptSocket:
    """Listens in a directory of mode 0700 and hands each line, with the token that it opened with, to `serve`."""

    def __init__(self, directory: Path, serve: Serve, refuse: Callable[[str], None]) -> None:
        self._serve = serve
        self._refuse = refuse
        self._lines: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._own_directory: Path | None = None
        self.path = directory / "socket" / "attempts"
        if len(os.fsencode(self.path.absolute())) > PATH_BYTES:
            self._own_directory = _short_directory()
            self.path = self._own_directory / "attempts"

    async def start(self) -> None:
        """Begin to listen; a socket that an earlier run left behind is replaced."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: Line(self._accept), str(self.path))
        self.path.chmod(0o600)

    async def stop(self) -> None:
        """End every line and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        self.path.unlink(missing_ok=True)
        if self._own_directory is not None:
            shutil.rmtree(self._own_directory, ignore_errors=True)

    def _accept(self, line: Line) -> None:
        serving = asyncio.create_task(self._run(line))
        self._lines.add(serving)
        serving.add_done_callback(self._lines.discard)

    async def _run(self, line: Line) -> None:
        try:
            async with asyncio.timeout(ATTACH_S):
                opening = await line.read()
            match opening:
                case (frames.Attach(token), _):
                    await self._serve(token.encode(), line)
                case None:
                    pass
                case _:
                    self._refuse("a process opens the attempts' socket with something that is no Attach")
        except (ValueError, TimeoutError) as error:
            self._refuse(f"a process on the attempts' socket sends {error or 'nothing'}")
        except ConnectionError:
            pass
        finally:
            line.close()
