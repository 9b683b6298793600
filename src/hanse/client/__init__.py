"""The node's REST interface in Python: `connect()` for scripts and notebooks, `AsyncClient` for programs, `Pipeline`.

with hanse.client.connect("~/.hanse") as node:
    pipeline = Pipeline("risk", project="loans", guest="bank", hosts=["operator"])
    data = pipeline.add("data", "dataset", at={"guest": {"dataset": "loans"}, "host-1": {"dataset": "calls"}})
    pipeline.add("align", "psi", table=data["table"])
    job = node.watch(node.run_job(pipeline.spec()).id)
"""

from hanse.client.client import AsyncClient, Client, connect
from hanse.client.pipeline import Pipeline
from hanse.client.refusal import Refusal

__all__ = ["AsyncClient", "Client", "Pipeline", "Refusal", "connect"]
