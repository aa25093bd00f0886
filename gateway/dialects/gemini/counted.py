"""The tokens that an answer tells which nobody here reads for anything else.

embedContent and the like              usageMetadata
cachedContents                         usageMetadata, with a total alone: of what was read
openai/chat/completions, …/embeddings  usage in OpenAI's words; of a stream, in its chunks
interactions, decisions                usage in words of their own; of a stream, also in an event's interaction
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from gateway import ir
from gateway.dialects.openai_chat.outbound_usage import Tally as ChatTally
from gateway.dialects.raw import read
from gateway.sse import Decoder

from .usage import Tally
from .wire import UsageMetadata

__all__ = ["read_counted"]


class _Interaction(Struct):
    usage: Raw | UnsetType = UNSET


class _Counted(_Interaction):
    """An answer, or an event of one."""

    usage_metadata: UsageMetadata | None = field(default=None, name="usageMetadata")
    interaction: Raw | UnsetType = UNSET


class _Interacted(Struct):
    """What an interaction took; thoughts and tool use stand beside the answer and the prompt."""

    total_input_tokens: int | None = None
    total_output_tokens: int | None = None
    total_tokens: int | None = None
    total_thought_tokens: int | None = None
    total_cached_tokens: int | None = None
    total_tool_use_tokens: int | None = None


_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_USAGE: Final = b'"usage'
_COUNTED: Final = msgspec.json.Decoder(_Counted, strict=False)
_INTERACTION: Final = msgspec.json.Decoder(_Interaction)
_INTERACTED: Final = msgspec.json.Decoder(_Interacted, strict=False)


def read_counted(body: bytes) -> ir.Usage | None:
    """Give the tokens that an answer of any kind tells, whole or in events; None where there are none."""
    own, chat = Tally(), ChatTally()
    for data in _said(body):
        if (counted := read(data, _COUNTED)) is not None:
            _add(counted, own, chat)
    usage = own.usage() or chat.usage()
    return usage if usage is not None and (usage.input or usage.output) else None


def _said(body: bytes) -> Sequence[bytes | str]:
    if body.lstrip().startswith(b"{"):
        return [body]
    telling = [event for event in _BLANK_LINE.split(body) if _USAGE in event]  # few, of many that are long
    return Decoder().feed(b"".join(event + b"\n\n" for event in telling))


def _add(counted: _Counted, own: Tally, chat: ChatTally) -> None:
    """Take what one answer or event tells; reports are cumulative in each of these forms."""
    if (report := counted.usage_metadata) is not None:
        own.add(report)
    within = read(counted.interaction, _INTERACTION)
    for usage in (counted.usage, within.usage if within is not None else UNSET):
        told = read(usage, _INTERACTED)
        if told is None or told == _Interacted(total_tokens=told.total_tokens):  # a name that both forms have
            chat.add(usage)
        else:
            own.add(_in_own_words(told))


def _in_own_words(told: _Interacted) -> UsageMetadata:
    return UsageMetadata(
        prompt_token_count=told.total_input_tokens,
        candidates_token_count=told.total_output_tokens,
        total_token_count=told.total_tokens,
        thoughts_token_count=told.total_thought_tokens,
        cached_content_token_count=told.total_cached_tokens,
        tool_use_prompt_token_count=told.total_tool_use_tokens,
    )
