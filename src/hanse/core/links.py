"""What a probe of a link finds: measured by the gateway, judged by the control plane."""

import msgspec

DETAIL_CHARACTERS = 200


class Reading(msgspec.Struct, frozen=True):
    """One thing that was looked at: its value, or what was in the way (`trouble`, a code of the doctor's words)."""

    name: str
    value: float | str | None = None
    unit: str = ""
    trouble: str = ""
    detail: str = ""


def tell(detail: object) -> str:
    """Return what a stranger may have said as one short printable line."""
    text = "".join(character if character.isprintable() else " " for character in str(detail))
    return text[:DETAIL_CHARACTERS].strip()
