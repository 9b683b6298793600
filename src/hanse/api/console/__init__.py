"""REST for this organisation's own people and scripts, on this machine only."""
