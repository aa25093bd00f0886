"""Is an answer of Messages the script's?"""

import msgspec

from bench.checking import WrongAnswer, decoded, expect, expect_whole, named_events
from bench.script import Script

__all__ = ["check_anthropic_stream", "check_anthropic_whole"]

TEXT = "content_block_delta"
# what comes once for one block of text, in this order; pings and deltas apart
ONCE = ("message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop")


class _Delta(msgspec.Struct):
    text: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    index: int = 0
    delta: _Delta = msgspec.field(default_factory=_Delta)


class _Block(msgspec.Struct):
    text: str


class _Message(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None


_event = msgspec.json.Decoder(_Event)
_message = msgspec.json.Decoder(_Message)


def check_anthropic_stream(script: Script, body: bytes) -> None:
    """Each piece in a delta of its own, all in block 0, one end_turn, `message_stop` at the end."""
    found = [(kind, decoded(_event, data)) for kind, data in named_events(body) if kind != "ping"]
    kinds = [kind for kind, _ in found]
    if tuple(kind for kind in kinds if kind != TEXT) != ONCE or any(event.index for _, event in found):
        raise WrongAnswer(f"events {', '.join(dict.fromkeys(kinds))}")
    if kinds[2:-3] != [TEXT] * (len(kinds) - len(ONCE)):
        raise WrongAnswer("text outside of its block")
    texts = [event.delta.text for kind, event in found if kind == TEXT]
    expect(script, texts, [event.delta.stop_reason for _, event in found], "end_turn")


def check_anthropic_whole(script: Script, body: bytes) -> None:
    """One block with the whole text."""
    message = decoded(_message, body)
    expect_whole(script, [block.text for block in message.content], message.stop_reason, "end_turn")
