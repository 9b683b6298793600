"""Projects: which organisations work on what."""
