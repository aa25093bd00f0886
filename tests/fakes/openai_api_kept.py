"""What the Responses API keeps: answers by id, and which thoughts it sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.fakes.openai_api_errors import bad

__all__ = ["Job", "Kept", "Thread"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Thread:
    """One stored answer: its object, and what was put in for it."""

    response: Json
    input: list[Json]
    owner: str


@dataclass
class Job:
    """An answer that is made in the background: all its events. `streamed`: it was asked for as a stream.

    `looks`: how often it is seen unfinished before it is complete.
    """

    told: list[Json]
    streamed: bool
    looks: int
    status: str = "queued"

    @property
    def response(self) -> Json:
        """Give the object as it is now."""
        if self.status == "done":
            found: Json = self.told[-1]["response"]
            return found
        begun: Json = self.told[0]["response"]
        return begun | {"status": self.status}


@dataclass
class Kept:
    """Answers that were stored, and reasoning that was sealed. `items`: every output item that was ever stored.

    `led`: what reasoning led to, as ids of items -> the id of the reasoning.
    `jobs`: those that are made in the background; `looks`: of the next ones.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    looks: int = 1
    threads: dict[str, Thread] = field(default_factory=dict)
    sealed: dict[str, str] = field(default_factory=dict)  # encrypted content -> the id of its item
    items: dict[str, Json] = field(default_factory=dict)
    led: dict[str, str] = field(default_factory=dict)

    def seal(self, item_id: str) -> str:
        """Make the encrypted content of a reasoning item."""
        sealed = f"gAAAAABfake{len(self.sealed):06d}{item_id[-12:]}=="
        self.sealed[sealed] = item_id
        return sealed

    def keep(self, thread: Thread) -> None:
        """Store an answer."""
        self.threads[thread.response["id"]] = thread
        output = thread.response["output"]
        self.items |= {item["id"]: item for item in output}
        for thought, item in pairwise(output):
            if thought["type"] == "reasoning" != item["type"]:
                self.led[item["id"]] = thought["id"]

    def meant(self, item: Json) -> Json:
        """Give the item that another one names, or the item itself."""
        return self.items.get(item["id"], item) if item.get("type") == "item_reference" else item

    def thread(self, name: str, key: str) -> Thread:
        """Find a stored answer of this key."""
        found = self.threads.get(name)
        if found is None or found.owner != key:
            raise bad(f"Response with id '{name}' not found.", status=404, param="response_id")
        return found

    def begin(self, told: list[Json], thread: Thread, *, streamed: bool) -> Json:
        """Queue an answer."""
        job = Job(told, streamed, self.looks)
        self.jobs[thread.response["id"]] = job
        self.keep(Thread(job.response, thread.input, thread.owner))
        return job.response

    def look(self, name: str, key: str) -> Json:
        """Give an answer as it is now; one in the background gets on meanwhile."""
        thread, job = self.thread(name, key), self.jobs.get(name)
        if job is None:
            return thread.response
        if job.status in {"queued", "in_progress"}:
            job.status = "in_progress" if job.looks > 0 else "done"
            job.looks -= 1
        self.keep(Thread(job.response, thread.input, key))
        return job.response

    def events(self, name: str, key: str, after: int) -> list[Json]:
        """Give what an answer in the background has told behind one of its events; it is complete then."""
        thread, job = self.thread(name, key), self.jobs.get(name)
        if job is None or not job.streamed:
            raise bad(
                "This response cannot be streamed: it was not created with background and stream.", param="stream"
            )
        job.status = "done"
        self.keep(Thread(job.response, thread.input, key))
        return [event for event in job.told if event["sequence_number"] > after]

    def cancel(self, name: str, key: str) -> Json:
        """Stop an answer in the background; one that has ended stays as it is."""
        thread, job = self.thread(name, key), self.jobs.get(name)
        if job is None:
            raise bad("Cannot cancel a synchronous response.", param="response_id")
        if job.status != "done":
            job.status = "cancelled"
        self.keep(Thread(job.response, thread.input, key))
        return job.response

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
