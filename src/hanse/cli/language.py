"""The few words with which errors are laid out, in the language of the user's environment."""

import os
from collections.abc import Mapping
from typing import Literal

Language = Literal["zh", "en"]

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "party": "party",
        "step": "step",
        "cause": "cause",
        "remedy": "remedy",
        "internal": "This is a mistake of the program.",
        "interrupted": "Interrupted.",
    },
    "zh": {
        "party": "参与方",
        "step": "步骤",
        "cause": "原因",
        "remedy": "处理办法",
        "internal": "程序内部错误。",
        "interrupted": "已中断。",
    },
}


def language(environment: Mapping[str, str] = os.environ) -> Language:
    """Return zh when the environment's locale is Chinese, else en (POSIX: LC_ALL, then LC_MESSAGES, then LANG)."""
    chosen = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"
