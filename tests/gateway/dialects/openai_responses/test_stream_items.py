"""The items of a Responses stream: messages, reasoning, calls, pictures."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering

from .responses import ID, Json, answer, answering, block, call, signed, text, thinking, whole, write

PNG = ir.MediaChunk(media_type="image/png", data="iVBORw0KGgo=")
SEAL = ir.seal(ir.Signature("gemini", "R0VN"))
CALL_SEAL = ir.seal(ir.Signature("gemini", "R0VN", "f"))
FREE = (ir.Tool(name="patch", free_form=True),)


def kinds(items: list[Json]) -> list[str]:
    return [item["type"] for item in items]


def test_reasoning_is_told_as_a_summary() -> None:
    stream = write(answer(thinking("hm", "!"), text("a")))
    at = {"item_id": f"rs_{ID}00", "output_index": 0, "summary_index": 0}
    part = {"type": "summary_text", "text": "hm!"}
    told = [{k: v for k, v in event.items() if k != "sequence_number"} for event in stream.events[3:8]]
    name = "response.reasoning_summary"
    assert told == [
        {"type": f"{name}_part.added", **at, "part": part | {"text": ""}},
        {"type": f"{name}_text.delta", **at, "delta": "hm"},
        {"type": f"{name}_text.delta", **at, "delta": "!"},
        {"type": f"{name}_text.done", **at, "text": "hm!"},
        {"type": f"{name}_part.done", **at, "part": part},
    ]
    assert stream.output[0] == {"id": f"rs_{ID}00", "type": "reasoning", "status": "completed", "summary": [part]}


def test_hidden_thoughts_are_not_told() -> None:
    hidden = answering(reasoning=ir.Reasoning(visible=False))
    assert kinds(write(answer(thinking("a"), text("b")), hidden).output) == ["message"]


def test_hidden_thoughts_are_carried_by_their_seal() -> None:
    hidden = answering(store=False, reasoning=ir.Reasoning(visible=False, display="omitted"))
    first = write(answer(signed(thinking("a")), text("b")), hidden).output[0]
    assert (first["type"], first["summary"], first["encrypted_content"]) == ("reasoning", [], SEAL)


@pytest.mark.parametrize(
    ("store", "include", "carried"),
    [
        (True, b"[]", False),
        (True, b'["reasoning.encrypted_content"]', True),
        (False, b"[]", True),
    ],
)
def test_the_seal_goes_to_a_caller_that_keeps_it(store: bool, include: bytes, carried: bool) -> None:
    to = answering(store=store, echo={"include": include})
    stream = write(answer(signed(thinking("a"))), to)
    assert stream.output[0].get("encrypted_content") == (SEAL if carried else None)
    assert "include" not in stream.response


@pytest.mark.parametrize("text", ["hm", ""])
def test_a_thought_that_nobody_signed_says_so_to_a_caller_that_keeps_it(text: str) -> None:
    """Microsoft Agent Framework refuses to go on from a reasoning item without a seal, as OpenAI makes none."""
    stream = write(answer(thinking(text), call("f", "{}")), answering(store=False))
    seals = [one["encrypted_content"] for one in stream.output if one["type"] == "reasoning"]
    assert [ir.unseal(one) for one in seals] == ([ir.Signature("gemini", "")] if text else [])


@pytest.mark.parametrize("store", [True, False])
def test_without_seals_no_signature_makes_an_item(store: bool) -> None:
    events = answer(signed(thinking()), signed(call("f", "{}"), kind="f"))
    assert kinds(write(events, answering(sealed=False, store=store)).output) == ["function_call"]


def test_a_bare_signature_is_not_told() -> None:
    events = answer(signed(thinking(), None), signed(call("f", "{}"), None, "f"))
    assert kinds(write(events, answering(store=False)).output) == ["function_call"]


SEARCHING = (ir.Tool(name="web_search", builtin="web_search"),)
GROUNDED = ir.OpaqueEvent(
    dialect="gemini", kind="groundingMetadata", value=Raw(b'{"webSearchQueries":["sky","colour of sky"]}')
)
SOURCE = ir.CitationDelta(url="https://a.example", title="A", text="blue")
SEARCH = {"type": "search", "query": "sky, colour of sky", "queries": ["sky", "colour of sky"]}


def searched(*events: ir.Event) -> list[ir.Event]:
    """Give an answer with a search of the web, as Gemini tells of it: behind the words."""
    return answer(block("text", ir.TextDelta("blue"), *events), block("text", ir.TextDelta("!")))


def told(make: Callable[..., Any], events: list[ir.Event], to: Answering) -> list[Json]:
    """Give the items of an answer, streamed or whole."""
    made = make(events, to)
    items: list[Json] = made["output"] if make is whole else made.output
    return items


def test_a_search_of_the_web_is_an_item_behind_the_words() -> None:
    stream = write(searched(SOURCE, GROUNDED), answering(tools=SEARCHING))
    assert kinds(stream.output) == ["message", "web_search_call"]
    item = {"id": f"ws_{ID}01", "type": "web_search_call", "status": "completed", "action": SEARCH}
    assert stream.output[1] == item
    events = [{k: v for k, v in event.items() if k != "sequence_number"} for event in stream.events[-6:-1]]
    at = {"item_id": f"ws_{ID}01", "output_index": 1}
    assert events == [
        {"type": "response.output_item.added", "output_index": 1, "item": item | {"status": "in_progress"}},
        {"type": "response.web_search_call.in_progress", **at},
        {"type": "response.web_search_call.searching", **at},
        {"type": "response.web_search_call.completed", **at},
        {"type": "response.output_item.done", "output_index": 1, "item": item},
    ]


def test_a_whole_answer_has_the_same_items_of_a_search() -> None:
    events, to = searched(SOURCE, GROUNDED), answering(tools=SEARCHING)
    items = told(whole, events, to)
    assert kinds(items) == ["message", "web_search_call"]
    assert items == write(events, to).output


@pytest.mark.parametrize("make", [write, whole])
def test_the_sources_of_a_search_are_for_those_who_ask(make: Callable[..., Any]) -> None:
    asking = answering(tools=SEARCHING, echo={"include": b'["web_search_call.action.sources"]'})
    (item,) = (one for one in told(make, searched(SOURCE, SOURCE), asking) if one["type"] == "web_search_call")
    sources = [{"type": "url", "url": "https://a.example"}]
    assert item["action"] == {"type": "search", "query": "", "queries": [], "sources": sources}


@pytest.mark.parametrize("make", [write, whole])
@pytest.mark.parametrize(
    ("events", "tools"),
    [([SOURCE, GROUNDED], ()), ([], SEARCHING), ([ir.OpaqueEvent(dialect="", kind="x", value=Raw(b"1"))], SEARCHING)],
)
def test_no_item_of_a_search_without_one(
    make: Callable[..., Any], events: list[ir.Event], tools: tuple[ir.Tool, ...]
) -> None:
    assert kinds(told(make, searched(*events), answering(tools=tools))) == ["message"]


def test_the_signature_of_a_call_is_an_item_before_it() -> None:
    items = write(answer(text("ok"), signed(call("f", '{"q":1}'), kind="f")), answering(store=False)).output
    assert kinds(items) == ["message", "reasoning", "function_call"]
    assert (items[1]["summary"], items[1]["encrypted_content"]) == ([], CALL_SEAL)


def test_a_call_in_pieces() -> None:
    stream = write(answer(text("ok"), call("f", '{"q"', "", ":1}")))
    done = {
        "id": f"fc_{ID}01",
        "type": "function_call",
        "status": "completed",
        "arguments": '{"q":1}',
        "call_id": "call_a",
        "name": "f",
    }
    begun = done | {"status": "in_progress", "arguments": ""}
    assert stream.names[8:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert stream.events[8]["item"] == begun
    assert stream.events[11]["name"] == "f"
    assert stream.output[1] == done


def test_a_call_goes_out_as_it_comes() -> None:
    _, started, first, *_ = answer(call("f", '{"q"', ":1}"))
    assert len(write([ir.Started(), started, first]).named("function_call_arguments.delta")) == 1


def test_a_call_without_arguments_has_an_empty_object() -> None:
    stream = write(answer(call("f")))
    assert [event["delta"] for event in stream.named("function_call_arguments.delta")] == ["{}"]
    assert stream.output[0]["arguments"] == "{}"


def test_calls_are_items_of_their_own() -> None:
    items = write(answer(*(call("f", '{"c":1}', ident=str(n)) for n in range(3)))).output
    assert [(item["call_id"], item["id"]) for item in items] == [(str(n), f"fc_{ID}0{n}") for n in range(3)]


@pytest.mark.parametrize(("ident", "expected"), [("", f"call_{ID}00"), ("a:b", "a_b_6783a31e")])
def test_call_ids_are_such_that_every_client_takes_them(ident: str, expected: str) -> None:
    assert write(answer(call("f", ident=ident))).output[0]["call_id"] == expected


def test_a_call_of_a_namespace_goes_back_under_its_own_name() -> None:
    tools = (ir.Tool(name="mcp__read", namespace=("mcp", "read")),)
    item = write(answer(call("mcp__read")), answering(tools=tools)).output[0]
    assert (item["namespace"], item["name"]) == ("mcp", "read")


def test_a_free_form_call_is_unwrapped() -> None:
    stream = write(answer(call("patch", '{"in', 'put":"a\\nb"}')), answering(tools=FREE))
    assert stream.names[3:6] == ["custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"]
    assert stream.output == [
        {
            "id": f"ctc_{ID}00",
            "type": "custom_tool_call",
            "status": "completed",
            "input": "a\nb",
            "call_id": "call_a",
            "name": "patch",
        }
    ]


@pytest.mark.parametrize(("arguments", "expected"), [('{"input":""}', ""), ('{"a":1}', '{"a":1}')])
def test_a_free_form_call_may_hold_anything(arguments: str, expected: str) -> None:
    assert write(answer(call("patch", arguments)), answering(tools=FREE)).output[0]["input"] == expected


@pytest.mark.parametrize("name", ["f", "patch"])
@pytest.mark.parametrize("reason", ["length", "context_window", "content_filter"])
def test_a_call_that_was_cut_is_never_done(name: str, reason: ir.FinishReason) -> None:
    stream = write(answer(call(name, '{"input":"a'), reason=reason), answering(tools=FREE))
    assert not [event for event in stream.names if event.endswith(".done")]
    assert (stream.status, stream.output[0]["status"]) == ("incomplete", "incomplete")
    assert stream.output[0].get("arguments", stream.output[0].get("input")) == ('{"input":"a' if name == "f" else "")


def test_a_call_before_the_cut_is_done() -> None:
    stream = write(answer(call("f", "{}", ident="1"), call("f", '{"a', ident="2"), reason="length"))
    assert [item["status"] for item in stream.output] == ["completed", "incomplete"]


@pytest.mark.parametrize("more", [[], [text("b")]])
def test_odd_arguments_of_an_answer_that_was_not_cut_go_out_as_they_are(more: list[list[ir.Event]]) -> None:
    stream = write(answer(call("f", "{odd"), *more))
    assert (stream.output[0]["status"], stream.output[0]["arguments"]) == ("completed", "{odd")


def test_texts_in_a_row_are_parts_of_one_message() -> None:
    stream = write(answer(text("a"), text("b"), call("f"), text("c")))
    assert kinds(stream.output) == ["message", "function_call", "message"]
    assert [part["text"] for part in stream.output[0]["content"]] == ["a", "b"]


def test_thoughts_that_are_not_told_do_not_end_a_message() -> None:
    hidden = answering(reasoning=ir.Reasoning(visible=False))
    assert len(write(answer(text("a"), thinking("x"), text("b")), hidden).output) == 1


def test_sources_are_annotations_in_characters() -> None:
    source = ir.CitationDelta(url="https://e.org", title="E", start=2, end=6)
    stream = write(answer(block("text", ir.TextDelta("é日x"), source)))
    annotation = {"type": "url_citation", "start_index": 1, "end_index": 3, "title": "E", "url": "https://e.org"}
    (added,) = stream.named("output_text.annotation.added")
    assert (added["annotation_index"], added["annotation"]) == (0, annotation)
    assert stream.output[0]["content"][0]["annotations"] == [annotation]
    assert stream.names.index("output_text.annotation.added") < stream.names.index("output_text.done")


def test_a_source_without_words_has_a_part_for_itself() -> None:
    stream = write(answer(block("text", ir.CitationDelta(url="https://e.org"))))
    (part,) = stream.output[0]["content"]
    assert (part["text"], len(part["annotations"])) == ("", 1)


def test_a_source_without_words_ends_a_call_that_was_not_whole() -> None:
    events = answer(call("f", '{"a":'), block("text", ir.CitationDelta(url="https://e.org")), reason="length")
    assert kinds(write(events).output) == kinds(whole(events)["output"]) == ["function_call", "message"]


def test_sources_belong_to_their_own_text() -> None:
    source = ir.CitationDelta(url="https://e.org")
    stream = write(answer(block("text", ir.TextDelta("a"), source), text("b")))
    assert [len(part["annotations"]) for part in stream.output[0]["content"]] == [1, 0]


def test_a_picture_is_an_item_of_its_own() -> None:
    stream = write(answer(text("a"), block("media", PNG), text("b")))
    assert kinds(stream.output) == ["message", "image_generation_call", "message"]
    calls = "image_generation_call"
    at = stream.names.index(f"{calls}.in_progress")
    assert stream.names[at : at + 4] == [f"{calls}.{s}" for s in ("in_progress", "generating", "completed")] + [
        "output_item.done"
    ]
    assert stream.output[1] == {
        "id": f"ig_{ID}01",
        "type": calls,
        "status": "completed",
        "result": PNG.data,
        "output_format": "png",
    }


def test_other_media_are_links_in_the_message() -> None:
    stream = write(answer(text("a"), block("media", ir.MediaChunk(media_type="audio/wav", data="UklG"))))
    (message,) = stream.output
    assert message["content"][1]["text"] == "[audio](data:audio/wav;base64,UklG)"


@pytest.mark.parametrize(
    ("explanation", "words"), [("No.", "No."), (None, "The answer was withheld by a content filter.")]
)
def test_an_answer_withheld_is_a_refusal(explanation: str | None, words: str) -> None:
    stream = write(answer(thinking("a"), reason="content_filter", explanation=explanation))
    assert stream.names[-7:] == [
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    assert stream.output[1]["content"] == [{"type": "refusal", "refusal": words}]


def test_an_answer_that_had_begun_is_no_refusal() -> None:
    assert write(answer(text("a"), reason="content_filter", explanation="No.")).named("refusal.delta") == []
