import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.samples import breast


def test_its_absence_is_told_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breast, "LIBRARY", "no_such_library")
    with pytest.raises(HanseError) as refused:
        breast.load()
    assert "hanse[ml]" in refused.value.fault.remedy


def test_every_organisation_has_ten_columns_of_the_same_tumours() -> None:
    pytest.importorskip("sklearn")
    guest, *hosts = breast.load().holdings
    assert (guest.label, [host.label for host in hosts]) == (breast.LABEL, [None, None])
    assert [len(held.features) for held in (guest, *hosts)] == [10, 10, 10]
    names = [set(held.values[breast.ID].tolist()) for held in (guest, *hosts)]
    assert names[0] == names[1] == names[2]
    assert len(names[0]) == 569
    assert int(np.sum(guest.values[breast.LABEL])) == 212


def test_fewer_rows_are_a_part_of_the_same_tumours() -> None:
    pytest.importorskip("sklearn")
    few = breast.load(200).holdings[1]
    everything = breast.load().holdings[1]
    values = dict(zip(everything.values[breast.ID].tolist(), everything.values["mean_radius"].tolist(), strict=True))
    assert len(few) == 200
    assert [values[name] for name in few.values[breast.ID].tolist()] == few.values["mean_radius"].tolist()
