"""Failed attempts count by address, for a minute, and are forgotten."""

import pytest

from gateway.errors import RateLimited
from gateway.lockout import Lockout
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio


def fail(lockout: Lockout, number: int, address: str = "10.0.0.7") -> None:
    for _ in range(number):
        lockout.check(address)
        lockout.failed(address)


def refusal(lockout: Lockout, address: str = "10.0.0.7") -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        lockout.check(address)
    return caught.value


def test_the_eleventh_attempt_is_not_looked_at() -> None:
    lockout = Lockout(FakeClock())
    fail(lockout, 10)
    assert 0 < (refusal(lockout).retry_after or 0) <= 120
    lockout.check("10.0.0.8")


async def test_after_the_time_that_is_said_it_is_looked_at_again() -> None:
    clock = FakeClock()
    await clock.advance(17)
    lockout = Lockout(clock)
    fail(lockout, 10)
    await clock.advance((refusal(lockout).retry_after or 0) - 2)
    refusal(lockout)
    await clock.advance(2)
    fail(lockout, 1)
    await clock.advance((refusal(lockout).retry_after or 0) - 2)
    refusal(lockout)
    await clock.advance(2)
    fail(lockout, 1)


async def test_attempts_that_lie_apart_do_not_add_up() -> None:
    clock = FakeClock()
    lockout = Lockout(clock)
    for _ in range(10):
        fail(lockout, 4)
        await clock.advance(60)


async def test_a_clock_that_is_set_back_frees_nobody() -> None:
    clock = FakeClock()
    lockout = Lockout(clock)
    fail(lockout, 10)
    clock.wall -= 3600
    refusal(lockout)


async def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer() -> None:
    clock = FakeClock()
    lockout = Lockout(clock)
    fail(lockout, 10)
    clock.wall -= 3600
    await clock.advance(120)
    lockout.check("10.0.0.7")


@pytest.mark.parametrize("same", ["2001:db8:1:2:ffff::9", "2001:db8:1:2::"])
def test_one_site_of_ipv6_is_one_address(same: str) -> None:
    lockout = Lockout(FakeClock())
    fail(lockout, 10, "2001:db8:1:2::1")
    refusal(lockout, same)
    lockout.check("2001:db8:1:3::1")


def test_an_address_of_ipv4_is_the_same_in_ipv6() -> None:
    lockout = Lockout(FakeClock())
    fail(lockout, 10, "::ffff:10.0.0.7")
    refusal(lockout, "10.0.0.7")


def test_very_many_addresses_are_not_all_remembered() -> None:
    lockout = Lockout(FakeClock())
    for number in range(20_000):
        fail(lockout, 1, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        fail(lockout, int(number % 2_000 == 0), "192.0.2.1")  # one that goes on failing is
    assert lockout.addresses == 16_384
    refusal(lockout, "192.0.2.1")
