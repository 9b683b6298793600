"""`python -m hanse.cli`: the same as `hanse`, whatever the search path for commands is."""

from hanse.cli.app import main

main()
