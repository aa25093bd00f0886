"""Examine a store: what goes in comes out, to its own caller, and to whoever opens the same one.

Stores of one kind are asked in the same words wherever they keep what they have. The kind is told by the methods.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from gateway.store.known import Change, StoredCredential, StoredTokens
from gateway.store.stored import ChainBroken, ChainTooLong, StoredResponse
from gateway.store.stored_keys import KeyExists, StoredKey
from gateway.store.windows import Rule, Taken
from gateway.testing.findings import Findings
from gateway.testing.grammar import rule
from gateway.testing.store_kinds import Credentials, Keys, Limits, Responses, Signatures

__all__ = ["check_store"]

_NOW: Final = 1_800_000_000.0
_MUCH: Final = 10_000
_LIMIT: Final = Rule("per_minute", "selftest", 3, 60, "3 requests a minute")
_TOKENS: Final = Rule("tokens_per_minute", "selftest-tokens", 100, 60, "100 tokens a minute")
_LATER: Final = 2**52  # microseconds
_PAST: Final = Rule("tokens_per_minute", "selftest-past", 100, 60, "100 tokens a minute")


async def check_store(make: Callable[[], object]) -> None:
    """Raise Wrong with all that is wrong with a store.

    `make`: gives one more that has the same place, which is empty at first. Each is opened here by its `open` or
    `start`, and closed by its `close` or `stop`.
    """
    found = Findings()
    async with _opened(make) as one, _opened(make) as other:
        kind = next((kind for kind in _CHECKS if isinstance(one, kind)), None)
        with found.of("its kind"):
            rule(kind, f"{type(one).__name__} has the methods of no kind of store")
        for name, check in _CHECKS[kind].items() if kind else ():
            with found.of(name):
                await check(one, other)
    if isinstance(one, Responses):
        with found.of("a start anew"):
            async with _opened(make) as again:
                rule(again.load("alice", "resp_1", _NOW), "what was kept is gone")
    found.tell(f"store of {kind.__name__.lower()}" if kind else "store")


@asynccontextmanager
async def _opened(make: Callable[[], Any]) -> AsyncGenerator[Any]:
    store = make()
    await _call(store, "open", "start")
    try:
        yield store
    finally:
        await _call(store, "close", "stop")


async def _call(store: object, *names: str) -> None:
    method = next((method for name in names if (method := getattr(store, name, None)) is not None), None)
    if method is None:
        return
    wants_time = "now" in inspect.signature(method).parameters
    done = method(_NOW) if wants_time else method()
    if inspect.isawaitable(done):
        await done


# responses


def _response(id_: str, previous: str | None = None, who: str = "alice") -> StoredResponse:
    return StoredResponse(
        id=id_, principal=who, items=b'["said"]', response=b'{"id":1}', created_at=_NOW, previous=previous
    )


async def _check_kept(one: Responses, other: Responses) -> None:
    chain = [_response("resp_1"), _response("resp_2", "resp_1")]
    rule(all(one.save(each) for each in chain), "a response is not taken")
    rule(other.load("alice", "resp_1", _NOW) == chain[0], "another that has the same place finds something else")
    rule(one.chain("alice", "resp_2", _NOW, depth=2, max_bytes=_MUCH) == chain, "a chain is not oldest first")
    rule(one.load("alice", "resp_0", _NOW) is None, "what was never kept is found")


async def _check_own(_: Responses, other: Responses) -> None:
    rule(other.load("bob", "resp_1", _NOW) is None, "somebody else sees it")
    rule(not other.delete("bob", "resp_1", _NOW), "somebody else deletes it")


async def _check_bounds(one: Responses, _: Responses) -> None:
    for bounds in ({"depth": 1, "max_bytes": _MUCH}, {"depth": 9, "max_bytes": 1}):
        try:
            one.chain("alice", "resp_2", _NOW, **bounds)
        except ChainTooLong:
            continue
        rule(False, f"a chain of two is given within {bounds}")


async def _check_forgotten(one: Responses, other: Responses) -> None:
    one.save(_response("resp_3", "resp_2"))
    rule(one.delete("alice", "resp_2", _NOW) and not one.delete("alice", "resp_2", _NOW), "delete does not say whether")
    rule(other.load("alice", "resp_2", _NOW) is None, "what is deleted is found by another")
    try:
        other.chain("alice", "resp_3", _NOW, depth=9, max_bytes=_MUCH)
    except ChainBroken as broken:
        rule(broken.missing == "resp_2", f"missing is {broken.missing}")
    else:
        rule(False, "a chain with a gap is given")


# keys


async def _check_key(one: Keys, other: Keys) -> None:
    key = StoredKey(name="ci", sha256="0f" * 32, prefix="sk-0f", limits={"per_minute": 5}, created_at=_NOW)
    one.add(key)
    (found,) = other.since(0)
    same = (found.name, found.sha256, found.scopes, dict(found.limits)) == (
        "ci",
        "0f" * 32,
        ("chat",),
        {"per_minute": 5},
    )
    rule(same, f"another finds {found}")
    try:
        other.add(key)
    except KeyExists:
        pass
    else:
        rule(False, "a name is taken twice")


async def _check_revoked(one: Keys, other: Keys) -> None:
    before = max(row.number for row in one.since(0))
    one.remove("ci")
    rule([(row.name, row.removed) for row in other.since(before)] == [("ci", True)], "another does not learn of it")
    try:
        one.remove("ci")
    except KeyError:
        pass
    else:
        rule(False, "a revoked key is revoked again")


# credentials


async def _check_credential(one: Credentials, other: Credentials) -> None:
    one.add("google", StoredCredential(id="ab12", source="login", email="a@example.org", refresh_token="1//r"))  # noqa: S106
    rule(other.load("google")["ab12"].refresh_token == "1//r", "another finds another secret")  # noqa: S105
    rule(not other.load("other"), "another upstream has it, too")
    token = StoredTokens(access_token="ya29", until=_NOW + 9, at=_NOW)  # noqa: S106
    other.learn("google", [Change(id="ab12", tokens=token, uses=2)], _NOW)
    one.learn("google", [Change(id="ab12", uses=3)], _NOW)
    row = one.load("google")["ab12"]
    rule((row.access_token, row.uses) == ("ya29", 5), f"what two have learnt is {row.uses} uses")


async def _check_lease(one: Credentials, other: Credentials) -> None:
    rule(one.take_lease("refresh", "one", 60), "a free lease is not given")
    rule(not other.take_lease("refresh", "other", 60), "two have a lease at once")
    one.end_lease("refresh", "one")
    rule(other.take_lease("refresh", "other", 60), "a lease that was given back is not free")


async def _check_removed(one: Credentials, other: Credentials) -> None:
    one.remove("google", "ab12", _NOW)
    left = other.load("google").get("ab12")
    rule(left is None or (left.removed and not left.refresh_token), f"after its removal there is {left}")


# signatures


async def _check_signed(one: Signatures, other: Signatures) -> None:
    await one.put("alice", {"call_1": b"signed", "call_2": b"too"})
    found = await other.get("alice", ["call_1", "call_2", "call_3"])
    rule(found == {"call_1": b"signed", "call_2": b"too"}, f"another finds {found}")
    rule(await other.get("bob", ["call_1"]) == {}, "somebody else finds it")
    await one.put("alice", {"call_2": b"drawn"}, pictures=True)
    found = await other.get("alice", ["call_1", "call_2"], pictures=True)
    rule(found == {"call_2": b"drawn"}, f"of pictures another finds {found}")
    rule(await other.get("alice", ["call_2"]) == {"call_2": b"too"}, "a picture takes the place of a call")


async def _check_signed_again(one: Signatures, other: Signatures) -> None:
    await other.put("alice", {"call_1": b"anew"})
    rule(await one.get("alice", ["call_1"]) == {"call_1": b"anew"}, "what was put last is not what is found")


# limits


async def _check_requests(one: Limits, other: Limits) -> None:
    seen = [await place.admit("alice", [_LIMIT], None, f"r-{n}") for n, place in enumerate((one, other, one, other))]
    rule([each.admitted for each in seen] == [True, True, True, False], "3 a minute, of 4 asked for at two places")
    rule((await one.admit("bob", [_as("bob")], None, "r-9")).admitted, "one caller's use counts for another")


def _as(who: str) -> Rule:
    return Rule(_LIMIT.name, f"{_LIMIT.key}-{who}", _LIMIT.amount, _LIMIT.seconds, _LIMIT.what)


async def _check_at_once(one: Limits, other: Limits) -> None:
    rule((await one.admit("carol", [], 1, "c-1")).admitted, "the first is not let in")
    rule(not (await other.admit("carol", [], 1, "c-2")).admitted, "two are let in where one is")
    await one.settle("carol", [], "c-1")
    rule((await other.admit("carol", [], 1, "c-3")).admitted, "who leaves makes no room")


async def _check_amounts(one: Limits, other: Limits) -> None:
    reserved = await one.reserve("dave", [_TOKENS], [80], "d-1")
    rule(reserved.admitted, "80 of 100 are not given")
    rule(not (await other.reserve("dave", [_TOKENS], [80], "d-2")).admitted, "160 of 100 are given")
    used = [Taken(taken.rule, taken.number, 10) for taken in reserved.taken]
    await one.settle("dave", used, "d-1")
    rule((await other.reserve("dave", [_TOKENS], [80], "d-3")).admitted, "what was not used is not given back")


async def _check_past(one: Limits, other: Limits) -> None:
    (begun,) = await one.since("erin", [_PAST], [_LATER])
    rule(0 < begun < _LATER, "a counter that begins does not say since when it counts")
    (since,) = await other.since("erin", [_PAST], [begun - 1])
    rule(since == begun - 1, "it does not count since what it is asked to count began")
    looked, _ = await other.look("erin", [_PAST])
    past = Taken(_PAST, looked.windows[0].number, 40)
    rule(not await one.recall("erin", [(past, begun)]), "what was before another moment is taken for its own")
    told = [await place.recall("erin", [(past, since)]) for place in (one, other)]
    seen, _ = await one.look("erin", [_PAST])
    rule(seen.windows[0].left == 60, f"40 of 100 were used before, told twice, and {seen.windows[0].left} are left")
    rule(told == [True, True], "what counts is not known to count")
    rule(list(await other.since("erin", [_PAST], [1])) == [0], "what was told is asked for again")


_CHECKS: Final[dict[type[Any], dict[str, Callable[[Any, Any], Awaitable[None]]]]] = {
    Responses: {
        "what is kept": _check_kept,
        "callers among themselves": _check_own,
        "bounds": _check_bounds,
        "what is deleted": _check_forgotten,
    },
    Credentials: {"a credential": _check_credential, "a lease": _check_lease, "what is removed": _check_removed},
    Keys: {"a key": _check_key, "a revoked key": _check_revoked},
    Signatures: {"what is signed": _check_signed, "what is signed again": _check_signed_again},
    Limits: {
        "requests": _check_requests,
        "at once": _check_at_once,
        "amounts": _check_amounts,
        "what was before": _check_past,
    },
}
