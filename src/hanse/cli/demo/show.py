"""The demonstration from the first process to the last: whatever happens on the way, nothing is left behind."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from hanse.cli.demo.cast import Cast
from hanse.cli.demo.closing import draw_kept, draw_outcome
from hanse.cli.demo.play import Outcome, perform
from hanse.cli.demo.stage import MemoryMeter, NodeProcess, stop
from hanse.cli.demo.story import Story
from hanse.cli.screen import say_json
from hanse.core.faults import fault

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def give(make_cast: Callable[[Path], Cast], story: Story, keep: Path | None, as_json: bool) -> None:
    """Give the demonstration. `make_cast` writes its files below a folder; `keep` is the folder that stays."""
    start = time.monotonic()
    nodes: list[NodeProcess] = []
    meter = MemoryMeter()
    with _ended_by_signals(), _folder(keep) as directory, _stopped(nodes) as running:
        cast = make_cast(_below(directory, "files"))
        if not as_json:
            story.console.print(f"\n[bold]{len(cast.players)} organisations, one question: {cast.story}?[/]\n")
        outcome = asyncio.run(perform(cast, directory, story, nodes, meter))
        running[0] = keep is not None
        seconds = time.monotonic() - start
        if as_json:
            say_json(_document(outcome, story, seconds, meter.peak_bytes, keep, nodes))
        else:
            draw_outcome(story, outcome, seconds, meter.peak_bytes)
        if keep is not None and not as_json:
            draw_kept(story, nodes)
    _demand_equal(outcome)


def _document(
    outcome: Outcome, story: Story, seconds: float, peak_bytes: int, keep: Path | None, nodes: list[NodeProcess]
) -> dict[str, object]:
    kept = {node.organisation: {"directory": str(node.directory), "pid": node.pid} for node in nodes} if keep else None
    return {
        **msgspec.to_builtins(outcome),
        "seconds": {**story.seconds, "total": seconds},
        "peak_memory_bytes": peak_bytes,
        "kept": kept,
    }


def _demand_equal(outcome: Outcome) -> None:
    for check in outcome.checks:
        if not check.holds:
            cause = f"batch scores differ from those of the {check.against} by {check.farthest:g} ({check.rows} rows)"
            raise fault("demo.unequal", cause, "please report it", step="compare scores")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give a folder: a temporary one that goes at the end, or the one to keep, which must be new or empty."""
    if keep is None:
        directory = Path(tempfile.mkdtemp(prefix="hanse-demo-"))
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise fault(
            "demo.settings", f"{keep} is not empty", "remove it, or give another folder", step="make the folder"
        )
    yield keep.absolute()


@contextmanager
def _stopped(nodes: list[NodeProcess]) -> Iterator[list[bool]]:
    """Stop all nodes at the end, unless the body has said (in the list given) that they are to go on."""
    running = [False]
    try:
        yield running
    finally:
        if not running[0]:
            with _uninterrupted():
                stop(nodes)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a termination end the demonstration as Ctrl-C does: by way of all that cleans up."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold all of them back: cleaning up takes seconds, and half of it is worse than none."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _below(directory: Path, name: str) -> Path:
    folder = directory / name
    folder.mkdir()
    return folder
