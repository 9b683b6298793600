"""Model versions: what a training task left at this party, never changed again."""
