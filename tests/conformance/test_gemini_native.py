"""What a Gemini caller sends reaches Gemini in Code Assist byte for byte; only the envelope is ours."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from gateway import ir
from tests.conformance.gemini import FORMS, ask, said, tools, user
from tests.conformance.served import CLAUDE, GEMINI_2, GEMINI_3, Served, settings, standing, values
from tests.conformance.test_cases_schemas import ALLOWED, REFERRING, RICH, nodes
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

SEALED = b64encode(ir.seal(ir.Signature("gemini", "EkBGQUtFLVMx")).encode()).decode()
SENTINEL = "skip_thought_signature_validator"

# odd white space, escapes, both spellings, numbers that a decoder would write otherwise
ODD = (
    b'{ "system_instruction" : {"role":"user","parts":[{"text":"Be\\u0020brief \\ud83d\\ude80"}]} ,\r\n'
    b'\t"contents":[ {"role":"user","parts":[{"text":"\xc3\xa9 \xe2\x80\xa8 \\/"}, {"inline_data":{"mime_type":'
    b'"image/png","data":"iVBORw0KGgo="}}]} ],\n "generation_config":{"temperature":1.0,"topP":9e-1,"top_k":4.0E1,'
    b'"thinking_config":{"include_thoughts":true}}, "safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT",'
    b'"threshold":"OFF"}], "labels" : { "b_c":"1" , "a":"2" } }'
)
SCHEMA = {
    "type": "OBJECT",
    "properties": {"a": {"type": "STRING", "minLength": "1", "nullable": True}},
    "propertyOrdering": ["a"],
}


def inner(raw: bytes) -> bytes:
    """Cut the inner request out of a body, byte for byte."""
    text = raw.decode()
    start = text.index('"request":') + len('"request":')
    end = json.JSONDecoder().raw_decode(text, start)[1]
    return text[start:end].encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def post(served: Served, body: bytes, model: str = GEMINI_3) -> bytes:
    """Post these bytes; give the inner request that the upstream received."""
    response = await served.http.post(f"/v1beta/models/{model}:generateContent", content=body)
    assert response.status_code == 200, response.text
    return inner(served.fake.calls()[-1].raw)


@pytest.mark.parametrize(("envelope", "name"), [("antigravity", "sessionId"), ("gemini-cli", "session_id")])
async def test_the_inner_request_is_the_callers_own(
    fake_v1internal: FakeV1Internal, tmp_path: Path, envelope: str, name: str
) -> None:
    config = settings(fake_v1internal, tmp_path, google={"envelope": envelope})
    async with standing(fake_v1internal, config) as served:
        sent = await post(served, ODD)
    session = json.loads(sent)[name]
    assert digest(sent) == digest(ODD[:-1] + f',"{name}":"{session}"}}'.encode())


@pytest.mark.parametrize("name", ["sessionId", "session_id"])
async def test_a_session_of_the_callers_own_stays(served: Served, name: str) -> None:
    body = ODD[:-1] + f',"{name}":"mine"}}'.encode()
    assert digest(await post(served, body)) == digest(body)


async def test_the_session_is_that_of_the_conversation(served: Served) -> None:
    one, same = [json.loads(await post(served, ODD))["sessionId"] for _ in range(2)]
    other = json.loads(await post(served, ODD.replace(b"\\/", b"other")))["sessionId"]
    assert one == same != other


async def test_model_and_project_stand_in_the_envelope(served: Served) -> None:
    await ask(served, "hi", model="google%2Fgemini-3-flash")
    body = served.fake.calls()[-1].body
    assert (body["model"], body["project"], body["requestType"]) == (GEMINI_3, "fake-project-000", "agent")


async def test_of_the_configuration_the_defaults_are_added_alone(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    config = settings(
        fake_v1internal,
        tmp_path,
        defaults={"temperature": 0.3, "max_tokens": 77},
        thinking={"gemini-*": {"include": True, "budget": -1}},
    )
    async with standing(fake_v1internal, config) as served:
        body = json.dumps({"contents": [user("hi")]}).encode()
        sent = json.loads(await post(served, body, GEMINI_2))
    assert sent.keys() == {"contents", "sessionId", "generationConfig"}
    assert sent["generationConfig"] == {"temperature": 0.3, "maxOutputTokens": 77}


async def test_a_limit_that_only_google_s_own_api_has_is_cut_to_the_model_s(served: Served) -> None:
    response = await ask(served, "hi", generationConfig={"maxOutputTokens": 65536}, model=GEMINI_2)
    assert response.status_code == 200
    assert served.sent["generationConfig"] == {"maxOutputTokens": 65535}


async def test_tools_are_neither_cleaned_nor_renamed(served: Served) -> None:
    given = tools("ns.tool:one", schema=SCHEMA)
    response = await ask(served, "hi", tools=given, model=GEMINI_2)
    assert response.status_code == 200
    assert served.sent["tools"] == given


async def test_what_the_upstream_does_not_know_it_refuses_itself(served: Served) -> None:
    response = await ask(served, "hi", neverHeardOf={"a": 1})
    error = response.json()["error"]
    assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert "neverHeardOf" in error["message"]
    assert len(served.fake.calls()) == 1


async def test_nothing_counts_as_lost_in_strict_mode(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    config = settings(fake_v1internal, tmp_path, translate={"lossy": "strict"})
    async with standing(fake_v1internal, config) as served:
        given = {"text": "hi", "videoMetadata": {"fps": 1}}
        response = await ask(served, user(given), generationConfig={"speechConfig": {}, "logprobs": 2})
    assert (response.status_code, response.headers.get("x-gateway-lossy")) == (200, None)
    assert fake_v1internal.calls()[-1].request["contents"][0]["parts"] == [given]


async def test_results_without_calls_stay_where_they_are_until_they_are_refused(served: Served) -> None:
    """Towards another dialect they become text at once."""
    orphan = {"functionResponse": {"name": "f", "response": {"output": "x"}}}
    response = await ask(served, "hi", user(orphan))
    assert response.status_code == 200
    first, second = served.fake.calls()
    assert (first.status, first.request["contents"][1]["parts"]) == (400, [orphan])
    assert second.request["contents"][1]["parts"] == [{"text": '[tool result f] {"output":"x"}'}]


@pytest.mark.parametrize("form", FORMS)
async def test_a_signature_goes_both_ways_as_it_is(served: Served, form: Any) -> None:
    directed = "!think hm\n!tool f {}\n!then\n!say done"
    asked: dict[str, Any] = {"tools": tools("f"), "generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    first = said(await ask(served, directed, form=form, **asked), form)
    signatures = values("thoughtSignature", first.parts)
    assert signatures
    assert set(signatures) <= served.fake.signatures.issued.keys()
    result = user({"functionResponse": {"id": first.calls[0]["id"], "name": "f", "response": {"output": "x"}}})
    model = {"role": "model", "parts": [part for part in first.parts if part != {"text": ""}]}
    second = await ask(served, directed, model, result, form=form, **asked)
    assert said(second, form).text == "done"
    assert served.contents[1] == model


# what Google's own API takes and Code Assist refuses


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([{"parts": [{"text": "hi"}]}], [{"role": "user"}]),
        ([{"role": None, "parts": [{"text": "hi"}]}], [{"role": "user"}]),
        ({"parts": [{"text": "hi"}]}, [{"role": "user"}]),
        (
            [{"parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}, {"parts": [{"text": "c"}]}],
            [{"role": "user"}, {"role": "model"}, {"role": "user"}],
        ),
        ([{"role": "function", "parts": [{"text": "hi"}]}], [{"role": "user"}]),
    ],
)
async def test_each_content_gets_a_role(served: Served, given: Any, sent: Any) -> None:
    response = await served.http.post(f"/v1beta/models/{GEMINI_3}:generateContent", json={"contents": given})
    assert response.status_code == 200
    assert [{"role": content["role"]} for content in served.contents] == sent


async def test_the_rest_stays_as_it_came_where_a_role_is_added(served: Served) -> None:
    body = (
        b'{"contents":[{"parts": [ {"text" : "\\u0041"} ]}], "generationConfig" : { "temperature":1.0,"top_k":4.0E1} }'
    )
    sent = await post(served, body)
    assert b'[ {"text" : "\\u0041"} ]' in sent
    assert b'{ "temperature":1.0,"top_k":4.0E1}' in sent


@pytest.mark.parametrize("name", ["model", "store", "serviceTier", "service_tier"])
async def test_what_only_google_s_own_api_knows_is_left_out(served: Served, name: str) -> None:
    sent = await post(served, json.dumps({name: "x", "contents": [user("hi")]}).encode())
    assert json.loads(sent).keys() == {"contents", "sessionId"}


async def test_parts_are_without_what_only_google_s_own_api_knows(served: Served) -> None:
    result = {"functionResponse": {"name": "f", "response": {"output": "x"}, "willContinue": False}}
    searched = {"toolCall": {"id": "s", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}}
    called = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SENTINEL}
    first = user({"text": "!say done", "partMetadata": {"page": 1}})
    response = await ask(served, first, {"role": "model", "parts": [searched, called]}, user(result), tools=tools("f"))
    assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
    assert [content["parts"] for content in served.contents] == [
        [{"text": "!say done"}],
        [called],
        [{"functionResponse": {"name": "f", "response": {"output": "x"}}}],
    ]


async def test_envelopes_of_ours_never_go_upstream(served: Served) -> None:
    """A conversation that was held with another upstream before is translated."""
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SEALED}
    model = {"role": "model", "parts": [{"text": "", "thoughtSignature": SEALED}, call]}
    result = user({"functionResponse": {"name": "f", "response": {"output": "x"}}})
    response = await ask(served, "hi", model, result, tools=tools("f"))
    assert response.status_code == 200, response.text
    assert values("thoughtSignature", served.contents) == ["EkBGQUtFLVMx", "EkBGQUtFLVMx"]


async def test_signatures_are_bare_also_where_others_came_in_envelopes(served: Served) -> None:
    model = {"role": "model", "parts": [{"text": "a", "thoughtSignature": SEALED}]}
    directed = "!think hm\n!say well"
    fields: dict[str, Any] = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    answer = said(await ask(served, "hi", model, directed, **fields), "")
    (signature,) = values("thoughtSignature", answer.parts)
    assert not signature.startswith(SEALED[:8])
    assert SEALED not in json.dumps(served.contents)
    assert (answer.thoughts, answer.text) == ("hm", "well")


# Claude behind Code Assist


MODEL = {"role": "model", "parts": [{"text": "ok"}]}
PLAIN: list[tuple[list[Any], Any]] = [
    (["hi", MODEL], {}),
    ([MODEL, "hi"], {}),
    ([user("hi", "\n \n")], {}),
    (["hi"], {"temperature": 2}),
]


@pytest.mark.parametrize("model", [CLAUDE, "gpt-oss-120b-medium"])
@pytest.mark.parametrize(("contents", "config"), PLAIN)
async def test_plain_words_are_translated_for_the_other_families(
    served: Served, contents: Any, config: Any, model: str
) -> None:
    served.push("!say well", "!say well")
    alone = await ask(served, *contents, generationConfig=config, model=model)
    assert said(alone, "").text == "well"
    sent, lossy = served.sent, alone.headers.get("x-gateway-lossy")
    beside = await ask(served, *contents, generationConfig=config, model=model, tools=tools("f"))
    assert (sent["contents"], lossy) == (served.contents, beside.headers.get("x-gateway-lossy"))
    assert sent.get("generationConfig") == served.sent.get("generationConfig")


async def test_only_one_answer_can_be_had_of_the_other_families(served: Served) -> None:
    response = await ask(served, "hi", generationConfig={"candidateCount": 2}, model=CLAUDE)
    assert response.status_code == 400
    assert "gives one response" in response.json()["error"]["message"]
    assert served.calls == []


@pytest.mark.parametrize("budget", [{}, {"thinkingBudget": -1}])
async def test_claude_thinks_though_nobody_says_how_much(served: Served, budget: Any) -> None:
    config = {"thinkingConfig": {"includeThoughts": True, **budget}}
    response = await ask(served, "!think hm\n!say well", generationConfig=config, model=CLAUDE)
    assert (said(response, "").thoughts, said(response, "").text) == ("hm", "well")
    assert 1024 <= served.config["thinkingConfig"]["thinkingBudget"] < served.config["maxOutputTokens"]


@pytest.mark.parametrize("measure", [{"thinkingLevel": "HIGH"}, {"thinkingLevel": "LOW"}, {"thinkingBudget": 20_000}])
async def test_how_much_claude_thinks_is_said_as_it_takes_it(served: Served, measure: Any) -> None:
    """Gemini CLI gives no tools, and a level, where it has a conversation shortened."""
    served.model = "claude-sonnet-4-6"
    config = {"maxOutputTokens": 9000, "thinkingConfig": {"includeThoughts": True, **measure}}
    body = {"contents": [{"role": "user", "parts": [{"text": "!think hm\n!say hi"}]}], "generationConfig": config}
    response = await served.http.post(f"/v1beta/models/{served.model}:generateContent", json=body)
    assert response.status_code == 200, response.text
    sent = served.calls[-1].body["request"]["generationConfig"]
    assert 0 < sent["thinkingConfig"]["thinkingBudget"] < sent["maxOutputTokens"]
    assert "thinkingLevel" not in sent["thinkingConfig"]


async def test_tools_of_claude_are_translated_for_its_rules(served: Served) -> None:
    given = [*tools("f", schema=SCHEMA), *tools("g.h")]
    response = await ask(served, "!say well", tools=given, model=CLAUDE)
    assert said(response, "").text == "well"
    assert served.sent["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    ((declared, renamed),) = (tool["functionDeclarations"] for tool in served.sent["tools"])
    assert declared["parameters"]["properties"]["a"]["type"] == "string"
    answer = said(await ask(served, f"!tool {renamed['name']} {{}}", tools=given, model=CLAUDE), "")
    assert [call["name"] for call in answer.calls] == ["g.h"]


@pytest.mark.parametrize("surface", ["parameters", "parametersJsonSchema"])
@pytest.mark.parametrize("schema", [REFERRING, RICH, {"type": "object", "properties": {"a": {"type": "array"}}}, {}])
async def test_any_schema_is_made_one_for_claude(served: Served, schema: Any, surface: str) -> None:
    """F1, F3, F5 of Gemini callers: references and unknown keywords are the gateway's to resolve here."""
    given = [{"functionDeclarations": [{"name": "f", surface: schema}]}]
    response = await ask(served, "!say well", tools=given, model=CLAUDE)
    assert response.status_code == 200, response.text
    ((declared,),) = (tool["functionDeclarations"] for tool in served.sent["tools"])
    keywords = {key for node in nodes(declared.get("parameters", {})) for key in node}
    assert keywords <= ALLOWED


async def test_arguments_of_earlier_calls_are_left_alone_for_claude(served: Served) -> None:
    """F6 of Gemini callers"""
    arguments = {"format": "x", "title": "y", "const": 1}
    called = {"functionCall": {"id": "c1", "name": "f", "args": arguments}}
    result = {"functionResponse": {"id": "c1", "name": "f", "response": {"output": "x"}}}
    history = ["go", {"role": "model", "parts": [called]}, user(result)]
    response = await ask(served, *history, tools=tools("f"), model=CLAUDE)
    assert response.status_code == 200, response.text
    assert values("args", served.contents) == [arguments]


@pytest.mark.parametrize("form", FORMS)
async def test_a_tool_loop_of_claude_without_ids_and_with_thoughts_in_pieces(served: Served, form: Any) -> None:
    directed = "!think a long thought that comes in more than one piece\n!tool f {}\n!then\n!say done"
    thinking = {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048}, "maxOutputTokens": 4000}
    asked: dict[str, Any] = {"tools": tools("f"), "generationConfig": thinking, "model": CLAUDE}
    first = said(await ask(served, directed, form=form, **asked), form)
    assert first.thoughts == "a long thought that comes in more than one piece"
    result = user({"functionResponse": {"name": "f", "response": {"output": "x"}}})
    second = await ask(served, directed, {"role": "model", "parts": first.parts}, result, form=form, **asked)
    assert said(second, form).text == "done"
    thought = served.contents[1]["parts"][0]
    assert (thought["thought"], thought["text"]) == (True, first.thoughts)
    assert thought["thoughtSignature"] in served.fake.signatures.issued


# the kind of the request


@pytest.mark.parametrize(
    ("fields", "model", "kind"),
    [
        ({}, GEMINI_3, "agent"),
        ({"tools": [{"google_search": {}}]}, GEMINI_3, "web_search"),
        ({"tools": [{"codeExecution": {}}]}, GEMINI_3, "agent"),
        ({}, "gemini-3-pro-image", "image_gen"),
    ],
)
async def test_the_envelope_says_what_kind_of_request_it_is(served: Served, fields: Any, model: str, kind: str) -> None:
    await ask(served, "hi", model=model, **fields)
    assert served.fake.calls()[-1].body["requestType"] == kind


# another upstream


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cachedContent": "cachedContents/c1"}, "cachedContent"),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"responseModalities": ["Audio"]}}, "generationConfig.responseModalities"),
        ({"contents": [{"parts": [{"hologram": {}}]}]}, "contents[0].parts[0].hologram"),
    ],
)
async def test_what_only_gemini_can_carry_is_refused_elsewhere(
    fake_v1internal: FakeV1Internal, tmp_path: Path, fields: Any, field: str
) -> None:
    """A count of it is an estimate."""
    config = settings(fake_v1internal, tmp_path) | {"upstream": {"demo": {"type": "demo"}}}
    request = {"contents": [user("hi")], **fields}
    async with standing(fake_v1internal, config) as served:
        response = await served.http.post("/v1beta/models/demo:generateContent", json=request)
        counted = await served.http.post("/v1beta/models/demo:countTokens", json={"generateContentRequest": request})
    assert response.status_code == 400
    assert field in response.json()["error"]["message"]
    assert counted.status_code == 200
    assert counted.headers["x-gateway-token-count"] == "estimate"


async def test_a_chain_may_pass_on_or_translate(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    config = settings(fake_v1internal, tmp_path, models={"alias": {"mine": [GEMINI_3, "demo/demo"]}})
    config["upstream"]["demo"] = {"type": "demo"}
    async with standing(fake_v1internal, config) as served:
        passed = await ask(served, "hi", model="mine")
        await fake_v1internal.stop_base("a")
        translated = await ask(served, "hi", model="mine")
    assert passed.json()["modelVersion"] == "mine"
    assert (translated.json()["modelVersion"], said(translated, "").text) == ("mine", "hi")
    assert translated.headers["x-gateway-upstream"] == "demo/demo"
