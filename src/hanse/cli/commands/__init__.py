"""One module per noun of the command line; each command asks the node one thing and shows the answer."""
