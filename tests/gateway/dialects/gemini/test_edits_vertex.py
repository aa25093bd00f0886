"""What of a Gemini caller's own words is written otherwise for Vertex AI."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini import edits_vertex
from gateway.dialects.gemini.edits_vertex import TABLE, pass_on

Json = dict[str, Any]

MODEL, BEFORE = "gemini-3-flash-preview", "gemini-2.5-flash"
TEXT: Json = {"role": "user", "parts": [{"text": "hi"}]}


def passed(body: str, model: str = MODEL) -> tuple[bytes, list[str]]:
    """Give the body as it goes on, and the names of the edits."""
    taken = pass_on(ir.Request(model=model, turns=()), Raw(body.encode()))
    return bytes(taken.body), [edit.name for edit in taken.edits]


def mended(body: Json, model: str = MODEL) -> tuple[Json, list[str]]:
    given, edits = passed(json.dumps(body), model)
    return json.loads(given), edits


def test_the_table_names_what_vertex_has_otherwise() -> None:
    assert [edit.name for edit in TABLE] == ["parts", "path", "roles", "empty", "order", "ids", "services", "unknown"]


def test_what_needs_no_edit_keeps_its_bytes() -> None:
    body = '{"contents":  [{"role": "user", "parts": [{"text": "say \\"id\\""}]}], "labels": {"a": "b"}}'
    assert passed(body) == (body.encode(), [])


def test_the_model_is_left_to_the_path() -> None:
    assert mended({"model": "models/x", "contents": [TEXT]}) == ({"contents": [TEXT]}, ["path"])


@pytest.mark.parametrize("contents", [[{"parts": [{"text": "hi"}]}], {"parts": [{"text": "hi"}]}])
def test_a_content_without_a_role_is_the_users(contents: Any) -> None:
    body, edits = mended({"contents": contents})
    assert [content["role"] for content in body["contents"]] == ["user"]
    assert edits == ["roles"]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ([{"role": "model", "parts": [{"text": "a"}, {"text": ""}]}], [{"role": "model", "parts": [{"text": "a"}]}]),
        ([{"role": "model", "parts": [{"text": ""}]}, TEXT], [TEXT]),
        ([{"role": "model", "parts": {"text": "", "thought": True}}, TEXT], [TEXT]),
    ],
)
def test_empty_text_is_left_out(said: list[Json], left: list[Json]) -> None:
    """A stream that was translated ends with it, and google-genai sends each chunk back."""
    assert mended({"contents": [TEXT, *said]}) == ({"contents": [TEXT, *left]}, ["empty"])


@pytest.mark.parametrize("empty", [{"role": "user", "parts": [{"text": ""}]}, {"parts": {"text": ""}}])
def test_an_empty_last_word_of_the_users_is_said_to_be_empty(empty: Json) -> None:
    """Without it the model would go on with its own answer."""
    said = [TEXT, {"role": "model", "parts": [{"text": "a"}]}]
    body, edits = mended({"contents": [*said, empty]})
    assert body == {"contents": [*said, {"role": "user", "parts": [{"text": "(empty)"}]}]}
    assert "empty" in edits


@pytest.mark.parametrize(
    "contents",
    [
        [TEXT, {"role": "model", "parts": [{"text": "", "thoughtSignature": "R0VN"}]}, TEXT],
        [{"role": "user", "parts": [{"text": ""}]}],  # which Vertex judges
        [TEXT, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"text": ""}}}]}],
    ],
)
def test_what_is_not_empty_stays(contents: list[Json]) -> None:
    assert mended({"contents": contents}) == ({"contents": contents}, [])


@pytest.mark.parametrize(
    ("call", "result"), [("functionCall", "functionResponse"), ("function_call", "function_response")]
)
def test_calls_and_results_of_older_models_lose_their_ids_and_nothing_else(call: str, result: str) -> None:
    """An argument of this name is the caller's."""
    said = [
        ("user", {"text": "hi"}),
        ("model", {call: {"id": "1", "name": "f", "args": {"id": 7}}, "thoughtSignature": "c2ln"}),
        ("user", {result: {"id": "1", "name": "f", "response": {"id": 8}}}),
    ]
    contents = [{"role": role, "parts": [part]} for role, part in said]
    assert mended({"contents": contents}) == ({"contents": contents}, [])  # since Gemini 3 they are known
    body, edits = mended({"contents": contents}, BEFORE)
    assert [content["parts"] for content in body["contents"][1:]] == [
        [{call: {"name": "f", "args": {"id": 7}}, "thoughtSignature": "c2ln"}],
        [{result: {"name": "f", "response": {"id": 8}}}],
    ]
    assert edits == ["ids"]


def test_results_of_one_turns_calls_are_in_one_content() -> None:
    """LangChain.js gives each its own."""
    one, two = ({"functionResponse": {"name": "f", "response": {"n": n}}} for n in (1, 2))
    words = {"text": "go on"}
    calls = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}] * 2}
    apart = [{"role": "user", "parts": [part]} for part in (one, two, words)]
    body, edits = mended({"contents": [TEXT, calls, *apart, calls, *apart[:2]]})
    both = {"role": "user", "parts": [one, two]}
    assert body["contents"] == [TEXT, calls, both, apart[2], calls, both]
    assert edits == ["results"]
    assert mended({"contents": [TEXT, calls, both, {"role": "user", "parts": [two, words]}]}, BEFORE)[1] == []


def test_results_that_differ_in_more_than_their_parts_stay_apart() -> None:
    """What one of them says beside would be lost in silence; Google tells what it does not take."""
    said = [TEXT, model(call(None), call(None)), user(result(None, 1)), user(result(None, 2)) | {"unknown": 1}]
    assert mended({"contents": said}) == ({"contents": said}, [])


def call(id_: str | None, name: str = "f") -> Json:
    return {"functionCall": {"name": name, "args": {}, **({"id": id_} if id_ else {})}}


def result(id_: str | None, n: int, name: str = "f") -> Json:
    return {"functionResponse": {"name": name, "response": {"n": n}, **({"id": id_} if id_ else {})}}


def model(*parts: Json) -> Json:
    return {"role": "model", "parts": [*parts]}


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": [*parts]}


@pytest.mark.parametrize(
    "said",
    [
        [model(call("a"), call("b")), user(result("b", 2), result("a", 1))],
        [model(call("a"), call("b")), user(result("b", 2)), user(result("a", 1))],
        [model(call("a")), model(call("b")), user(result("b", 2), result("a", 1))],
    ],
)
def test_results_stand_in_the_order_of_their_calls_before_the_ids_go(said: list[Json]) -> None:
    """Programs give them as they have them; without ids the place alone tells the call."""
    said = [*said, model(call("b"), call("a")), user(result("a", 4), result("b", 3))]
    body, edits = mended({"contents": [TEXT, *said]}, BEFORE)
    assert [body["contents"][-3], body["contents"][-1]] == [
        user(result(None, 1), result(None, 2)),
        user(result(None, 3), result(None, 4)),
    ]
    assert edits[-2:] == ["order", "ids"]


def test_a_result_that_has_nobodys_name_joins_the_users() -> None:
    said = [{"parts": [result(None, 1)]}, user(result(None, 2))]
    body, edits = mended({"contents": [TEXT, model(call(None), call(None)), *said]})
    assert body["contents"][2:] == [user(result(None, 1), result(None, 2))]
    assert edits == ["roles", "order"]


def test_what_stands_beside_results_keeps_its_place() -> None:
    words = {"text": "and"}
    said = user(result("b", 2, "g"), words, result("a", 1))
    body, _ = mended({"contents": [TEXT, model(call("a"), call("b", "g")), said]}, BEFORE)
    assert body["contents"][-1] == user(result(None, 1), words, result(None, 2, "g"))


@pytest.mark.parametrize(
    ("calls", "results"),
    [
        ([call(None), call(None)], [result(None, 2), result(None, 1)]),
        ([call("a"), call("b")], [result("b", 2), result(None, 1)]),
        ([call("a"), call("b")], [result("b", 2), result("x", 1)]),
        ([call("a"), call("a")], [result("a", 2), result("a", 1)]),
        ([call("a"), call("b"), call("a")], [result("a", 1), result("b", 2), result("a", 3)]),
    ],
)
def test_results_that_name_no_call_of_their_own_stay_where_they_are(calls: list[Json], results: list[Json]) -> None:
    body, edits = mended({"contents": [TEXT, model(*calls), user(*results)]})
    given = [part["functionResponse"]["response"] for part in results]
    assert [part["functionResponse"]["response"] for part in body["contents"][-1]["parts"]] == given
    assert "order" not in edits


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ("toolConfig", "includeServerSideToolInvocations"),  # `llm` asks Gemini 3 so with each search
        ("tool_config", "include_server_side_tool_invocations"),
        ("generationConfig", "enableEnhancedCivicAnswers"),
    ],
)
def test_what_the_gemini_api_alone_knows_is_left_out(config: str, field: str) -> None:
    kept = {"contents": [TEXT], config: {"other": {"a": 1}}}
    assert mended(kept) == (kept, [])
    assert mended({"store": True, **kept, config: {field: True, "other": {"a": 1}}}) == (kept, ["unknown"])
    assert mended({"store": True, "contents": [TEXT]}) == ({"contents": [TEXT]}, ["unknown"])


@pytest.mark.parametrize(
    ("given", "left", "lost"),
    [
        (
            {"text": "a", "partMetadata": {"a": 1}},
            {"text": "a"},
            [("contents[1].parts[0].partMetadata", "hint")],
        ),
        (
            {"part_metadata": None, "functionResponse": {"name": "f", "willContinue": False, "response": {}}},
            {"functionResponse": {"name": "f", "response": {}}},
            [
                ("contents[1].parts[0].partMetadata", "hint"),
                ("contents[1].parts[0].functionResponse.willContinue", "hint"),
            ],
        ),
        (
            {"function_response": {"will_continue": True, "scheduling": "SILENT", "response": {"willContinue": 1}}},
            {"function_response": {"scheduling": "SILENT", "response": {"willContinue": 1}}},
            [("contents[1].parts[0].functionResponse.willContinue", "hint")],
        ),
        (
            {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {}}, "thoughtSignature": "s"},
            None,
            [("contents[1].parts[0]", "content")],
        ),
        ({"tool_response": {"response": {}}}, None, [("contents[1].parts[0]", "content")]),
    ],
)
def test_of_a_part_what_the_gemini_api_alone_knows_is_left_out_and_told(
    given: Json, left: Json | None, lost: list[tuple[str, str]]
) -> None:
    said = {"role": "model", "parts": [{"text": 'say "willContinue"'}]}
    body = {"contents": [TEXT, {"role": "model", "parts": [given]}, said]}
    taken = pass_on(ir.Request(model=MODEL, turns=()), Raw(json.dumps(body).encode()))
    kept = [] if left is None else [{"role": "model", "parts": [left]}]
    assert json.loads(bytes(taken.body)) == {"contents": [TEXT, *kept, said]}
    assert [edit.name for edit in taken.edits] == ["parts"]
    assert [(loss.path, loss.severity) for loss in taken.losses] == lost


def test_what_is_left_out_of_a_part_is_told_by_its_own_place() -> None:
    result = {"functionResponse": {"name": "f", "response": {}}, "partMetadata": {}}
    body = {"contents": [{"role": "user", "parts": [{"text": "a"}, result]}]}
    taken = pass_on(ir.Request(model=MODEL, turns=()), Raw(json.dumps(body).encode()))
    assert [loss.path for loss in taken.losses] == ["contents[0].parts[1].partMetadata"]
    single = b'{"contents":{"role":"user","parts":{"text":"a","partMetadata":{}}}}'
    taken = pass_on(ir.Request(model=MODEL, turns=()), Raw(single))
    assert [loss.path for loss in taken.losses] == ["contents.parts.partMetadata"]


def test_what_only_sounds_like_it_keeps_its_bytes() -> None:
    body = '{"contents":  [{"role": "user", "parts": [{"functionCall": {"args": {"toolCall":  1}}}]}]}'
    assert passed(body) == (body.encode(), [])


def test_what_is_no_request_is_left_to_the_upstream() -> None:
    body = '{"contents": "id", "x": "id"}'
    assert passed(body) == (body.encode(), [])


def test_the_results_of_many_calls_are_sorted_by_looking_each_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, read_id = 0, edits_vertex._id

    def looking(part: dict[str, Raw]) -> str | None:
        nonlocal looks
        looks += 1
        return read_id(part)

    monkeypatch.setattr(edits_vertex, "_id", looking)
    ids = [f"c{number}" for number in range(50)]
    calls = [{"functionCall": {"id": one, "name": one}} for one in ids]
    results = [{"functionResponse": {"id": one, "name": one, "response": {}}} for one in reversed(ids)]
    said = [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]
    body, _ = mended({"contents": [TEXT, *said]})
    assert [part["functionResponse"]["name"] for part in body["contents"][2]["parts"]] == ids
    assert looks <= 4 * len(ids)
