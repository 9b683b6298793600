"""The published schema is that of this release; it takes the pipelines of the guides and refuses what is none."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from hanse.core.documents import read_pipeline
from hanse.runtime.format import write_format

DOCS = Path(__file__).parents[3] / "docs"
PUBLISHED = DOCS / "pipeline.schema.json"
GUIDES = [DOCS / "guides" / language / "first-federation.md" for language in ("en", "zh")]


def example(guide: Path) -> dict[str, Any]:
    """Return the pipeline that a guide shows."""
    found = re.findall(r"^\{\n.*?^\}$", guide.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (text,) = [block for block in found if '"tasks"' in block]
    read_pipeline(text.encode())
    return dict(json.loads(text))


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(PUBLISHED.read_text("utf-8")))


def test_the_published_schema_is_fresh() -> None:
    command = "python -m hanse.runtime.format docs/pipeline.schema.json"
    assert PUBLISHED.read_text("utf-8") == write_format(), f"write it again: {command}"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.parent.name))
def test_the_pipelines_of_the_guides_are_valid(guide: Path, schema: jsonschema_rs.Draft202012Validator) -> None:
    assert schema.is_valid(example(guide))


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": None},
        {"nmae": "misspelt"},
        {"parties": {"guest": 3}},
        {"tasks": {"align": {"component": "Not a name"}}},
        {"tasks": {"align": {"component": "psi", "setings": {}}}},
        {"tasks": {"align": {}}},
        {"tasks": {"align": {"component": "psi", "settings": {"minimun": 3}}}},
        {"tasks": {"align": {"component": "psi", "settings": {"minimum": "many"}}}},
        {"tasks": {"align": {"component": "psi", "party_settings": {"guest": {"minimum": 0.5}}}}},
    ],
    ids=lambda change: json.dumps(change),
)
def test_a_broken_pipeline_is_refused(change: dict[str, Any], schema: jsonschema_rs.Draft202012Validator) -> None:
    assert not schema.is_valid({**example(GUIDES[0]), **change})
