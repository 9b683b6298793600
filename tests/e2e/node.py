"""`hanse node up` whose attempts are run by another command: python node.py up|standby DIRECTORY NAME PORT COMMAND…"""

from __future__ import annotations

import sys
from pathlib import Path

from hanse.cli.node import serve


def main() -> None:
    how, directory, name, port, *command = sys.argv[1:]
    serve(
        Path(directory),
        {"organisation": name, "party_host": "127.0.0.1", "party_port": int(port), "rest_port": 0},
        command,
        standby=how == "standby",
    )


if __name__ == "__main__":
    main()
