"""`python -m hanse.runtime run task.json | ingest ingest.json | …` (`USAGE`): one process of the data plane."""

import importlib
import sys

from hanse.runtime import limits

VERBS = {
    "run": ("hanse.runtime.task", 1),
    "ingest": ("hanse.runtime.ingest", 1),
    "profile": ("hanse.runtime.profile", 1),
    "planner": ("hanse.runtime.planner", 0),
    "source": ("hanse.runtime.source", 0),
}
USAGE = "usage: python -m hanse.runtime run TASK.json | ingest INGEST.json | profile PROFILE.json | planner | source"


def main(arguments: list[str]) -> int:
    """Do what the arguments say and return the exit status: 0 when it went well."""
    verb, *rest = arguments or [""]
    module, count = VERBS.get(verb, ("", -1))
    if len(rest) != count:
        sys.stderr.write(USAGE + "\n")
        return 2
    limits.apply(limits.read(rest))
    # Only now may numpy be imported: the number of its threads is read from the environment, once.
    status: int = importlib.import_module(module).main(*rest)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
