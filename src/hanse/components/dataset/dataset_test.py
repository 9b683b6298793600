import pytest

from hanse.components.dataset.dataset import Settings, component
from hanse.core.faults import HanseError
from hanse.sdk import Table, run

SOURCE = Table.of({"id": ["a", "b"], "y": [0, 1], "x": [1.0, 2.0], "z": [3.0, 4.0]}, id="id", label="y")


def test_all_granted_columns_are_handed_on_when_none_is_named() -> None:
    out = run(component, Settings(), {"guest": {"source": SOURCE}})["guest"]["table"]
    assert out.schema == SOURCE.schema


def test_named_columns_come_with_id_and_label() -> None:
    out = run(component, Settings(columns=("z",)), {"guest": {"source": SOURCE}})["guest"]["table"]
    assert out.schema.names == ("id", "y", "z")
    assert out.ids().to_strings() == ["a", "b"]


def test_a_column_that_is_not_granted_is_refused() -> None:
    with pytest.raises(HanseError, match=r"column\.unknown"):
        run(component, Settings(columns=("secret",)), {"host-1": {"source": SOURCE}})
