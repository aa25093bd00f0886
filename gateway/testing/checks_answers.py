"""What must hold of answers: text, usage, tool calls and thoughts, whole and streamed."""

from functools import partial
from typing import Final

from gateway.testing.asking import TOOL, Wish
from gateway.testing.check import Check, NotOffered
from gateway.testing.conversation import Caller
from gateway.testing.grammar import Heard, Json, rule

__all__ = ["ANSWERS", "HELLO"]

HELLO: Final = Wish("Say hello in one short sentence.")
_CALL: Final = f'Call {TOOL} for Paris.\n!tool {TOOL} {{"city": "Paris"}}'
_CALLS: Final = f'{_CALL}\nAnd call it for Rome in the same turn.\n!tool {TOOL} {{"city": "Rome"}}'
_THINK: Final = Wish("How many primes are there below 20? Think first.\n!think Let me count.\n!say 8", thinks=True)
_FEW: Final = 5  # tokens by which two counts of the same may differ, besides a fifth


async def _text(caller: Caller, *, stream: bool) -> None:
    heard = await caller.hear(HELLO.streamed() if stream else HELLO)
    rule(heard.error is None, f"the response is an error: {heard.error}")
    rule(heard.text.strip(), "the response has no text")
    caller.grammar.counts(heard.usage)


async def _same_usage(caller: Caller) -> None:
    """Count one prompt in a whole answer and in a stream: it is as long."""
    heard = [await caller.hear(wish) for wish in (HELLO, HELLO.streamed())]
    (whole, *_), (stream, *_) = (caller.grammar.counts(one.usage) for one in heard)
    caller.heard = f"{whole} tokens of the prompt, streamed {stream}"
    rule(whole > 0 and stream > 0, f"the prompt counts {whole} tokens, streamed {stream}")
    rule(abs(whole - stream) <= _FEW + max(whole, stream) / 5, f"one prompt counts {whole} tokens and {stream}")


async def _uncounted(caller: Caller) -> None:
    if caller.dialect != "openai-chat":
        raise NotOffered("only Chat's callers say whether they want it")
    heard = await caller.hear(Wish(HELLO.text, stream=True, counted=False))
    rule(not heard.usage, f"usage that was not asked for: {heard.usage}")


async def _call(caller: Caller, *, stream: bool) -> None:
    heard = await caller.hear(Wish(_CALL, tool=True, forced=True, stream=stream))
    _check_calls(caller, heard)
    caller.grammar.counts(heard.usage)


def _check_calls(caller: Caller, heard: Heard) -> None:
    rule(heard.calls, f"no call of the forced tool, but {heard.text[:80]!r}")
    for call in heard.calls:
        rule(call.name == TOOL, f"a call of {call.name!r}")
        given: Json = call.arguments
        rule(type(given) is dict and given.get("city"), f"the arguments are {given!r}")
    ids = [call.id for call in heard.calls if call.id or caller.dialect != "gemini"]  # Gemini may give none
    rule(all(ids) and len(ids) == len(set(ids)), f"the ids of the calls are {ids}")


async def _results(caller: Caller, *, stream: bool) -> None:
    """Ask for two calls at once, and give the turn back as it came, with a result for every call."""
    reply = await caller.ask(Wish(_CALLS, tool=True, forced=True))
    heard = caller.read(reply, stream=False)
    _check_calls(caller, heard)
    told = caller.turn(reply)
    if stream and len(heard.calls) > 1:
        _check_calls(caller, await caller.hear(Wish(_CALLS, tool=True, forced=True, stream=True)))
    said = await caller.hear(Wish(_CALLS, stream=stream, tool=True, told=told, calls=heard.calls))
    rule(said.text.strip() or said.calls, "no response to the results")
    caller.heard = f"{len(heard.calls)} calls, their results: {caller.heard}"


async def _thoughts(caller: Caller, *, stream: bool) -> None:
    reply = await caller.ask(_THINK)
    if 400 <= reply.status < 500:
        raise NotOffered(f"no thinking was asked for: {reply.shown[:80]}")
    heard = caller.read(reply, stream=False)
    if stream:
        whole, heard = heard, await caller.hear(_THINK.streamed())
        lost = whole.signatures and whole.thoughts and heard.thoughts and not heard.signatures
        rule(not lost, "not streamed, the thoughts have signatures; streamed, they have none")
    if not heard.thoughts:
        raise NotOffered("no thoughts came")
    caller.grammar.counts(heard.usage)


async def _thoughts_back(caller: Caller) -> None:
    """Give thoughts back in the next turn as they came, as clients do."""
    reply = await caller.ask(_THINK)
    heard = Heard() if 400 <= reply.status < 500 else caller.read(reply, stream=False)
    if not heard.thoughts or not heard.text:
        raise NotOffered("there was nothing but thoughts" if heard.thoughts else "no thoughts came")
    told = [*caller.turn(reply), *_again(caller.dialect)]
    said = await caller.hear(Wish(_THINK.text, thinks=True, told=told))
    rule(said.text.strip() or said.thoughts, "no answer")


def _again(dialect: str) -> list[dict[str, object]]:
    if dialect == "gemini":
        return [{"role": "user", "parts": [{"text": HELLO.text}]}]
    return [{"role": "user", "content": HELLO.text}]


ANSWERS: Final = (
    Check("text", partial(_text, stream=False), group="simple"),
    Check("text, streamed", partial(_text, stream=True), streams=True, group="simple"),
    Check("usage, whole and streamed", _same_usage, streams=True),
    Check("usage only where asked for", _uncounted, streams=True),
    Check("tool call", partial(_call, stream=False), group="tools"),
    Check("tool call, streamed", partial(_call, stream=True), streams=True, group="tools"),
    Check("tool results", partial(_results, stream=False), group="tools"),
    Check("tool results, streamed", partial(_results, stream=True), streams=True, group="tools"),
    Check("thoughts", partial(_thoughts, stream=False)),
    Check("thoughts, streamed", partial(_thoughts, stream=True), streams=True),
    Check("thoughts given back", _thoughts_back),
)
