"""The catalogue of errors: what each code means and what to do, in English and Chinese, and its HTTP status.

Nothing else reaches a user. A fault adds the cause in this case, and may add a remedy of its own.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """An error in words for people: `text` says what it is, `advice` what to do; both have `en` and `zh`."""

    status: int
    text: dict[str, str]
    advice: dict[str, str]


def describe(code: str) -> Entry:
    """Return the entry of a code; one of another release is described as a failure of the node."""
    return CATALOGUE.get(code, CATALOGUE["node.failed"])


def _read(catalogue: str) -> dict[str, Entry]:
    """Read blocks of five lines: status and code, then text and advice, each in English and Chinese."""
    blocks = (block.splitlines() for block in catalogue.strip().split("\n\n"))
    entries = {}
    for head, text_en, text_zh, advice_en, advice_zh in blocks:
        status, _, code = head.partition(" ")
        entries[code] = Entry(int(status), {"en": text_en, "zh": text_zh}, {"en": advice_en, "zh": advice_zh})
    return entries


CATALOGUE = _read("""
500 node.failed
The node made a mistake.
节点内部出错。
Look up the number of the request in the node's log, and report it.
请按请求编号查看节点日志并反馈。
""")
