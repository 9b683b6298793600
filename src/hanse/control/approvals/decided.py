"""Tell whoever owns a subject that its approval has ended, at once; it would also see it by itself, later."""

from collections.abc import Awaitable, Callable, Mapping

from hanse.control.approvals.tables import Approval, Kind


class Decided:
    """One hook for each kind that wants to know; handed in where the node is put together."""

    def __init__(self, hooks: Mapping[Kind, Callable[[str], Awaitable[None]]]) -> None:
        self._hooks = dict(hooks)

    async def tell(self, approval: Approval) -> None:
        """Call the hook of the approval's kind with its subject, unless it still waits."""
        if approval.state != "pending" and approval.kind in self._hooks:
            await self._hooks[approval.kind](approval.subject)
