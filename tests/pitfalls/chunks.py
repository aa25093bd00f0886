"""What servers that speak Chat Completions or Responses send, piece by piece."""

from __future__ import annotations

from typing import Any

__all__ = ["called", "calling", "delta", "frame", "responded"]

Json = dict[str, Any]


def frame(*choices: Json, **fields: Any) -> Json:
    """Make a chunk of these choices."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_800_000_000, "model": "m"}
    return head | {"choices": list(choices)} | fields


def delta(finish: str | None = None, **given: Any) -> Json:
    """Make a chunk of one delta."""
    return frame({"index": 0, "delta": given, "finish_reason": finish})


def called(name: str, arguments: str, at: int | None = 0, **more: Any) -> Json:
    """Begin a call; without a number for a server that gives none."""
    call = {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return delta(tool_calls=[call | ({} if at is None else {"index": at})])


def calling(arguments: str, at: int | None = 0, **more: Any) -> Json:
    """Go on with a call."""
    call = {"function": {"arguments": arguments}, **more}
    return delta(tool_calls=[call | ({} if at is None else {"index": at})])


def responded(text: str, status: str, **ended: Any) -> list[Json]:
    """Make the events of a response that says this, and ends so; nothing is said without a text."""
    head: Json = {"id": "resp_1", "object": "response", "created_at": 1_800_000_000, "model": "m", "output": []}
    head |= {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "status": "in_progress", "error": None}
    head |= {"usage": None, "incomplete_details": None}
    item: Json = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    words: list[Json] = [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **where, "part": part},
        {"type": "response.output_text.delta", **where, "delta": text, "logprobs": []},
    ]
    said = {**item, "status": "incomplete" if status == "failed" else status, "content": [part | {"text": text}]}
    last = head | {"status": status, "output": [said] if text else []} | ended
    told = [
        {"type": "response.created", "response": head},
        {"type": "response.in_progress", "response": head},
        *(words if text else []),
        {"type": f"response.{status}", "response": last},
    ]
    return [{**one, "sequence_number": number} for number, one in enumerate(told)]
