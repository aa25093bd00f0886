"""The limits of one caller, sorted by when they are looked at, and how they are told to people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerMonth,
    RateLimitItemPerSecond,
)
from msgspec import Struct

from gateway.config import Limit
from gateway.costs import BILLION
from gateway.errors import RateLimited, TokensLimited
from gateway.store.windows import Rule, Seen, Window

__all__ = ["SOON_S", "Left", "Plan", "left_of", "plan_of", "refusal_of", "tightest"]

SOON_S: Final = 1.0  # an open answer may end at any moment
_MOST_USD: Final = 1e9  # of which 64 bits hold the billionths
_NAMESPACE: Final = "gateway:limits"
_TOKENS: Final = "tokens_per_"  # names of such rules
_AT_ONCE: Final = "concurrent"
_LASTING: Final = ("hour", "day", "month")
_ITEMS: Final[Mapping[str | None, type[RateLimitItem]]] = {
    "second": RateLimitItemPerSecond,
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
    "day": RateLimitItemPerDay,
    "month": RateLimitItemPerMonth,
}


class Plan(Struct, frozen=True):
    """All limits of the caller `who`. `at_once`: how many answers may be open; `amounts`: on tokens and money.

    `holds`: a request takes what it gives back at its end; `pays`: its price matters. `lasting`: those of which the
    windows outlive a restart.
    """

    who: str
    at_once: int | None
    requests: tuple[Rule, ...]
    amounts: tuple[Rule, ...]
    holds: bool
    pays: bool
    lasting: tuple[Rule, ...] = ()


class Left(Struct, frozen=True):
    """What is left of a limit, in its own unit. `reset_at`: when all of it is free, Unix seconds, None = now."""

    name: str
    limit: float
    left: float
    reset_at: float | None


def plan_of(who: str, limits: Iterable[Limit]) -> Plan:
    """Sort what holds for a caller; of two limits on the same thing the later one."""
    held = {(limit.resource, limit.window): limit for limit in limits}
    at_once = held.pop((_AT_ONCE, None), None)
    rules = [(limit, _rule(who, limit)) for limit in held.values()]
    amounts = tuple(rule for limit, rule in rules if limit.resource != "requests")
    return Plan(
        who,
        None if at_once is None else int(at_once.amount),
        requests=tuple(rule for limit, rule in rules if limit.resource == "requests"),
        amounts=amounts,
        holds=at_once is not None or bool(amounts),
        pays=any(rule.is_money for rule in amounts),
        lasting=tuple(rule for limit, rule in rules if limit.window in _LASTING),
    )


def refusal_of(plan: Plan, seen: Seen, needs: Sequence[int] = ()) -> tuple[str, RateLimited]:
    """Name the limit that a request does not keep, and say what its caller is told."""
    full = [window for window in seen.windows if not window.left]
    if full:
        window = next((one for one in full if not one.rule.amount), None) or tightest(full)
        wait = SOON_S if seen.others else window.wait
        return _over(window.rule.name, window.rule.what, wait, ever=window.rule.amount > 0)
    short = next((one for one, need in zip(seen.windows, needs, strict=False) if need > one.left), None)
    if short is None:
        return _over(_AT_ONCE, f"make {_counted(plan.at_once, 'requests')} at once", SOON_S, ever=bool(plan.at_once))
    return _over(short.rule.name, f"{short.rule.what}, and its open requests may need what is left", SOON_S)


def tightest(windows: Iterable[Window]) -> Window:
    """Choose the window of which the least is left, and of those the one that stays so for longest."""
    return min(windows, key=_room)


def left_of(plan: Plan, windows: Iterable[Window], opened: int, now: float) -> list[Left]:
    """Tell what is left of each limit; `opened`: how many answers are open; `now` in Unix seconds."""
    found = [_left(window, now) for window in windows]
    if plan.at_once is not None:
        found.append(Left(_AT_ONCE, plan.at_once, max(0, plan.at_once - opened), None))
    return found


def _room(window: Window) -> tuple[int, float]:
    return window.left, -window.wait


def _left(window: Window, now: float) -> Left:
    rule, left = window.rule, window.left
    unit = BILLION if rule.is_money else 1
    reset_at = now + window.reset if left < rule.amount else None
    return Left(rule.name, rule.amount / unit, left / unit, reset_at)


def _rule(who: str, limit: Limit) -> Rule:
    """Make a rule. Its counter is not named by the amount, so that another amount goes on with what was counted."""
    item = _ITEMS[limit.window](1, namespace=_NAMESPACE)
    each = f"{'an' if limit.window == 'hour' else 'a'} {limit.window}"
    is_money = limit.resource == "usd"
    verb = "make" if limit.resource == "requests" else "use"
    return Rule(
        name=f"{limit.resource}_per_{limit.window}",
        key=item.key_for(f"{{{who}}}", limit.resource),
        amount=round(min(limit.amount, _MOST_USD) * BILLION) if is_money else int(limit.amount),
        is_money=is_money,
        seconds=0 if limit.window == "month" else item.get_expiry(),
        what=f"spend {limit.amount:g} USD {each}"
        if is_money
        else f"{verb} {_counted(int(limit.amount), limit.resource)} {each}",
    )


def _counted(amount: int | None, things: str) -> str:
    return f"{amount} {things.removesuffix('s') if amount == 1 else things}"


def _over(name: str, what: str, wait: float, *, ever: bool = True) -> tuple[str, RateLimited]:
    """Refuse by the limit of this name; `wait`: until something fits, as far as anything `ever` does."""
    limited = TokensLimited if name.startswith(_TOKENS) else RateLimited
    then, headers = ("wait and try again", {}) if ever else ("ask the operator for more", {"x-should-retry": "false"})
    return name, limited(f"this key may {what}; {then}", retry_after=max(wait, SOON_S), headers=headers)
