"""Access keys: what programs call this node with, each for the user that made it."""
