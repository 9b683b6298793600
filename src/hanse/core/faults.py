"""Why something ended badly, as data: what a person is told, and what a peer is told."""

import msgspec

from hanse.core.roles import PartyId


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A failure in words that help: who, where, why, and what to do.

    `code` is one of the catalogue of `hanse.core.errors`. `party` is the guilty party, None when nobody is.
    """

    code: str
    party: PartyId | None = None
    step: str = ""
    cause: str = ""
    remedy: str = ""

    def for_peers(self) -> "Fault":
        """Return what other organisations may know: party, step and code. Cause and remedy stay at home."""
        return Fault(self.code, self.party, self.step)


class HanseError(Exception):
    """An error that a user may see: always a `Fault`, never a bare traceback."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(" · ".join(part for part in (fault.code, fault.party, fault.step, fault.cause) if part))
        self.fault = fault


class Waits(HanseError):
    """Too many requests: the answer says in how many seconds to ask again."""

    def __init__(self, fault: Fault, seconds: int) -> None:
        super().__init__(fault)
        self.seconds = seconds


def fault(code: str, cause: str, remedy: str = "", *, step: str = "", party: PartyId | None = None) -> HanseError:
    """Return an error ready to raise: `raise fault("dataset.empty", "the file has no rows", "…")`."""
    return HanseError(Fault(code, party, step, cause, remedy))
