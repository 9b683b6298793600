"""Golden files: what every component sends under a fixed seed, and the settings of the catalogue.

    python -m tests.conformance.golden        writes them all

A transcript lists, scene by scene, the messages of each stream in order: from, to, stream, kind, bytes, SHA-256. The
digest is left out where two runs under one seed differ. Write a new transcript only with a new `version`.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.conformance.scenes import SEED, Scene, list_scenes

from hanse.protocols.simulation import Recorder, Sent
from hanse.runtime import catalogue
from hanse.sdk.component import Component

ROOT = Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "tests" / "golden" / "catalogue.json"
COMMAND = "python -m tests.conformance.golden"


def transcript(scene: Scene) -> list[list[Any]]:
    """Return the scene's messages, stream by stream, each as [from, to, stream, kind, bytes, digest]."""
    recorder = Recorder()
    scene.play(recorder)
    ordered = sorted(recorder.sent, key=_stream)
    return [[s.sender, s.receiver, s.stream, s.kind, s.size_bytes, s.digest] for s in ordered]


def transcript_file(component: Component) -> Path:
    return component.folder / "transcript.json"


def schemas() -> dict[str, Any]:
    """Return the version and the settings' schema of every component."""
    cards = {name: component.card() for name, component in catalogue.load_all().items()}
    found = {name: {"version": card.version, "params": card.params} for name, card in sorted(cards.items())}
    return dict(json.loads(json.dumps(found)))


def _stream(sent: Sent) -> tuple[str, str, int]:
    return sent.sender, sent.receiver, sent.stream


def _settled(first: list[list[Any]], second: list[list[Any]]) -> list[list[Any]]:
    """Return the first transcript, without the digests in which the second differs."""
    return [one if one == other else [*one[:-1], ""] for one, other in zip(first, second, strict=True)]


def _render(component: Component, scenes: dict[str, list[list[Any]]]) -> str:
    """JSON with one message a line, so that a change reads well."""
    parts = [f'"{name}": {_lines(lines)}' for name, lines in scenes.items()]
    body = ",\n  ".join(parts)
    return f'{{\n  "version": "{component.version}",\n  "seed": {SEED},\n  {body}\n}}\n'


def _lines(lines: list[list[Any]]) -> str:
    return "[\n    " + ",\n    ".join(json.dumps(line) for line in lines) + "\n  ]" if lines else "[]"


def write() -> None:
    """Write all golden files."""
    for component, scenes in groupby(list_scenes(), key=lambda scene: scene.component):
        found = {scene.name: _settled(transcript(scene), transcript(scene)) for scene in scenes}
        transcript_file(component).write_text(_render(component, found), "utf-8")
        print(transcript_file(component).relative_to(ROOT), sum(map(len, found.values())), "messages")
    CATALOGUE.write_text(json.dumps(schemas(), ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
    print(CATALOGUE.relative_to(ROOT))


if __name__ == "__main__":
    write()
