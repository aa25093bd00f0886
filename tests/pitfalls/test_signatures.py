"""Signatures: whose they are, what stands in for them, and what becomes of a strange one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.openai_api import replayed
from tests.conformance.served import user, values
from tests.conformance.test_cases_signatures import SENTINEL
from tests.conformance.travelling import CALLERS
from tests.pitfalls.gateways import CLAUDES, GOOGLE, TRANSLATING, At, Gateway, each

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)
EVERY_CLAUDE = (*CLAUDES, "v1internal-claude")
LOOP = "!think hm\n!tool f {}\n!then\n!say done"


def calls_of(at: At) -> list[Json]:
    """Give the parts with a call that the upstream received."""
    return [part for turn in at.turns for part in turn["parts"] if "functionCall" in part]


def renamed(dialect: str, said: Any) -> Any:
    """Give the calls ids that nobody remembers."""
    text = json.dumps(said)
    field = {"openai-chat": "id", "openai-responses": "call_id", "anthropic": "id"}[dialect]
    for ident in {*values(field, said)}:
        if isinstance(ident, str) and not ident.startswith(("rs_", "msg_", "fc_")):
            text = text.replace(ident, f"{ident[:-6]}forgot")
    return json.loads(text)


@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_25_a_call_that_came_back_bare_has_the_signature_that_is_remembered(at: At, dialect: str) -> None:
    caller = CALLERS[dialect]
    said = await caller.first(at.http, at.model, LOOP)
    assert (await caller.second(at.http, at.model, LOOP, caller.stripped(said))).status_code == 200
    (call,) = calls_of(at)
    assert call["thoughtSignature"] not in ("", SENTINEL)


@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_25_where_nothing_is_remembered_it_has_the_sentinel(at: At, dialect: str) -> None:
    caller = CALLERS[dialect]
    said = renamed(dialect, caller.stripped(await caller.first(at.http, at.model, LOOP)))
    assert (await caller.second(at.http, at.model, LOOP, said)).status_code == 200
    (call,) = calls_of(at)
    assert call["thoughtSignature"] == SENTINEL


def bare(of: Any) -> Any:
    """Leave out what carries signatures, in the words of each dialect."""
    if isinstance(of, list):
        return [bare(one) for one in of if not (isinstance(one, dict) and one.get("type") in ("thinking", "reasoning"))]
    return {name: bare(one) for name, one in of.items() if name != "extra_content"} if isinstance(of, dict) else of


PARALLEL = "!tool f {}\n!tool f {}\n!tool f {}\n!then\n!say done"


@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_26_only_the_first_of_parallel_calls_has_the_sentinel(at: At, dialect: str) -> None:
    whole = (await at.response(dialect, PARALLEL, tools=["f"])).json()
    turns = renamed(dialect, bare(replayed(dialect, whole)))
    field = "input" if dialect == "openai-responses" else "messages"
    asked = {field: [user(PARALLEL), *turns]}
    told = await at.ask(dialect, tools=["f"], more=asked)
    assert told.text == "done"
    assert [call.get("thoughtSignature") for call in calls_of(at)] == [SENTINEL, None, None]


@TRANSLATED
@each(*EVERY_CLAUDE)
async def test_pitfall_26_claude_never_gets_the_sentinel(at: At, dialect: str) -> None:
    caller = CALLERS[dialect]
    said = renamed(dialect, caller.stripped(await caller.first(at.http, at.model, LOOP)))
    assert (await caller.second(at.http, at.model, LOOP, said)).status_code == 200
    assert not any(SENTINEL in call.raw.decode() for call in at.calls)


def signatures_of(of: Any) -> set[str]:
    """Find what signs: in the words of each dialect."""
    names = ("signature", "thought_signature", "encrypted_content", "thoughtSignature")
    return {one for name in names for one in values(name, of) if isinstance(one, str) and one}


@pytest.mark.parametrize(
    ("here", "there"),
    [(here, there) for here in EVERY_CLAUDE for there in GOOGLE]
    + [(here, there) for here in GOOGLE for there in EVERY_CLAUDE],
)
@TRANSLATED
async def test_pitfall_27_a_signature_of_another_family_does_not_go_on(
    gateway: Gateway, here: str, there: str, dialect: str
) -> None:
    caller, first = CALLERS[dialect], gateway.at(here)
    said = await caller.first(first.http, first.model, LOOP)
    assert signatures_of(said)
    second = gateway.at(there)
    assert (await caller.second(second.http, second.model, LOOP, said)).status_code == 200
    sent = second.calls[-1].raw.decode()
    assert "gw1." not in sent
    for one in signatures_of(said):
        assert one not in sent
        assert one.split(".")[-2 if one.startswith("gw1.") else 0] not in sent


STRANGE: dict[str, list[Json]] = {
    "anthropic": [
        user("one"),
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "a secret thought", "signature": "bm9ib2R5cw=="},
                {"type": "text", "text": "two"},
            ],
        },
        user("three"),
    ],
    "openai-chat": [
        user("one"),
        {"role": "assistant", "content": "two", "reasoning_content": "a secret thought"},
        user("three"),
    ],
    "openai-responses": [
        user("one"),
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a secret thought"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
        user("three"),
    ],
}


@pytest.mark.parametrize("dialect", STRANGE)
@each(*EVERY_CLAUDE)
async def test_pitfall_28_a_thought_of_unknown_origin_is_dropped_and_no_text(at: At, dialect: str) -> None:
    at.push("!say ok", "!say ok")
    field = "input" if dialect == "openai-responses" else "messages"
    told = await at.ask(dialect, more={field: STRANGE[dialect]})
    assert told.text == "ok"
    assert "a secret thought" not in at.calls[-1].raw.decode()
    assert "two" in at.calls[-1].raw.decode()


REFUSED = ("Invalid thought signature.", "invalid `thoughtSignature`", "INVALID THOUGHT_SIGNATURE in part 1")


def refuse(at: At, message: str) -> None:
    if at.upstream in CLAUDES:
        at.push(
            "!refuse " + json.dumps({"status": 400, "error": {"type": "invalid_request_error", "message": message}})
        )
    else:
        error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
        at.push("!refuse " + json.dumps({"error": error}))


@pytest.mark.parametrize("message", REFUSED)
@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_29_a_signature_that_is_refused_is_left_out_once(at: At, dialect: str, message: str) -> None:
    caller = CALLERS[dialect]
    said = await caller.first(at.http, at.model, LOOP)
    refuse(at, message)
    assert (await caller.second(at.http, at.model, LOOP, said)).status_code == 200
    assert [call.status for call in at.calls] == [200, 400, 200]
    assert signatures_of(at.sent) <= {SENTINEL}


@pytest.mark.parametrize(
    "message", ["messages.1.content.0: Invalid `signature` in `thinking` block", "INVALID signature in thinking block"]
)
@TRANSLATED
@each(*EVERY_CLAUDE)
async def test_pitfall_29_so_it_is_for_claude(at: At, dialect: str, message: str) -> None:
    caller = CALLERS[dialect]
    said = await caller.first(at.http, at.model, LOOP)
    refuse(at, message)
    assert (await caller.second(at.http, at.model, LOOP, said)).status_code == 200
    assert statuses_of(at) == ([400], [200])


def statuses_of(at: At) -> tuple[list[int], list[int]]:
    """Give the statuses of the calls with signatures after the first, and what the last one without them came to.

    Between them Claude may want a call with thoughts before it, and is asked without thinking.
    """
    signed = [call.status for call in at.calls[1:] if signatures_of(call.request) - {SENTINEL}]
    bare = [call.status for call in at.calls[1:] if not signatures_of(call.request) - {SENTINEL}]
    return signed, bare[-1:]


@TRANSLATED
@each(*GOOGLE, *EVERY_CLAUDE)
async def test_pitfall_29_a_second_refusal_is_the_callers(at: At, dialect: str) -> None:
    caller = CALLERS[dialect]
    said = await caller.first(at.http, at.model, LOOP)
    for _ in range(2):
        refuse(at, "Invalid `signature` in `thinking` block" if at.upstream not in GOOGLE else REFUSED[0])
    response = await caller.second(at.http, at.model, LOOP, said)
    assert (response.status_code, *statuses_of(at)) == (400, [400], [400])
