"""Places in a pipeline, as JSON pointers (RFC 6901)."""

from hanse.core.roles import PartyId
from hanse.core.specs import TaskSpec


def point(*steps: str | int) -> str:
    """Return the JSON pointer of a path of keys and of places in lists."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def point_at_setting(name: str, task: TaskSpec, party: PartyId, setting: str, *path: str | int) -> str:
    """Return where the value of a setting stands that holds for a party: its own, or else the one for all."""
    if setting in task.party_settings.get(party, {}):
        return point("tasks", name, "party_settings", party, setting, *path)
    return point("tasks", name, "settings", setting, *path)
