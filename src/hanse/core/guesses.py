"""Did you mean …? The known name that is most like the one that was written, with a bound on the work."""

import difflib
from collections.abc import Iterable

LIKE = 0.6
"""How alike two names are at least (Ratcliff and Obershelp 1988): 1 is the same."""

COMPARISONS = 20_000


class Guesses:
    """Guesses of one document. `comparisons` bounds those of all guesses together: what is beyond gets none."""

    def __init__(self, comparisons: int = COMPARISONS) -> None:
        self.left = comparisons

    def near(self, written: str, known: Iterable[str]) -> str:
        """Return the known name that `written` is likely to stand for, whatever the case of letters; "" for none."""
        names = {name.lower(): name for name in reversed([*known])}
        if not written or len(names) > self.left:
            return ""
        self.left -= len(names)
        found = difflib.get_close_matches(written.lower(), names, 1, LIKE)
        return names[found[0]] if found else ""
