from hanse.core.throttle import Throttle


def test_a_source_has_its_burst_and_what_is_above_is_counted() -> None:
    throttle = Throttle(burst=3, each_second=0)
    assert [throttle.admit("a") for _ in range(5)] == [0, 0, 0, None, None]
    assert throttle.admit("b") == 0


def test_with_time_a_source_is_admitted_again_and_told_how_many_were_turned_away() -> None:
    throttle = Throttle(burst=1, each_second=1e-9)
    assert [throttle.admit("a") for _ in range(4)] == [0, None, None, None]
    throttle._each_second = 1e12
    assert throttle.admit("a") == 3


def test_many_sources_do_not_fill_the_memory() -> None:
    throttle = Throttle()
    for number in range(5000):
        throttle.admit(str(number))
    assert len(throttle._sources) <= 1024
