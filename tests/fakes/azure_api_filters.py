"""What Azure's content filter adds to an answer: verdicts on the prompt first, on the words beside them or after them.

https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter-annotations, …/content-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["SAFE", "STOPPED", "filtered_chunks", "filtered_whole"]

Json = dict[str, Any]

SAFE: Json = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
STOPPED: Json = SAFE | {
    "violence": {"filtered": True, "severity": "medium"},
    "jailbreak": {"filtered": False, "detected": False},
}
_PROMPT: Json = SAFE | {"jailbreak": {"filtered": False, "detected": False}}
_PROMPTS = [{"prompt_index": 0, "content_filter_results": _PROMPT}]
_NOBODY: Json = {"id": "", "object": "", "created": 0, "model": ""}


def filtered_chunks(chunks: Iterator[Json], *, asynchronous: bool) -> Iterator[Json]:
    """Put the verdicts into a stream; `asynchronous`: in chunks of their own, which have no `delta`."""
    yield {**_NOBODY, "choices": [], "prompt_filter_results": _PROMPTS}
    said = 0
    for chunk in chunks:
        if not chunk.get("choices"):
            yield chunk
            continue
        (choice,) = chunk["choices"]
        if not asynchronous:
            yield chunk | {"choices": [choice | {"content_filter_results": _verdict(choice)}]}
            continue
        yield chunk
        said += len(choice["delta"].get("content") or "")
        if choice["finish_reason"] is None and choice["delta"].get("content"):
            offsets = {"check_offset": said, "start_offset": 0, "end_offset": said}
            late = {
                "index": 0,
                "finish_reason": None,
                "content_filter_results": SAFE,
                "content_filter_offsets": offsets,
            }
            yield {**_NOBODY, "choices": [late]}


def filtered_whole(whole: Json) -> Json:
    """Put the verdicts into an answer."""
    choices = [choice | {"content_filter_results": _verdict(choice) or SAFE} for choice in whole["choices"]]
    return whole | {"choices": choices, "prompt_filter_results": _PROMPTS}


def _verdict(choice: Json) -> Json:
    if choice["finish_reason"] == "content_filter":
        return STOPPED
    said = choice.get("delta") or {}
    return SAFE if said.get("content") else {}
