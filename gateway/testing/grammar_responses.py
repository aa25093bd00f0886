"""OpenAI Responses as its callers read it.

    created [in_progress] {output_item.added {parts and deltas} output_item.done}* completed | incomplete | failed

Events are numbered without a gap, each item and part is named by its place, and what is done is what its deltas said.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from gateway.testing.grammar import Call, Counts, Heard, Json, arguments, inner, read_object, rule, walks
from gateway.testing.grammar_chat import chat_error, openai_counts
from gateway.testing.grammar_sse import frames

__all__ = ["ResponsesStream", "responses_counts", "responses_stream", "responses_whole"]

_TERMINALS: Final = ("response.completed", "response.incomplete", "response.failed")
_CALLS: Final = ("function_call", "custom_tool_call")
_DELTAS: Final = {  # the field of what is open that a delta adds to
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_text": "text",
    "response.reasoning_summary_text": "text",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
}
_PARTS: Final = {"response.content_part": "content", "response.reasoning_summary_part": "summary"}
_SAID: Final = ("type", "call_id", "name", "arguments", "input", "result")  # of an item, what callers act on


class ResponsesStream:
    """A stream that keeps the rules; making one checks them.

    `done`: the items as their last events gave them; `items`: as put together from the deltas.
    """

    @walks
    def __init__(self, data: bytes) -> None:
        self.events = list(_parsed(data))
        rule(len(self.events) > 1, f"a stream of {len(self.events)} events")
        created, *told, last = self.events
        rule(created["type"] == "response.created", f"the first event is {created['type']}")
        begun = told.pop(0) if told and told[0]["type"] == "response.in_progress" else created
        state = begun["response"]["status"], begun["response"]["output"]
        rule(state in (("in_progress", []), ("queued", [])), f"it begins with {state}")
        rule(last["type"] in _TERMINALS, f"the last event is {last['type']}")
        self.response: Json = last["response"]
        rule(last["type"] == f"response.{self.status}", f"{last['type']} with the status {self.status}")
        ids = {event["response"]["id"] for event in self.events if "response" in event}
        rule(len(ids) == 1, f"the id of the response changes: {sorted(ids)}")
        _check_response(self.response)
        self.items: list[Json] = []
        self.done: list[Json] = []
        self.open: Json | None = None
        self.part: Json | None = None
        self._untold = ""  # the kind of deltas that no done has summed up yet
        for event in told:
            rule(event["type"] not in _TERMINALS, f"{event['type']} before the end")
            self._take(event)
        self._check_end()

    @property
    def status(self) -> str:
        """Give how it ended."""
        return str(self.response["status"])

    @property
    def names(self) -> list[str]:
        """Give the types of the events."""
        return [event["type"].removeprefix("response.") for event in self.events]

    @property
    def output(self) -> list[Json]:
        """Give the items as the last event has them."""
        output: list[Json] = self.response["output"]
        return output

    def named(self, name: str) -> list[Json]:
        """Give the events of one type."""
        return [event for event in self.events if event["type"] == f"response.{name}"]

    def _take(self, event: Json) -> None:
        subject, _, verb = event["type"].rpartition(".")
        if subject == "response.output_item":
            self._take_item(event, verb)
            return
        rule(self.open is not None, f"{event['type']}, but no item is open")
        assert self.open is not None
        place = (event["output_index"], event["item_id"])
        expected = (len(self.items) - 1, self.open["id"])
        rule(place == expected, f"{event['type']} is for {place}, open is {expected}")
        if subject in _PARTS:
            self._take_part(event, verb, _PARTS[subject])
        elif subject == "response.output_text.annotation":
            self._take_annotation(event)
        elif subject in _DELTAS:
            self._take_words(event, verb, _DELTAS[subject])

    def _take_item(self, event: Json, verb: str) -> None:
        place = len(self.items) - (verb == "done")
        rule(event["output_index"] == place, f"{event['type']} has output_index {event['output_index']}, not {place}")
        if verb == "added":
            rule(self.open is None, "an item is added while another is open")
            item: Json = deepcopy(event["item"])
            self.open = item
            self.items.append(item)
            rule(item.get("status", "in_progress") == "in_progress", f"an item is added as {item}")
            return
        rule(self.open is not None, "an item is done that was not added")
        assert self.open is not None
        rule(self.part is None, "an item is done while one of its parts is open")
        done = event["item"]
        rule(not self._untold or _end(done) == "incomplete", f"an item is done without {self._untold}.done")
        self._untold = ""
        rule(_end(done) in ("completed", "incomplete"), f"an item is done as {_end(done)}")
        self.open.update({name: done[name] for name in ("result", "encrypted_content", "status") if name in done})
        rule(_said(done) == _said(self.open), f"an item is done as {_said(done)}, its deltas said {_said(self.open)}")
        self.done.append(done)
        self.open = None

    def _take_part(self, event: Json, verb: str, field: str) -> None:
        assert self.open is not None
        parts: list[Json] = self.open.setdefault(field, [])
        index = event["content_index" if field == "content" else "summary_index"]
        rule(index == len(parts) - (verb == "done"), f"{event['type']} has the index {index} of {len(parts)} parts")
        if verb == "added":
            rule(self.part is None, "a part is added while another is open")
            part = self.part = deepcopy(event["part"])
            parts.append(part)
            return
        rule(self.part is not None, "a part is done that was not added")
        rule(not self._untold, f"a part is done without {self._untold}.done")
        rule(_words(event["part"]) == _words(self.part), f"a part is done as {event['part']}, not as {self.part}")
        if self.part is not None and "logprobs" in event["part"]:
            self.part["logprobs"] = event["part"]["logprobs"]
        self.part = None

    def _take_annotation(self, event: Json) -> None:
        rule(self.part is not None, "an annotation, but no part is open")
        assert self.part is not None
        places = self.part.setdefault("annotations", [])
        rule(event["annotation_index"] == len(places), f"annotation_index is {event['annotation_index']}")
        places.append(event["annotation"])

    def _take_words(self, event: Json, verb: str, field: str) -> None:
        holder = self.open if field in ("arguments", "input") else self.part
        rule(holder is not None, f"{event['type']}, but no part is open")
        assert holder is not None
        self._untold = event["type"].rpartition(".")[0] if verb == "delta" else ""
        if verb == "delta":
            needed = event["type"] == "response.output_text.delta"
            rule(not needed or "logprobs" in event, f"{event['type']} without logprobs, which may be empty")
            holder[field] = holder.get(field, "") + event["delta"]
            if event.get("logprobs"):
                holder["logprobs"] = holder.get("logprobs", []) + event["logprobs"]
        else:
            rule(event[field] == holder[field], f"done as {event[field]!r}, its deltas said {holder[field]!r}")

    def _check_end(self) -> None:
        if self.open is not None:
            breaks = self.status == "failed" or (self.status == "incomplete" and self.open["type"] in _CALLS)
            rule(breaks, f"the item {self.open['id']} is not done at the end")
            self.open["status"] = "incomplete"
        if self.status != "failed" or self.output:
            said, kept = ([_said(item) for item in items] for items in (self.items, self.output))
            rule(said == kept, f"the last event has the output {kept}, the items before said {said}")
        if self.status == "completed":
            ends = {_end(item) for item in self.done}
            rule(ends <= {"completed"}, f"a completed response with items that are {ends}")


@walks
def responses_stream(data: bytes) -> Heard:
    """Walk a stream of Responses events; Broken where it leaves its grammar."""
    return _heard(ResponsesStream(data).response)


@walks
def responses_whole(body: bytes) -> Heard:
    """Read a Response object, or an error."""
    answer = read_object(body, "the answer")
    if answer.get("object") != "response":
        return Heard(error=chat_error(500, body))
    _check_response(answer)
    rule(f"response.{answer['status']}" in _TERMINALS, f"the status of a whole answer is {answer['status']!r}")
    return _heard(answer)


@walks
def responses_counts(usage: Json) -> Counts:
    """Check the counts of an answer; the SDK's types have both objects of details in each."""
    for name in ("input_tokens_details", "output_tokens_details"):
        rule(type(usage[name]) is dict, f"usage: {name} is {usage[name]!r}")
    return openai_counts(usage, "input_tokens", "output_tokens")


def _check_response(answer: Json) -> None:
    """Look for what OpenAI's types have in every response."""
    rule(answer["object"] == "response", f"object is {answer['object']!r}")
    rule(isinstance(answer["id"], str) and answer["id"], f"id is {answer['id']!r}")
    rule(type(answer["created_at"]) in (int, float), f"created_at is {answer['created_at']!r}")
    rule(isinstance(answer["model"], str), f"model is {answer['model']!r}")
    for name in ("parallel_tool_calls", "tool_choice", "tools"):
        rule(answer[name] is not None, f"{name} is null")
    for item in answer["output"]:
        if item["type"] == "message":
            rule(item["id"] and item["role"] == "assistant", f"a message of {item['role']} with the id {item['id']!r}")
            bare = [part for part in item["content"] if part["type"] == "output_text" and "annotations" not in part]
            rule(not bare, f"a text without annotations, which may be empty: {bare[:1]}")


def _parsed(data: bytes) -> Iterator[Json]:
    first = None
    for place, frame in enumerate(frames(data)):
        read = read_object(frame.text, "an event")
        rule(frame.event == read["type"], f"the event {frame.event!r} has the type {read['type']!r}")
        number = read["sequence_number"]
        first = number if first is None else first
        rule(first in (0, 1) and number == first + place, f"event {place} has sequence_number {number}")
        yield read


def _said(item: Json) -> Json:
    said: Json = {name: item[name] for name in _SAID if item.get(name) is not None}
    for field in ("content", "summary"):
        said |= {field: [_words(part) for part in item.get(field) or ()]}
    return said


def _end(item: Json) -> str:
    return str(item.get("status", "completed"))  # reasoning may have none


def _words(part: Any) -> tuple[str, str]:
    return part["type"], part.get("text") or part.get("refusal") or ""


def _heard(response: Json) -> Heard:
    output, error = response["output"], response.get("error")
    rule((error is None) == (response["status"] != "failed"), f"status {response['status']} with the error {error}")
    said = [part for item in output if item["type"] == "message" for part in item["content"]]
    reasoning = [item for item in output if item["type"] == "reasoning"]
    calls = tuple(
        Call(item["call_id"], item["name"], _given(item, error))
        for item in output
        if item["type"] in _CALLS and _end(item) == "completed"  # one that broke off is none
    )
    images = tuple(
        f"data:image/{item['output_format']};base64,{item['result']}"
        for item in output
        if item["type"] == "image_generation_call"
    )
    finish = None if error else inner(response, "incomplete_details").get("reason") or response["status"]
    text = "".join(part.get("text", "") for part in said)
    thoughts = "".join(part.get("text", "") for item in reasoning for part in item["summary"])
    sealed = tuple(item["encrypted_content"] for item in reasoning if item.get("encrypted_content"))
    return Heard(text, thoughts, calls, images, finish, response.get("usage") or {}, error, sealed)


def _given(item: Json, error: Json | None) -> Any:
    return item["input"] if item["type"] == "custom_tool_call" else arguments(item["arguments"], error)
