"""What a component finds wrong with its settings and its tables before any row is read, as data.

A finding has a code of `hanse.core.problems` and the facts that its text names, beside `party` and `port`, which are
known to whoever asks. With `setting` it is about the value of that setting, with `path` about a part of it; else about
what is connected to `port`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from hanse.core.roles import Role


class Finding(NamedTuple):
    """One thing wrong. `facts` are names and words, none of a row."""

    code: str
    port: str = ""
    setting: str = ""
    path: tuple[str | int, ...] = ()
    facts: Mapping[str, str] = {}


class Naming(NamedTuple):
    """How a setting names columns: those of the table at each of `ports`, at every party or at those of `role` only.

    With `anywhere` the settings are the same at all parties, and it is enough that one of them has the column.
    """

    ports: tuple[str, ...]
    role: Role | None = None
    anywhere: bool = False


def absent_label(
    port: str,
    advice: str = "choose a dataset that was registered with a label: `hanse dataset register --label`",
    advice_zh: str = "请选择登记时带有标签列的数据集：`hanse dataset register --label`",
) -> Finding:
    """Return that a table has no label."""
    return Finding("label.absent", port, facts={"advice": advice, "advice_zh": advice_zh})
