"""The description of the REST interface, as kept in tests/golden/openapi.json.

Write it anew after a change that is meant: `python -m hanse.api.console.openapi tests/golden/openapi.json`
"""

import json
import sys
from pathlib import Path

from hanse.api.console.app import build_api


def describe_api() -> str:
    """Return the OpenAPI document as JSON, the same bytes for the same interface."""
    return json.dumps(build_api().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(describe_api(), "utf-8")
