"""What the parts of an answer become."""

import base64
import re
from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.schema import Profile, clean
from gateway.errors import UpstreamMalformed

from .answering import SIGNED, blocks, chunk, end, function, payload, read, reader, text

TEXT, THINKING = ir.BlockStarted(kind="text"), ir.BlockStarted(kind="thinking")
SIGNATURE = ir.SignatureDelta(ir.Signature("gemini", SIGNED))
DONE = chunk(finish="STOP")


def parts(*given: object, **options: Any) -> list[list[ir.Event]]:
    """Give the blocks of an answer in which each part comes in a chunk of its own."""
    return blocks(read(*(chunk(part) for part in given), DONE, **options))


def test_text_of_many_chunks_is_one_block() -> None:
    assert parts(text("a"), text("b")) == [[TEXT, ir.TextDelta("a"), ir.TextDelta("b")]]


def test_parts_of_one_chunk_are_read_in_order() -> None:
    events = read(chunk(text("t", thought=True), text("a"), function(), finish="STOP"))
    assert [block[0].kind for block in blocks(events) if isinstance(block[0], ir.BlockStarted)] == [
        "thinking",
        "text",
        "tool_call",
    ]


@pytest.mark.parametrize("part", [text(""), text("", thought=True), {}, {"thought": True}, {"text": None}])
def test_empty_part_produces_nothing(part: object) -> None:
    assert parts(text("a"), part) == [[TEXT, ir.TextDelta("a")]]
    assert parts(part) == []


def test_thoughts_are_a_block_of_their_own() -> None:
    assert parts(text("h", thought=True), text("m", thought=True), text("a")) == [
        [THINKING, ir.ThinkingDelta("h"), ir.ThinkingDelta("m")],
        [TEXT, ir.TextDelta("a")],
    ]


# signatures


def test_signature_of_a_thought_ends_it() -> None:
    closing = text("", thought=True, thoughtSignature="Rsig")
    found = parts(text("h", thought=True), closing, text("m", thought=True), family="claude")
    signed = ir.SignatureDelta(ir.Signature("claude", "Rsig"))
    assert found == [[THINKING, ir.ThinkingDelta("h"), signed], [THINKING, ir.ThinkingDelta("m")]]


def test_thought_whose_words_are_withheld_is_a_signature_alone() -> None:
    assert parts({"thought": True, "thoughtSignature": SIGNED}, text("a"))[0] == [THINKING, SIGNATURE]


@pytest.mark.parametrize("name", ["thoughtSignature", "thought_signature"])
def test_words_behind_a_signature_on_text_go_on_in_its_block(name: str) -> None:
    found = parts(text("a", **{name: SIGNED}), text("b"))
    assert found == [[TEXT, ir.TextDelta("a"), SIGNATURE, ir.TextDelta("b")]]


@pytest.mark.parametrize("second", [text("b", thoughtSignature="Eg=="), text("", thoughtSignature="Eg==")])
def test_the_last_signature_of_texts_in_a_row_is_that_of_all(second: Any) -> None:
    one, fold = reader(), ir.Fold()
    fold.feed(one.feed_whole(msgspec.json.encode(chunk(text("a", thoughtSignature=SIGNED), second, finish="STOP"))))
    assert fold.reply().parts == (ir.Text(text="a" + second["text"], signature=ir.Signature("gemini", "Eg==")),)


def test_sources_of_signed_texts_keep_their_places() -> None:
    part = {"segment": {"endIndex": 2}, "groundingChunkIndices": [0]}
    found = {"groundingChunks": [{"web": {"uri": "https://a.example"}}], "groundingSupports": [part]}
    said = (text("a", thoughtSignature=SIGNED), text("b", thoughtSignature="Eg=="))
    (block,) = blocks(read(*(chunk(part, groundingMetadata=found) for part in said), DONE))
    assert [(one.url, one.start, one.end) for one in block if isinstance(one, ir.CitationDelta)] == [
        ("https://a.example", 0, 2)
    ]


@pytest.mark.parametrize("tail", [text("", thoughtSignature=SIGNED), {"thoughtSignature": SIGNED}])
def test_signature_alone_belongs_to_the_open_block(tail: object) -> None:
    assert parts(text("a"), tail) == [[TEXT, ir.TextDelta("a"), SIGNATURE]]


def test_signature_behind_a_closed_block_is_ignored() -> None:
    assert len(parts(function(), {"thoughtSignature": SIGNED})) == 1


# calls


def test_call_is_a_block_complete_at_once() -> None:
    part = function("get_weather", "q9a8dwir", args={"city": "Paris"}) | {"thoughtSignature": SIGNED}
    one = reader()
    events = one.feed([payload(chunk(part))])
    assert events[1:] == [
        ir.BlockStarted(kind="tool_call", id="q9a8dwir", name="get_weather"),
        ir.SignatureDelta(ir.Signature("gemini", SIGNED, "f")),
        ir.ArgumentsDelta('{"city":"Paris"}'),
        ir.BlockEnded(),
    ]


def test_call_marked_as_thought_is_a_call_only() -> None:
    (block,) = parts(function() | {"thought": True})
    assert isinstance(block[0], ir.BlockStarted)
    assert block[0].kind == "tool_call"


def test_call_in_snake_case_is_read() -> None:
    (block,) = parts({"function_call": {"name": "f", "args": {"a": 1}}, "thought_signature": SIGNED})
    assert block[1:] == [ir.SignatureDelta(ir.Signature("gemini", SIGNED, "f")), ir.ArgumentsDelta('{"a":1}')]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, "{}"),
        ({"args": None}, "{}"),
        ({"args": {}}, "{}"),
        ({"args": [1]}, '{"input":[1]}'),
        ({"args": {"n": 12345678901234567890, "s": "ż"}}, '{"n":12345678901234567890,"s":"ż"}'),
    ],
)
def test_arguments_are_one_object(args: dict[str, object], expected: str) -> None:
    (block,) = parts({"functionCall": {"name": "f"} | args})
    assert block[-1] == ir.ArgumentsDelta(expected)


def test_callers_name_comes_back() -> None:
    names = NameMap(["mcp.server/tool"])
    (block,) = parts(function(names.upstream("mcp.server/tool")), names=names)
    assert isinstance(block[0], ir.BlockStarted)
    assert block[0].name == "mcp.server/tool"


@pytest.mark.parametrize(("args", "expected"), [({"reason": "why"}, "{}"), ({}, "{}")])
def test_placeholder_is_taken_out_of_the_arguments(args: object, expected: str) -> None:
    cleaned = clean(None, Profile.CLAUDE)
    (block,) = parts(function(args=args), placeholders={"f": cleaned})
    assert block[-1] == ir.ArgumentsDelta(expected)


def test_argument_of_the_placeholders_name_survives_elsewhere() -> None:
    (block,) = parts(function("g", args={"reason": "why"}), placeholders={"f": clean(None, Profile.CLAUDE)})
    assert block[-1] == ir.ArgumentsDelta('{"reason":"why"}')


def test_arguments_without_placeholder_stay_byte_for_byte() -> None:
    schema = clean({"type": "object", "properties": {"x": {"type": "number"}}}, Profile.CLAUDE)
    one = reader(placeholders={"f": schema})
    events = one.feed(['{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x": 1.50}}}]}}]}'])
    assert ir.ArgumentsDelta('{"x": 1.50}') in events


def test_only_the_first_call_is_passed_on_when_they_may_not_be_parallel() -> None:
    found = parts(function("f") | {"thoughtSignature": SIGNED}, function("g"), parallel=False)
    assert [block[0] for block in found] == [ir.BlockStarted(kind="tool_call", id=ids(found)[0], name="f")]


def test_call_without_a_name_breaks_the_answer() -> None:
    error = end(read(chunk({"functionCall": {}}), DONE))
    assert isinstance(error, UpstreamMalformed)
    assert error.code == "upstream_malformed_tool_call"


def test_nothing_follows_a_call_without_a_name() -> None:
    assert blocks(read(chunk({"functionCall": {"name": None}}, text("a"), function()), chunk(text("b")))) == []


def ids(found: list[list[ir.Event]]) -> list[str]:
    return [block[0].id for block in found if isinstance(block[0], ir.BlockStarted)]


def test_missing_ids_are_made_and_differ() -> None:
    first, second = ids(parts(function(), function()))
    assert first != second
    assert all(made.startswith("call_") and len(made) == 29 for made in (first, second))


@pytest.mark.parametrize(("dialect", "prefix"), [("anthropic", "toolu"), ("openai-chat", "call")])
def test_made_ids_have_the_form_of_the_callers_dialect(dialect: str, prefix: str) -> None:
    (made,) = ids(blocks(read(chunk(function(), finish="STOP"), dialect=dialect)))
    assert re.fullmatch(f"{prefix}_[a-z0-9]{{24}}", made)


def test_made_ids_are_the_same_for_the_same_answer() -> None:
    answer = chunk(function(), finish="STOP") | {"responseId": "r1"}
    assert ids(blocks(read(answer, salt="a"))) == ids(blocks(read(answer, salt="b")))


def test_made_ids_differ_between_answers() -> None:
    made = {ids(blocks(read(chunk(function(), finish="STOP") | extra, salt=salt)))[0] for extra, salt in ANSWERS}
    assert len(made) == len(ANSWERS)


ANSWERS: list[tuple[dict[str, str], str]] = [
    ({}, "a"),
    ({}, "b"),
    ({"responseId": "r1"}, "a"),
    ({"responseId": "r2"}, "a"),
]


@pytest.mark.parametrize("bad", ["", "functions.Bash:0", "x" * 65])
def test_illegal_id_is_replaced(bad: str) -> None:
    assert ids(parts(function(id=bad)))[0].startswith("call_")


def test_id_given_twice_is_replaced_once() -> None:
    first, second = ids(parts(function("f", "same"), function("g", "same")))
    assert first == "same" != second


def test_an_id_that_is_made_is_new_in_the_conversation_too() -> None:
    """Callers choose the ids of requests, which these are made of, and may choose the same one again."""
    known: list[str] = []
    for _ in range(3):
        turns = [called(ident) for ident in known]
        known += ids(parts(function(), function(), turns=turns))
    assert len(set(known)) == 6


def called(ident: str) -> ir.Turn:
    return ir.Turn(role="assistant", parts=(ir.ToolCall(id=ident, name="f", arguments=msgspec.Raw(b"{}")),))


# media and code


@pytest.mark.parametrize("names", [("inlineData", "mimeType"), ("inline_data", "mime_type")])
def test_image_is_a_block(names: tuple[str, str]) -> None:
    outer, inner = names
    part = {outer: {inner: "image/png", "data": base64.b64encode(b"png").decode()}, "thoughtSignature": SIGNED}
    expected = [ir.BlockStarted(kind="media"), SIGNATURE, ir.MediaChunk(media_type="image/png", data="cG5n")]
    assert parts(part) == [expected]


def test_draft_of_a_picture_is_not_shown() -> None:
    assert parts({"thought": True, "inlineData": {"mimeType": "image/png", "data": "cG5n"}}) == []


@pytest.mark.parametrize("data", [None, ""])
def test_image_without_data_is_none(data: str | None) -> None:
    assert parts({"inlineData": {"mimeType": "image/png", "data": data}}) == []


@pytest.mark.parametrize(
    ("media_type", "shown"), [("image/png", "![image]"), ("video/mp4", "[video]"), (None, "[file]")]
)
def test_what_stands_elsewhere_is_a_link(media_type: str | None, shown: str) -> None:
    file = {"fileUri": "https://a.example/x", "mimeType": media_type}
    assert parts({"fileData": file}) == [[TEXT, ir.TextDelta(f"{shown}(https://a.example/x)")]]
    assert parts({"fileData": {"mimeType": media_type}}) == []


def test_code_is_fenced_text_and_no_call() -> None:
    found = parts(
        {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}},
    )
    assert found == [
        [TEXT, ir.TextDelta("\n```python\nprint(6*7)\n```\n")],
        [TEXT, ir.TextDelta("\n```output\n42\n```\n")],
    ]


def test_fence_is_longer_than_those_inside() -> None:
    ((_, delta),) = parts({"executableCode": {"code": "a = '```'"}})
    assert delta == ir.TextDelta("\n````\na = '```'\n````\n")


# sources

GROUNDING = {
    "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"web": {"uri": "https://b.example"}}],
    "groundingSupports": [
        {"segment": {"endIndex": 5, "text": "Zażó"}, "groundingChunkIndices": [0, 1, 7]},
        {"segment": {"startIndex": 5, "endIndex": 9}, "groundingChunkIndices": [1]},
    ],
}
CITED = [
    ir.CitationDelta(url="https://a.example", title="A", start=0, end=5, text="Zażó"),
    ir.CitationDelta(url="https://b.example", start=0, end=5, text="Zażó"),
    ir.CitationDelta(url="https://b.example", start=5, end=9),
]


def test_sources_that_come_last_stand_in_the_text() -> None:
    events = read(chunk(text("Zażółć")), chunk(finish="STOP", groundingMetadata=GROUNDING))
    assert blocks(events)[0][2:5] == CITED
    (opaque,) = [event for event in events if isinstance(event, ir.OpaqueEvent)]
    assert (opaque.dialect, opaque.kind) == ("gemini", "groundingMetadata")
    assert msgspec.json.decode(opaque.value) == GROUNDING


def test_sources_that_come_again_are_told_once() -> None:
    events = read(*[chunk(text("Zażółć"), groundingMetadata=GROUNDING)] * 2, DONE)
    assert [event for event in events if isinstance(event, ir.CitationDelta)] == CITED


def test_sources_behind_other_text_have_no_place() -> None:
    events = read(chunk(text("a")), chunk(function()), chunk(text("b"), groundingMetadata=GROUNDING, finish="STOP"))
    assert {(event.start, event.end) for event in events if isinstance(event, ir.CitationDelta)} == {(None, None)}


def test_sources_without_supports_are_cited_once_each() -> None:
    found = {"groundingChunks": GROUNDING["groundingChunks"]}
    events = read(chunk(text("a"), finish="STOP", groundingMetadata=found))
    assert [event.url for event in events if isinstance(event, ir.CitationDelta)] == [
        "https://a.example",
        "https://b.example",
    ]


@pytest.mark.parametrize("kind", ["web", "retrievedContext", "maps"])
def test_sources_of_every_kind_are_cited(kind: str) -> None:
    found = {"groundingChunks": [{kind: {"uri": "https://a.example", "title": "A"}}]}
    events = read(chunk(text("a"), finish="STOP", groundingMetadata=found))
    assert [event.title for event in events if isinstance(event, ir.CitationDelta)] == ["A"]


@pytest.mark.parametrize("page", [{"sourceUri": "https://a.example"}, {}])
def test_a_picture_that_was_found_is_cited_by_its_page(page: dict[str, str]) -> None:
    image = {"imageUri": "https://a.example/a.png", "title": "A", **page}
    support = {"segment": {"endIndex": 1}, "groundingChunkIndices": [1]}
    other = {"web": {"uri": "https://b.example", "title": "B"}}
    found = {"groundingChunks": [other, {"image": image}], "groundingSupports": [support]}
    events = read(chunk(text("a"), finish="STOP", groundingMetadata=found))
    url = page.get("sourceUri", "https://a.example/a.png")
    cited = [event for event in events if isinstance(event, ir.CitationDelta)]
    assert cited == [ir.CitationDelta(url=url, title="A", start=0, end=1)]


def test_sources_without_text_are_kept_for_those_who_read_them() -> None:
    events = read(chunk(function(), finish="STOP", groundingMetadata=GROUNDING))
    assert [event.kind for event in events if isinstance(event, ir.OpaqueEvent)] == ["groundingMetadata"]


def fetched(*pages: tuple[str, str]) -> dict[str, Any]:
    """Tell of pages as the SDK's types have it: google.genai.types.UrlContextMetadata."""
    told = [{"retrievedUrl": url, "urlRetrievalStatus": f"URL_RETRIEVAL_STATUS_{status}"} for url, status in pages]
    return {"urlMetadata": told}


def test_pages_that_were_fetched_are_cited_without_a_place() -> None:
    pages = fetched(("https://a.example", "SUCCESS"), ("https://b.example", "ERROR"), ("https://a.example", "SUCCESS"))
    events = read(chunk(text("a"), urlContextMetadata=pages), DONE)
    assert [event for event in events if isinstance(event, ir.CitationDelta)] == [
        ir.CitationDelta(url="https://a.example")
    ]
    (opaque,) = [event for event in events if isinstance(event, ir.OpaqueEvent)]
    assert (opaque.kind, msgspec.json.decode(opaque.value)) == ("urlContextMetadata", pages)


def test_a_page_that_is_a_source_of_some_words_is_cited_for_these_alone() -> None:
    pages = fetched(("https://c.example", "SUCCESS"), ("https://a.example", "SUCCESS"))
    events = read(chunk(text("Zażółć"), urlContextMetadata=pages), chunk(finish="STOP", groundingMetadata=GROUNDING))
    cited = [event for event in events if isinstance(event, ir.CitationDelta)]
    assert cited == [*CITED, ir.CitationDelta(url="https://c.example")]


@pytest.mark.parametrize("found", [{}, None, {"urlMetadata": 5}, {"urlMetadata": [{}]}, fetched(("", "SUCCESS"))])
def test_odd_pages_harm_nothing(found: object) -> None:
    events = read(chunk(text("a"), finish="STOP", urlContextMetadata=found))
    assert not any(isinstance(event, ir.CitationDelta) for event in events)


@pytest.mark.parametrize("found", [{}, None, {"groundingChunks": 5}, {"groundingSupports": [{}]}])
def test_odd_sources_harm_nothing(found: object) -> None:
    assert end(read(chunk(text("a"), finish="STOP", groundingMetadata=found))).reason == "stop"


@pytest.mark.parametrize("name", ["citations", "citationSources"])  # at Vertex AI and Code Assist; at the Gemini API
def test_recited_works_are_cited(name: str) -> None:
    found = {name: [{"startIndex": 0, "endIndex": 16, "uri": "https://book.example"}, {"license": "x"}]}
    events = read(chunk(text("Call me Ishmael.")), chunk(finish="RECITATION", citationMetadata=found))
    assert blocks(events)[0][2] == ir.CitationDelta(url="https://book.example", start=0, end=16)


@pytest.mark.parametrize("found", [{"citations": 5}, {"citations": [{}]}, {"citationSources": []}])
def test_odd_recitals_harm_nothing(found: object) -> None:
    events = read(chunk(text("a"), finish="STOP", citationMetadata=found))
    assert not any(isinstance(event, ir.CitationDelta) for event in events)
