"""Threads: conversations that the service holds, each under the id of its last answer, and for one key.

As the SDK's types tell of them (`message-threads-2026-08-12`), and what its tool runners do at each error.
"""

from __future__ import annotations

from typing import Any

from tests.fakes.anthropic_api_errors import AnthropicRefusal, bad

__all__ = ["Threads"]

Json = dict[str, Any]

_CREATED_WITH = ("system", "tools")


class Threads:
    """The conversations that are held."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Json] = {}
        self._continued: set[str] = set()

    def whole(self, body: Json, key: str) -> Json:
        """Give a body with what was said before."""
        name = (body.get("thread") or {}).get("previous_message_id")
        if name is None:
            return body
        for field in _CREATED_WITH:
            if field in body:
                raise bad(field, "cannot be sent where a thread is continued")
        held = self._held.get((key, name))
        if held is None:
            raise _refusal(404, "not_found_error", "thread_not_found", f"no thread state was found for {name}")
        if name in self._continued:
            raise _refusal(400, "invalid_request_error", "thread_already_continued", f"{name} was continued already")
        return {**held, **body, "messages": [*held["messages"], *body["messages"]]}

    def hold(self, body: Json, answer: Json, key: str) -> None:
        """Take a whole body, and what was answered."""
        thread = body.get("thread")
        if not thread:
            return
        self._continued.add(thread.get("previous_message_id"))
        messages = [*body["messages"], {"role": "assistant", "content": answer["content"]}]
        own = {field: body[field] for field in _CREATED_WITH if field in body}
        self._held[key, answer["id"]] = {**own, "messages": messages}

    def lose(self) -> None:
        """Hold nothing any more."""
        self._held.clear()


def _refusal(status: int, kind: str, code: str, message: str) -> AnthropicRefusal:
    return AnthropicRefusal(status, {"type": kind, "message": message, "details": {"error_code": code}})
