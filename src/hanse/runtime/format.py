"""The published JSON Schema of pipelines: the format, with the settings of every component of this release.

python -m hanse.runtime.format docs/pipeline.schema.json
"""

import json
import sys
from pathlib import Path

from hanse.core.documents import describe_format
from hanse.runtime.catalogue import load_all


def write_format() -> str:
    """Return the schema as JSON, indented, with a newline at its end."""
    settings = {name: component.card().params for name, component in load_all().items()}
    return json.dumps(describe_format(settings), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(write_format(), "utf-8")
