"""The counters in memory: windows slide, a clock that is set back gives nothing away, what has expired goes."""

from gateway.store.counters import Counters
from gateway.store.windows import DAY, SECOND, Rule, Window, Windows, place_of

MINUTE_US = 60 * SECOND


def rule(key: str = "alice", seconds: int = 60) -> Rule:
    return Rule("requests", key, 1, seconds, "a request")


def hit(counters: Counters, number: int, key: str = "alice") -> Windows:
    """Count one in the minute of this number; give its windows."""
    windows = counters.at(rule(key), number * MINUTE_US)
    windows.current += 1
    return windows


def minute(number: int, previous: int, current: int) -> Windows:
    return Windows(number, previous, current, (number + 1) * MINUTE_US, MINUTE_US, (number - 1) * MINUTE_US)


def test_what_is_counted_stays_in_its_window() -> None:
    counters = Counters()
    assert [hit(counters, 7).current for _ in range(3)] == [1, 2, 3]
    assert counters.last(rule()) == minute(7, 0, 3)


def test_a_window_lasts_until_its_last_microsecond() -> None:
    counters = Counters()
    hit(counters, 7)
    assert counters.at(rule(), 8 * MINUTE_US - 1).number == 7
    assert counters.at(rule(), 8 * MINUTE_US).number == 8


def test_the_last_window_becomes_the_one_before() -> None:
    counters = Counters()
    hit(counters, 7)
    assert hit(counters, 8) == minute(8, 1, 1)


def test_a_window_before_the_last_is_forgotten() -> None:
    counters = Counters()
    hit(counters, 7)
    assert hit(counters, 9) == minute(9, 0, 1)


def test_a_month_begins_empty() -> None:
    counters, month, now_us = Counters(), rule(seconds=0), 1_800_000_000 * SECOND
    number, ends_us, _ = place_of(0, now_us)
    counters.at(month, now_us).current += 1
    assert counters.at(month, ends_us - 1) == Windows(number, 0, 1, ends_us, 0, ends_us - 62 * DAY)
    begun = counters.at(month, ends_us)
    assert (begun.number, begun.previous, begun.current) == (number + 1, 0, 0)


def test_a_clock_that_is_set_back_stays_in_the_later_window() -> None:
    counters = Counters()
    hit(counters, 7)
    assert hit(counters, 6) == minute(7, 0, 2)


def test_a_clock_that_is_set_back_for_long_holds_nobody_up_for_as_long() -> None:
    """As one that ran hours ahead until the network put it right: a limit of a minute held until these had passed."""
    counters = Counters()
    for _ in range(3):
        hit(counters, 500)
    assert hit(counters, 20) == minute(20, 3, 1)
    assert hit(counters, 21) == minute(21, 1, 1)


def test_a_month_begins_with_what_was_counted_in_a_later_one() -> None:
    counters, month, now_us = Counters(), rule(seconds=0), 1_800_000_000 * SECOND
    counters.at(month, now_us).current += 5
    number, ends_us, _ = place_of(0, now_us - 365 * DAY)
    assert counters.at(month, now_us - 365 * DAY) == Windows(number, 0, 5, ends_us, 0, ends_us - 62 * DAY)
    assert counters.at(month, ends_us).current == 0


def test_other_keys_are_apart() -> None:
    counters = Counters()
    assert [hit(counters, 7, key).current for key in ("alice", "bob")] == [1, 1]
    assert counters.last(rule("carol")) is None


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
    assert hit(counters, 8) == minute(8, 1, 1)
    assert len(counters) == 5001


def test_no_more_than_was_counted_fades_after_a_clock_was_set_back() -> None:
    counters = Counters()
    for _ in range(3):
        hit(counters, 7)
    hit(counters, 8)
    window = Window(rule(), counters.at(rule(), 5 * MINUTE_US), 5 * MINUTE_US)
    assert window.remains_us == MINUTE_US
