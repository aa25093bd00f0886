"""What an upstream notes of each call: whose it was, whether its answer went out whole, and the tokens that it told.

A request is known by the name of its model, which stands in the first line of its prompt too, so that upstreams see it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

__all__ = ["MANGLE", "NAME", "SILENT", "Booked", "mangled", "name_in", "tokens_in"]

NAME = re.compile(rb"\b(?:google|openai|anthropic|gemini|chain)-[ab]-\d{8}\b")
MANGLE = b"!mangle"  # in a prompt: an event of the answer is no JSON
SILENT = b"!silent"  # the answer does not go on behind its beginning
MARKS = (b'"usage"', b'"usageMetadata"')
BROKEN = b'data: {"broken": \xff\r\n\r\n'


class Booked(Struct):
    """One call. `whole`: nothing of its answer was held back; `tokens`: of prompt and answer, as it was told."""

    name: str
    upstream: str
    whole: bool = False
    mangled: bool = False
    tokens: tuple[int, int] | None = None

    def heard(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on what is sent, and note the tokens that it tells."""
        usage: dict[str, int] = {}
        for chunk in chunks:
            if any(mark in chunk for mark in MARKS):
                usage |= tokens_in(chunk)
                self.tokens = _sum(usage) if usage else None
            yield chunk


def name_in(body: bytes) -> str:
    """Find the name of the request; "" when it is a call of the gateway's own."""
    found = NAME.search(body)
    return found[0].decode() if found else ""


def mangled(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Put something that is no event behind the first one."""
    for place, chunk in enumerate(chunks):
        yield chunk
        if not place:
            yield BROKEN


def tokens_in(chunk: bytes) -> dict[str, int]:
    """Read the counts of an event or of a whole answer, by the names of the wire."""
    text = chunk.decode("utf-8", "replace")
    lines = [line[5:] for line in text.splitlines() if line.startswith("data:")]
    try:
        told: dict[str, Any] = json.loads("\n".join(lines) if lines else text)
    except ValueError:
        return {}
    told = told.get("response", told)
    usage: dict[str, Any] = told.get("usageMetadata") or told.get("usage") or told.get("message", {}).get("usage") or {}
    return {name: count for name, count in usage.items() if isinstance(count, int)}


_PROMPT = (
    "prompt_tokens",
    "promptTokenCount",
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)
_ANSWER = ("completion_tokens", "candidatesTokenCount", "thoughtsTokenCount", "output_tokens")


def _sum(usage: dict[str, int]) -> tuple[int, int]:
    return sum(usage.get(name, 0) for name in _PROMPT), sum(usage.get(name, 0) for name in _ANSWER)
