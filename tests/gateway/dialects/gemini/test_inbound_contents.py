"""What Gemini callers say: turns, parts, calls and their results."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.inbound_signatures import write_signature
from gateway.errors import InvalidRequest

from .caller import ask, contents

HI = ir.Text(text="hi")
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}


def result(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": "done"}, **fields}}


def part(given: Any) -> ir.Part:
    """Read one part of the model."""
    *_, turn = contents([{"text": "hi"}], [given])
    (read,) = turn.parts
    return read


@pytest.mark.parametrize(
    "said",
    [
        [{"role": "user", "parts": [{"text": "hi"}]}],
        [{"parts": [{"text": "hi"}]}],
        [{"role": None, "parts": [{"text": "hi"}]}],
        {"parts": [{"text": "hi"}]},
        [{"role": "user", "parts": {"text": "hi"}}],
        {"role": "function", "parts": {"text": "hi"}},
        [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "user", "parts": []}, {"role": "model"}],
    ],
)
def test_a_turn_in_every_form(said: Any) -> None:
    assert ask({"contents": said}).turns == (ir.Turn(role="user", parts=(HI,)),)


def test_the_model_is_the_assistant() -> None:
    assert [turn.role for turn in contents([{"text": "a"}], [{"text": "b"}])] == ["user", "assistant"]


@pytest.mark.parametrize(
    "given",
    [
        {"thought": True, "text": "hm", "thoughtSignature": "QUJD"},
        {"thought": True, "text": "hm", "thought_signature": "QUJD"},
    ],
)
def test_a_thought(given: Any) -> None:
    assert part(given) == ir.Thinking(text="hm", signature=ir.Signature(None, "QUJD"))


@pytest.mark.parametrize("issuer", ["claude", "openai"])
def test_a_thought_is_known_by_its_signature(issuer: ir.Family) -> None:
    """litellm sends it as text."""
    signature = ir.Signature(issuer, "QUJD")
    given = {"text": "hm", "thoughtSignature": write_signature(signature, sealed=True)}
    assert part(given) == ir.Thinking(text="hm", signature=signature)


@pytest.mark.parametrize("issuer", ["claude", "openai"])
@pytest.mark.parametrize("twice", [False, True])
def test_words_that_have_what_signs_the_thoughts_before_them_stay_words(issuer: ir.Family, twice: bool) -> None:
    """litellm moves it there; before, it said the thoughts twice: unsigned, and as text."""
    signature = ir.Signature(issuer, "QUJD")
    signs: dict[str, Any] = {"thoughtSignature": write_signature(signature, sealed=True)}
    said: list[Any] = [{"thought": True, "text": "hm"}, *([{"text": "hm"} | signs] if twice else [])]
    (turn,) = contents({"role": "model", "parts": [*said, {"text": "So."} | signs, CALL]})
    thought, words, call = turn.parts
    assert thought == ir.Thinking(text="hm", signature=signature)
    assert words == ir.Text(text="So.")
    assert isinstance(call, ir.ToolCall)
    told, *_ = turn.places
    assert told[-1].endswith("parts[1].thoughtSignature" if not twice else "parts[1]")


def test_what_signs_thoughts_behind_them_may_stand_at_no_words() -> None:
    signature = ir.Signature("claude", "QUJD")
    signs = {"text": "", "thoughtSignature": write_signature(signature, sealed=True)}
    (turn,) = contents({"role": "model", "parts": [{"thought": True, "text": "hm"}, signs]})
    assert turn.parts == (ir.Thinking(text="hm", signature=signature),)


@pytest.mark.parametrize("words", [[], [{"text": "I look."}]])
@pytest.mark.parametrize("issuer", ["claude", "openai"])
def test_what_signs_a_thought_may_stand_at_the_calls_behind_it(issuer: ir.Family, words: list[dict[str, str]]) -> None:
    """ADK for JavaScript moves it there where it streams."""
    signature = ir.Signature(issuer, "QUJD")
    call = CALL | {"thoughtSignature": write_signature(signature, sealed=True)}
    thought = {"role": "model", "parts": [{"thought": True, "text": "hm"}]}
    (turn,) = contents(thought, {"role": "model", "parts": [*words, call, call]})
    assert turn.parts[0] == ir.Thinking(text="hm", signature=signature)
    assert [one.signature for one in turn.parts if isinstance(one, ir.ToolCall)] == [None, None]
    assert turn.places[0][-1] == f"contents[1].parts[{len(words)}].thoughtSignature"


def test_gemini_signs_words_too() -> None:
    signature = ir.Signature("gemini", "QUJD")
    given = {"text": "hm", "thoughtSignature": write_signature(signature, sealed=True)}
    assert part(given) == ir.Text(text="hm", signature=signature)


def test_a_chat_keeps_each_chunk_of_a_stream_as_a_turn_of_the_model() -> None:
    chunks: list[Any] = [
        {"thought": True, "text": "H"},
        {"thought": True, "text": "m."},
        {"thought": True, "text": "", "thoughtSignature": "QUJD"},
        *({"text": text} for text in ("So", "\n\n", "be", " ", "it.")),
        CALL,
        {"text": ""},
    ]
    said = [{"role": "user", "parts": [{"text": "hi"}]}, *({"role": "model", "parts": [one]} for one in chunks)]
    _, turn = contents(*said)
    thought, words, call = turn.parts
    assert thought == ir.Thinking(text="Hm.", signature=ir.Signature(None, "QUJD"))
    assert words == ir.Text(text="So\n\nbe it.")
    assert isinstance(call, ir.ToolCall)
    assert turn.places == (tuple(f"contents[{place}].parts[0]" for place in (1, 2, 3)), (), ())


def test_words_of_the_user_stay_apart() -> None:
    assert [turn.parts for turn in contents([{"text": "a"}, {"text": "b"}])] == [(ir.Text(text="a"), ir.Text(text="b"))]


def test_a_streamed_thought_comes_back_in_pieces() -> None:
    signed = {"thought": True, "text": "", "thoughtSignature": "QUJD"}
    pieces = [{"thought": True, "text": "h"}, {"thought": True, "text": "m"}, signed, {"thought": True, "text": "!"}]
    assert contents([{"text": "hi"}], pieces)[1].parts == (
        ir.Thinking(text="hm", signature=ir.Signature(None, "QUJD")),
        ir.Thinking(text="!"),
    )


def test_a_signature_may_stand_alone() -> None:
    assert part({"thoughtSignature": "QUJD"}) == ir.Text(text="", signature=ir.Signature(None, "QUJD"))


@pytest.mark.parametrize("empty", [[{"text": ""}], []])
def test_an_empty_last_word_of_the_users_is_a_turn(empty: Any) -> None:
    """Without it the model would go on with its own answer."""
    assert contents([{"text": "a"}], [{"text": "b"}], empty)[-1] == ir.Turn(role="user", parts=())


def test_empty_text_is_nothing() -> None:
    assert contents([{"text": "hi"}, {"text": ""}])[0].parts == (HI,)


@pytest.mark.parametrize(
    "given",
    [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"inline_data": {"mime_type": "image/png", "data": "AAAA"}},
    ],
)
def test_media_in_both_spellings(given: Any) -> None:
    read = contents([given])[0].parts[0]
    path = "contents[0].parts[0].inlineData.data"
    assert read == ir.Media(media_type="image/png", data="AAAA", path=path)


@pytest.mark.parametrize(("kind", "read"), [("video/mp4", "video/mp4"), ("IMAGE/JPG; q=1", "image/jpeg")])
def test_media_of_any_type(kind: str, read: str) -> None:
    (found,) = contents([{"inlineData": {"mimeType": kind, "data": "AAAA"}}])[0].parts
    assert isinstance(found, ir.Media)
    assert found.media_type == read


@pytest.mark.parametrize(
    ("given", "media_type"),
    [
        ({"fileUri": "files/a", "mimeType": "video/mp4"}, "video/mp4"),
        ({"fileUri": "files/a", "mimeType": "VIDEO/MP4 ; codecs=a;b"}, "video/mp4"),
        ({"file_uri": "files/a"}, "application/octet-stream"),
    ],
)
def test_a_file_is_an_address(given: dict[str, str], media_type: str) -> None:
    (found,) = contents([{"fileData": given}])[0].parts
    assert isinstance(found, ir.Media)
    assert (found.url, found.data, found.media_type) == ("files/a", None, media_type)
    assert found.path == "contents[0].parts[0].fileData.fileUri"


@pytest.mark.parametrize(
    ("beside", "config", "detail"),
    [
        ({}, {"mediaResolution": "MEDIA_RESOLUTION_LOW"}, "low"),
        ({"mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}, {"mediaResolution": "MEDIA_RESOLUTION_LOW"}, "high"),
        ({"mediaResolution": {"level": "MEDIA_RESOLUTION_MEDIUM"}}, {}, None),
    ],
)
def test_the_resolution_is_the_detail(beside: Any, config: Any, detail: str | None) -> None:
    given = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, **beside}
    (read,) = contents([given], generationConfig=config)[0].parts
    assert isinstance(read, ir.Media)
    assert read.detail == detail


def test_a_draft_of_a_picture_is_left_out() -> None:
    draft = {"thought": True, "inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert contents([{"text": "hi"}], [draft, {"text": "there"}])[1].parts == (ir.Text(text="there"),)


@pytest.mark.parametrize(
    ("given", "arguments"),
    [({"args": {"inline_data": [1, {"mime_type": None}]}}, '{"inline_data": [1, {"mime_type": null}]}'), ({}, "{}")],
)
def test_a_call_keeps_its_arguments_byte_for_byte(given: Any, arguments: str) -> None:
    read = part({"function_call": {"id": "c1", "name": "f", **given}})
    assert isinstance(read, ir.ToolCall)
    assert (read.id, read.name, bytes(read.arguments).decode()) == ("c1", "f", arguments)


def test_a_call_marked_as_a_thought_is_a_call() -> None:
    assert isinstance(part({**CALL, "thought": True, "thoughtSignature": "QUJD"}), ir.ToolCall)


def test_the_signature_of_a_call_is_a_call_s() -> None:
    read = part({**CALL, "thoughtSignature": "QUJD"})
    assert isinstance(read, ir.ToolCall)
    assert read.signature == ir.Signature(None, "QUJD", "f")


def ids(*said: Any) -> list[tuple[str, list[str]]]:
    """Give the ids of calls and results of each turn."""
    return [
        (turn.role, [one.id for one in turn.parts if isinstance(one, ir.ToolCall | ir.ToolResult)])
        for turn in contents(*said)
    ]


def test_calls_without_ids_get_them_by_their_place_and_results_find_them() -> None:
    calls = [CALL, {"functionCall": {"name": "g"}}, CALL]
    found = ids([{"text": "hi"}], calls, [result("g"), result(), result()], [CALL], [result()])
    assert found[1:] == [
        ("assistant", ["call_1_0", "call_1_1", "call_1_2"]),
        ("user", ["call_1_1", "call_1_0", "call_1_2"]),
        ("assistant", ["call_3_0"]),
        ("user", ["call_3_0"]),
    ]


def test_ids_of_the_caller_hold() -> None:
    calls = [{"functionCall": {"id": name, "name": "f"}} for name in ("a", "b")]
    found = ids([{"text": "hi"}], calls, [result(id="b"), result(id="a")])
    assert found[1:] == [("assistant", ["a", "b"]), ("user", ["b", "a"])]


def test_a_result_without_an_id_belongs_to_the_call_of_its_name() -> None:
    calls = [{"functionCall": {"id": "a", "name": "f"}}, {"functionCall": {"id": "b", "name": "g"}}]
    assert ids([{"text": "hi"}], calls, [result("g"), result("f")])[2] == ("user", ["b", "a"])


def test_a_result_whose_name_no_call_has_belongs_to_the_call_at_its_place() -> None:
    """Semantic Kernel calls `Plugin-f`, and gives the result of `Plugin__f`."""
    calls = [{"functionCall": {"name": name}} for name in ("a-f", "a-g", "b")]
    results = [result("a__f"), result("a__g"), result("b")]
    assert ids([{"text": "hi"}], calls, results)[2] == ("user", ["call_1_0", "call_1_1", "call_1_2"])


def test_a_result_too_many_is_no_call_s() -> None:
    found = ["call_1_0", "call_2_1", "call_2_2"]
    assert ids([{"text": "hi"}], [CALL], [result(), result(), result("g")])[2] == ("user", found)


def test_a_result_with_an_id_finds_a_call_that_has_none() -> None:
    assert ids([{"text": "hi"}], [CALL], [result(id="x")])[1:] == [
        ("assistant", ["call_1_0"]),
        ("user", ["call_1_0"]),
    ]


def test_calls_with_and_without_ids_find_their_own_results() -> None:
    calls = [CALL, {"functionCall": {"id": "b", "name": "f"}}]
    for call, found in ((calls, ["b", "call_1_0"]), (calls[::-1], ["b", "call_1_1"])):
        assert ids([{"text": "hi"}], call, [result(id="b"), result()])[2] == ("user", found)
        assert ids([{"text": "hi"}], call, [result(), result(id="b")])[2] == ("user", found[::-1])


def test_a_result_of_another_call_stays_an_orphan() -> None:
    calls = [{"functionCall": {"id": "a", "name": "f"}}]
    assert ids([{"text": "hi"}], calls, [result(id="x")])[2] == ("user", ["x"])
    assert ids([{"text": "hi"}], calls, [result("g")])[2] == ("user", ["call_2_0"])


def test_calls_split_over_two_turns_of_the_model_are_one_step() -> None:
    said = [{"role": "user", "parts": [{"text": "hi"}]}, *[{"role": "model", "parts": [CALL]}] * 2]
    said.append({"role": "user", "parts": [result(), result()]})
    assert ids(*said)[1:] == [("assistant", ["call_1_0", "call_2_0"]), ("user", ["call_1_0", "call_2_0"])]


def test_a_call_that_was_never_answered_does_not_take_a_later_result() -> None:
    assert ids([{"text": "a"}], [CALL], [{"text": "b"}], [CALL], [result()])[4] == ("user", ["call_3_0"])


@pytest.mark.parametrize(
    ("response", "words", "is_error"),
    [
        ({"output": "done"}, "done", False),
        ({"output": {"a": [1]}}, '{"a":[1]}', False),
        ({"error": "no"}, "no", True),
        ({"result": "22C"}, '{"result": "22C"}', False),
        ({"output": "a", "more": 1}, '{"output": "a", "more": 1}', False),
        ({}, "{}", False),
    ],
)
def test_what_a_tool_gave_back(response: Any, words: str, is_error: bool) -> None:
    *_, turn = contents([{"text": "hi"}], [CALL], [{"functionResponse": {"name": "f", "response": response}}])
    (read,) = turn.parts
    assert isinstance(read, ir.ToolResult)
    assert (read.parts, read.is_error, read.name) == ((ir.Text(text=words),), is_error, "f")


def test_media_of_a_result_belong_to_it() -> None:
    given = result(parts=[{"inline_data": {"mime_type": "image/png", "data": "AAAA"}}])
    *_, turn = contents([{"text": "hi"}], [CALL], [given])
    (read,) = turn.parts
    assert isinstance(read, ir.ToolResult)
    path = "contents[2].parts[0].functionResponse.parts[0].inlineData.data"
    assert read.parts == (ir.Text(text="done"), ir.Media(media_type="image/png", data="AAAA", path=path))


@pytest.mark.parametrize("kind", ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"])
def test_what_only_gemini_knows_stays_whole(kind: str) -> None:
    given = {kind: {"code": "1 +  1"}, "thoughtSignature": "QUJD"}
    read = part(given)
    assert isinstance(read, ir.Opaque)
    assert (read.dialect, read.kind, read.path) == ("gemini", kind, "contents[1].parts[0]")
    assert json.loads(bytes(read.value)) == given


@pytest.mark.parametrize(
    ("address", "theirs"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/files/abc-123", True),
        ("http://127.0.0.1:8045/v1beta/files/abc", True),
        ("files/abc", True),
        ("https://www.youtube.com/watch?v=abc", True),
        ("https://youtu.be/abc", True),
        ("https://example.org/files/abc", False),
        ("https://example.org/v1beta/files/abc.pdf", False),
        ("gs://bucket/files/abc", False),
    ],
)
def test_files_at_google_and_films_are_for_gemini_only(address: str, theirs: bool) -> None:
    read = ask({"contents": [{"parts": [{"fileData": {"fileUri": address, "mimeType": "application/pdf"}}]}]})
    assert read.native is not None
    path = read.native.only.path if read.native.only is not None else None
    assert path == ("contents[0].parts[0].fileData.fileUri" if theirs else None)


def test_a_part_of_a_kind_yet_to_come_is_for_gemini_only() -> None:
    read = ask({"contents": [{"parts": [{"hologram": {"a": 1}}]}]})
    assert isinstance(read.turns[0].parts[0], ir.Opaque)
    assert read.native is not None
    assert read.native.only is not None
    assert read.native.only.path == "contents[0].parts[0].hologram"


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ([], "contents"),
        ([{"role": "user", "parts": []}], "contents"),
        ([{"role": "assistant", "parts": [{"text": "a"}]}], "contents[0].role"),
        (["hi"], "contents[0]"),
        ("hi", "contents"),
        ([{"parts": [{}]}], "contents[0].parts[0]"),
        ([{"parts": [{"text": 5}]}], "contents[0].parts[0].text"),
        ([{"parts": [{"text": "a", "inlineData": {}}]}], "contents[0].parts[0].inlineData"),
        ([{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}], "contents[0].parts[0].inlineData.data"),
        ([{"parts": [{"inlineData": {"data": ""}}]}], "contents[0].parts[0].inlineData.data"),
        ([{"parts": [{"functionCall": {"args": {}}}]}], "contents[0].parts[0].functionCall.name"),
        ([{"parts": [{"fileData": {}}]}], "contents[0].parts[0].fileData.fileUri"),
        (
            [{"parts": [{"functionResponse": {"name": "f", "parts": [{"text": "a"}]}}]}],
            "contents[0].parts[0].functionResponse.parts[0]",
        ),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(said: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask({"contents": said})
    assert caught.value.param == param
    assert caught.value.message.startswith(param)


def test_what_is_not_carried_is_told() -> None:
    given = {"text": "a", "videoMetadata": {"fps": 1}, "audioMetadata": {}, "partMetadata": {"a": 1}, "never": 1}
    lost = ask({"contents": [{"parts": [given], "more": 1}]}).losses
    assert {(loss.path, loss.severity) for loss in lost} == {
        ("contents[0].more", "hint"),
        ("contents[0].parts[0].videoMetadata", "change"),
        ("contents[0].parts[0].audioMetadata", "hint"),
        ("contents[0].parts[0].partMetadata", "hint"),
        ("contents[0].parts[0].never", "hint"),
    }


@pytest.mark.parametrize(
    "given",
    [
        {"parts": [{"text": "Be brief."}]},
        {"role": "system", "parts": {"text": "Be brief."}},
        {"role": "user", "parts": [{"text": ""}, {"text": "Be brief."}]},
    ],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_an_instruction(name: str, given: Any) -> None:
    assert ask(**{name: given}).system == (ir.Text(text="Be brief."),)


@pytest.mark.parametrize(
    ("given", "param"),
    [("Be brief.", "systemInstruction"), ({"parts": [CALL]}, "systemInstruction.parts[0]")],
)
def test_an_instruction_is_a_content_of_text(given: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(systemInstruction=given)
    assert caught.value.param == param
