import msgspec
import pytest

from hanse.client.pipeline import Pipeline
from hanse.core.specs import PipelineSpec


def start() -> Pipeline:
    return Pipeline("risk", project="loans", guest="bank", hosts=["operator", "retailer"])


def test_what_is_built_is_the_json_that_a_node_reads() -> None:
    pipeline = start()
    data = pipeline.add("data", "dataset", at={"guest": {"dataset": "a"}, "host-2": {"dataset": "c"}})
    pipeline.add("align", "psi", {"method": "ecdh"}, table=data["table"])
    pipeline.predict("scores", model="model:m-1", table="align.table")
    spec = msgspec.json.decode(pipeline.json(), type=PipelineSpec)
    assert spec == pipeline.spec()
    assert spec.parties == {"guest": "bank", "host-1": "operator", "host-2": "retailer"}
    tasks = msgspec.to_builtins(spec)["tasks"]
    assert tasks["align"]["inputs"] == {"table": "data.table"}
    assert tasks["data"]["party_settings"]["host-2"] == {"dataset": "c"}
    assert tasks["scores"]["component"] == "predict"


def test_a_name_is_used_once() -> None:
    pipeline = start()
    pipeline.add("data", "dataset")
    with pytest.raises(ValueError, match="there is a task data already"):
        pipeline.add("data", "dataset")


def test_a_task_takes_only_from_tasks_before_it() -> None:
    with pytest.raises(ValueError, match="align takes from data"):
        start().add("align", "psi", table="data.table")


def test_settings_are_for_parties_that_exist() -> None:
    with pytest.raises(ValueError, match="host-3: no party"):
        start().add("data", "dataset", at={"host-3": {"dataset": "x"}})


def test_a_name_that_the_node_would_refuse_is_refused_here() -> None:
    pipeline = start()
    pipeline.add("data", "Data Set")
    with pytest.raises(msgspec.ValidationError):
        pipeline.spec()
