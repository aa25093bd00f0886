"""The counters in memory: windows slide, a clock that is set back gives nothing away, what has expired goes."""

from gateway.store.counters import Counters
from gateway.store.windows import Windows

WINDOW_S = 60


def hit(counters: Counters, number: int, key: str = "alice", expiry: int = WINDOW_S) -> Windows:
    """Count one in the window of this number; give its windows."""
    windows = counters.windows_at(key, expiry, number, number * float(WINDOW_S))
    windows.current += 1
    return windows


def test_what_is_counted_stays_in_its_window() -> None:
    counters = Counters()
    assert [hit(counters, 7).current for _ in range(3)] == [1, 2, 3]
    assert counters.last("alice", WINDOW_S) == Windows(7, 0, 3)


def test_the_last_window_becomes_the_one_before() -> None:
    counters = Counters()
    hit(counters, 7)
    assert hit(counters, 8) == Windows(8, 1, 1)


def test_a_window_before_the_last_is_forgotten() -> None:
    counters = Counters()
    hit(counters, 7)
    assert hit(counters, 9) == Windows(9, 0, 1)


def test_a_month_begins_empty() -> None:
    counters = Counters()
    hit(counters, 7, expiry=0)
    assert hit(counters, 8, expiry=0) == Windows(8, 0, 1)


def test_a_clock_that_is_set_back_stays_in_the_later_window() -> None:
    counters = Counters()
    hit(counters, 7)
    assert hit(counters, 6) == Windows(7, 0, 2)


def test_other_keys_and_other_lengths_are_apart() -> None:
    counters = Counters()
    found = [hit(counters, 7), hit(counters, 7, "bob"), hit(counters, 7, expiry=3600)]
    assert [windows.current for windows in found] == [1, 1, 1]
    assert counters.last("carol", WINDOW_S) is None


def test_what_has_expired_makes_room() -> None:
    counters = Counters()
    for caller in range(4096):
        hit(counters, 7, f"caller-{caller}")
    hit(counters, 10)
    assert len(counters) == 1


def test_what_still_counts_is_kept_when_room_is_made() -> None:
    counters = Counters()
    hit(counters, 7)
    for caller in range(5000):
        hit(counters, 8, f"caller-{caller}")
    assert hit(counters, 8) == Windows(8, 1, 1)
    assert len(counters) == 5001
