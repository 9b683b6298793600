"""A pipeline as a document: read without losing anything, written in one way only, described by a JSON Schema."""

import hashlib
import json
from typing import Any

import msgspec

from hanse.core.faults import fault
from hanse.core.specs import PipelineSpec

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def read_pipeline(raw: bytes) -> PipelineSpec:
    """Return the pipeline of a JSON document. Raises `pipeline.invalid` with the place of the mistake."""
    demand_single_keys(raw)
    try:
        return msgspec.json.decode(raw, type=PipelineSpec)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise fault("pipeline.invalid", str(error)) from error


def demand_single_keys(raw: bytes) -> None:
    """Raise `pipeline.invalid` when an object says a key twice: a parser would keep one of them, silently."""

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise fault("pipeline.invalid", f"an object has the key {', '.join(map(repr, twice))} twice")
        return found

    try:
        json.loads(raw, object_pairs_hook=look)
    except (ValueError, RecursionError) as error:
        raise fault("pipeline.invalid", f"no JSON: {error}") from error


def write_pipeline(spec: PipelineSpec) -> bytes:
    """Return the canonical JSON of a pipeline: keys of maps in order, defaults left out, indented, then a newline.

    Two pipelines that say the same have the same bytes.
    """
    return msgspec.json.format(msgspec.json.encode(spec, order="deterministic"), indent=2) + b"\n"


def digest_pipeline(spec: PipelineSpec) -> str:
    """Return the SHA-256 of the canonical JSON."""
    return hashlib.sha256(write_pipeline(spec)).hexdigest()


def describe_format(components: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a pipeline; `components` are the schemas of settings by component, which it refers to.

    What a component requires may be said for all parties or party by party, so that neither place requires it.
    """
    (top,), definitions = msgspec.json.schema_components([PipelineSpec], ref_template="#/$defs/{name}")
    known = components or {}
    settings = {
        f"settings.{name}": {key: value for key, value in shape.items() if key != "required"}
        for name, shape in known.items()
    }
    if known:
        definitions["TaskSpec"]["allOf"] = [_settings_of(name) for name in sorted(known)]
    found: dict[str, Any] = _for_ecma({"$schema": SCHEMA_ID, **top, "$defs": {**definitions, **settings}})
    return found


def _settings_of(component: str) -> dict[str, Any]:
    """Return the rule that a task of this component has its settings."""
    shape = {"$ref": f"#/$defs/settings.{component}"}
    then = {"settings": shape, "party_settings": {"additionalProperties": shape}}
    return {"if": {"properties": {"component": {"const": component}}}, "then": {"properties": then}}


def _for_ecma(shape: Any) -> Any:
    """Return the schema with its patterns as JSON Schema's regular expressions (ECMA 262) have them."""
    if isinstance(shape, dict):
        return {
            key: value.replace(r"\A", "^").replace(r"\Z", "$")
            if key == "pattern" and isinstance(value, str)
            else _for_ecma(value)
            for key, value in shape.items()
        }
    return [_for_ecma(item) for item in shape] if isinstance(shape, list) else shape
