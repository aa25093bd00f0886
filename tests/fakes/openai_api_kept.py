"""What the Responses API keeps: answers by id, and which thoughts it sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai_api_errors import bad

__all__ = ["Kept", "Thread"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Thread:
    """One stored answer: its object, and what was put in for it."""

    response: Json
    input: list[Json]
    owner: str


@dataclass
class Kept:
    """Answers that were stored, and reasoning that was sealed. `items`: every output item that was ever stored."""

    threads: dict[str, Thread] = field(default_factory=dict)
    sealed: dict[str, str] = field(default_factory=dict)  # encrypted content -> the id of its item
    items: dict[str, Json] = field(default_factory=dict)

    def seal(self, item_id: str) -> str:
        """Make the encrypted content of a reasoning item."""
        sealed = f"gAAAAABfake{len(self.sealed):06d}{item_id[-12:]}=="
        self.sealed[sealed] = item_id
        return sealed

    def keep(self, thread: Thread) -> None:
        """Store an answer."""
        self.threads[thread.response["id"]] = thread
        self.items |= {item["id"]: item for item in thread.response["output"]}

    def thread(self, name: str, key: str) -> Thread:
        """Find a stored answer of this key."""
        found = self.threads.get(name)
        if found is None or found.owner != key:
            raise bad(f"Response with id '{name}' not found.", status=404, param="response_id")
        return found

    def delete(self, name: str, key: str) -> Json:
        """Drop a stored answer."""
        self.thread(name, key)
        del self.threads[name]
        return {"id": name, "object": "response", "deleted": True}

    def before(self, name: str | None, key: str) -> list[Json]:
        """Give the conversation that an answer ended."""
        if name is None:
            return []
        found = self.threads.get(name)
        if found is None or found.owner != key:
            raise bad(
                f"Previous response with id '{name}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return [
            *self.before(found.response["previous_response_id"], key),
            *found.input,
            *found.response["output"],
        ]
