"""Write docs/states.md from the one table of transitions, or say that it is stale.

python build_support/state_page.py write | check
"""

from __future__ import annotations

import sys
from pathlib import Path

from hanse.control.jobs.states import draw_states

PAGE = Path(__file__).resolve().parent.parent / "docs" / "states.md"
INTRODUCTION = """<!-- written by `make docs` from hanse.control.jobs.states; edits here are lost -->
# States of jobs, tasks and attempts

One table has every transition, and one function, `advance`, writes a state, together with its event and in the same
transaction. The guest's node decides about jobs and tasks; each node writes the attempts of its own party.

"""


def main() -> int:
    page = INTRODUCTION + draw_states()
    if sys.argv[1:] == ["write"]:
        PAGE.write_text(page, "utf-8")
        return 0
    fresh = PAGE.exists() and PAGE.read_text("utf-8") == page
    if not fresh:
        sys.stderr.write("docs/states.md is stale: run `make docs`\n")
    return 0 if fresh else 1


if __name__ == "__main__":
    raise SystemExit(main())
