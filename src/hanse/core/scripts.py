"""A pipeline as a Python script: run, it prints the canonical JSON of the same pipeline, byte for byte."""

import keyword
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from hanse.core.ids import TaskName
from hanse.core.roles import GUEST, host
from hanse.core.specs import PipelineSpec, TaskSpec

MODEL_VERSION = "model:"
OWN_WORDS = frozenset({"self", "name", "component", "settings", "at", "inputs"})
"""Arguments of `Pipeline.add`: a port of such a name goes into `inputs`."""

HEAD = '''"""Builds a pipeline; written by `hanse pipeline export --python`."""

from hanse.client import Pipeline
'''
TAIL = """
if __name__ == "__main__":
    print(pipeline.json(), end="")
"""


def write_python(spec: PipelineSpec) -> str:
    """Return the script. Tasks stand after those they take from; the tasks of a cycle, in the order of their names."""
    order = _order(spec)
    lines = [HEAD, "pipeline = Pipeline("]
    lines += [f"    {argument}," for argument in _title(spec)]
    lines.append(")")
    known: set[str] = set()
    for name in order:
        lines += _add(name, spec.tasks[name], known)
        known.add(name)
    return "\n".join([*lines, TAIL])


def _title(spec: PipelineSpec) -> Iterator[str]:
    yield _literal(spec.name)
    yield f"project={_literal(spec.project)}"
    hosts = [party for party in spec.parties if party != GUEST]
    numbered = {host(number) for number in range(1, len(hosts) + 1)}
    if GUEST in spec.parties and set(hosts) == numbered:
        yield f"guest={_literal(spec.parties[GUEST])}"
        yield f"hosts={_literal([spec.parties[host(number)] for number in range(1, len(hosts) + 1)])}"
    else:
        yield f"parties={_literal(dict(sorted(spec.parties.items())))}"
    if spec.description:
        yield f"description={_literal(spec.description)}"


def _add(name: str, task: TaskSpec, known: set[str]) -> Iterator[str]:
    yield "pipeline.add("
    yield f"    {_literal(name)},"
    yield f"    {_literal(task.component)},"
    if task.settings:
        yield f"    {_literal(_sorted(task.settings))},"
    if task.party_settings:
        yield f"    at={_literal(_sorted(task.party_settings))},"
    plain = {port: source for port, source in sorted(task.inputs.items()) if _is_plain(port, source, known)}
    others = {port: source for port, source in sorted(task.inputs.items()) if port not in plain}
    if others:
        yield f"    inputs={_literal(others)},"
    yield from (f"    {port}={_literal(source)}," for port, source in plain.items())
    yield ")"


def _is_plain(port: str, source: str, known: set[str]) -> bool:
    """Say whether an input can be a keyword, which the builder checks at once."""
    is_word = port.isidentifier() and port.isascii() and not keyword.iskeyword(port) and port not in OWN_WORDS
    return is_word and (source.startswith(MODEL_VERSION) or source.partition(".")[0] in known)


def _order(spec: PipelineSpec) -> list[TaskName]:
    names = sorted(spec.tasks)
    needs = {
        name: sorted(
            {TaskName(source.partition(".")[0]) for source in spec.tasks[name].inputs.values()} & spec.tasks.keys()
        )
        for name in names
    }
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError:
        return names


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def _literal(value: Any) -> str:
    return ascii(value)
