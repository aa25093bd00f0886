"""What must hold besides answers: refusals, silence, callers who leave, lists, and methods that nobody expects."""

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.testing.asking import Wish
from gateway.testing.check import Check, NotOffered
from gateway.testing.checks_answers import HELLO
from gateway.testing.conversation import Caller, exchange
from gateway.testing.grammar import Json, rule, walks

__all__ = ["CONDUCT"]

_NOBODY: Final = "no-such-model-0f0f"
_STRANGER: Final = "sk-selftest-stranger"
_REFUSED: Final = (400, 422)
_OPEN: Final = re.compile(r"^gateway_open_streams(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_LOOK_S: Final = 0.05
_LONG: Final = [Wish(f"Count from 1 to 50, one number a line.{end}", stream=True) for end in ("", "\n!slow 60")]


async def _bad_json(caller: Caller, *, stream: bool) -> None:
    caller.refused(await caller.post(b'{"model": ', stream=stream), *_REFUSED)


async def _missing(caller: Caller) -> None:
    body = caller.asking.body(caller.model, HELLO)
    del body[caller.asking.without]
    caller.refused(await caller.post(body), *_REFUSED)


async def _unknown(caller: Caller, *, stream: bool) -> None:
    reply = await caller.ask(HELLO.streamed() if stream else HELLO, model=_NOBODY)
    if reply.status == 200:
        heard = caller.read(reply, stream=stream)
        rule(heard.error is None, f"a status of 200 with an error: {heard.error}")
        raise NotOffered("every name resolves to a model")
    caller.refused(reply, 400, 404)


async def _stranger(caller: Caller, *, stream: bool) -> None:
    if not caller.key:
        raise NotOffered("no key was given to compare with")
    reply = await caller.ask(HELLO.streamed() if stream else HELLO, key=_STRANGER)
    if reply.status == 200:
        raise NotOffered("it accepts any key")
    if reply.status == 429 and reply.retry_after:
        raise NotOffered(f"not tried: too many wrong keys came from here, it checks more in {reply.retry_after} s")
    caller.refused(reply, *((400, 401, 403) if caller.dialect == "gemini" else (401, 403)))  # Google says 400


async def _silence(caller: Caller) -> None:
    """Let the answer wait: what stands in its place meanwhile must be what readers of the dialect skip."""
    begun = time.monotonic()
    heard = await caller.hear(Wish(f"{HELLO.text}\n!slow {caller.silence_s}", stream=True))
    rule(heard.error is None and heard.text.strip(), f"no response came after the silence: {heard}")
    caller.heard = f"a response after {time.monotonic() - begun:.1f} s"


async def _broken(caller: Caller) -> None:
    if caller.model.rpartition("/")[2] != "demo":
        raise NotOffered("only the model demo breaks off on request")
    heard = await caller.hear(Wish("!cut", stream=True))
    rule(heard.error is not None, f"a stream that broke off ends as {heard.finish}")


async def _leaving(caller: Caller) -> None:
    before = await _open_streams(caller)
    left = [await caller.leave(wish, caller.silence_s) for wish in _LONG]
    asked = caller.asked
    heard = await caller.hear(HELLO.streamed())
    rule(heard.text.strip(), "no response after others have left")
    caller.asked, caller.heard = asked, f"left after {left} bytes; the next response is complete"
    if before is not None:
        await _settled(caller, before)


async def _settled(caller: Caller, before: float) -> None:
    """Wait until no more streams are open than before anybody left."""
    end = time.monotonic() + caller.settle_s
    while (now := await _open_streams(caller)) is not None and now > before:
        rule(time.monotonic() < end, f"{now:g} streams are open {caller.settle_s:g} s after their callers left")
        await asyncio.sleep(_LOOK_S)
    caller.heard += "; no stream is left open"


async def _open_streams(caller: Caller) -> float | None:
    """Ask for the metrics of a gateway that has ours."""
    reply = await exchange(caller.http, "GET", "/metrics", {}, None, caller.whole_s)
    found = _OPEN.findall(reply.body.decode("utf-8", "replace")) if reply.status == 200 else []
    return sum(map(float, found)) if found else None


async def _models(caller: Caller) -> None:
    path = caller.asking.models
    if not path:
        raise NotOffered("it shares Chat's")
    reply = await caller.get(path)
    if reply.status in (404, 405, 501):
        raise NotOffered(f"GET {path}: {reply.status}")
    names = _LISTED[caller.dialect](caller.object(reply))
    rule(names and all(names), "the list is empty, or a model has no name")
    caller.heard = f"{len(names)} models"


@walks
def _openai(listed: Json) -> list[str]:
    rule(listed["object"] == "list", f"object is {listed['object']!r}")
    rule(all(one["object"] == "model" for one in listed["data"]), "an entry is not a model")
    return [one["id"] for one in listed["data"]]


@walks
def _anthropic(listed: Json) -> list[str]:
    kinds = {one.get("type") for one in listed["data"]}
    rule(kinds == {"model"}, f"entries of the type {kinds}, not model")
    rule(type(listed["has_more"]) is bool, "has_more is missing")
    return [one["id"] for one in listed["data"] if one["display_name"]]


@walks
def _gemini(listed: Json) -> list[str]:
    rule(all(one["name"].startswith("models/") for one in listed["models"]), "a name does not start with models/")
    return [one["name"] for one in listed["models"]]


_LISTED: Final[dict[str, Callable[[Json], list[str]]]] = {
    "openai-chat": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


async def _methods(caller: Caller) -> None:
    path = caller.asking.path(caller.model, False)
    statuses = [(await caller.get(path, method)).status for method in ("HEAD", "OPTIONS", "GET")]
    caller.asked, caller.heard = f"HEAD, OPTIONS and GET {path}", f"{statuses}"
    rule(all(status < 500 for status in statuses), f"HEAD, OPTIONS and GET of {path} give {statuses}")
    rule(statuses[-1] >= 300, f"GET {path} is answered with {statuses[-1]}")
    rule((await caller.ask(HELLO)).status == 200, "no response after them")


CONDUCT: Final = (
    Check("bad JSON", partial(_bad_json, stream=False)),
    Check("missing field", _missing),
    Check("unknown model", partial(_unknown, stream=False)),
    Check("unknown model, streamed", partial(_unknown, stream=True), streams=True),
    Check("wrong key", partial(_stranger, stream=False)),
    Check("wrong key, streamed", partial(_stranger, stream=True), streams=True),
    Check("silence", _silence, streams=True),
    Check("answer that breaks off", _broken, streams=True),
    Check("callers who leave", _leaving, streams=True),
    Check("list of models", _models),
    Check("other methods", _methods),
)
