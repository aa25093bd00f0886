"""Edits of passed requests and answers of Responses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_responses.edits import pass_through as pass_responses
from gateway.dialects.outbound import OpenAITarget
from tests.conformance.editing import GEMINIS, Json, data_of, encoded, told
from tests.conformance.passed_bodies import JSON, STREAMS, WHOLES
from tests.conformance.raw import passing

pytestmark = pytest.mark.anyio
OPENAIS = ir.seal(ir.Signature("openai", "T1BF"))


def responses(body: Json, target: OpenAITarget | None = None, **fields: Any) -> tuple[Json, list[str], list[str]]:
    request = ir.Request(**{"model": "m", "turns": (), **fields})
    return told(pass_responses(request, Raw(json.dumps(body).encode()), target or OpenAITarget(model=request.model)))


# Responses


REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
HERE = "rs_0123456789abcdef0123456700"  # as this gateway calls its items
ITEM = {"type": "message", "role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("sealed", "kept"),
    [
        ({"encrypted_content": OPENAIS}, {"encrypted_content": "T1BF"}),
        ({"encrypted_content": encoded(OPENAIS)}, {"encrypted_content": "T1BF"}),
        ({"encrypted_content": "gAAA"}, {"encrypted_content": "gAAA"}),
        ({"encrypted_content": GEMINIS}, None),
        ({"encrypted_content": OPENAIS[:-1] + "x"}, None),
        ({"encrypted_content": ir.seal(ir.Signature("openai", ""))}, None),
        ({}, {}),
        ({"id": HERE}, None),
        ({"id": HERE, "encrypted_content": None}, None),
        ({"id": HERE, "encrypted_content": GEMINIS}, None),
    ],
)
def test_thoughts_of_responses_leave_their_envelope(sealed: Json, kept: Json | None) -> None:
    """Pitfalls 27, 28, 42"""
    written, _, losses = responses({"model": "m", "input": [REASONING | sealed, ITEM]})
    assert written["input"] == ([ITEM] if kept is None else [REASONING | kept, ITEM])
    assert losses == (["input[0]"] if kept is None else [])


def test_a_thought_with_the_signature_of_another_model_is_left_out() -> None:
    """So LangChain goes on with what Claude or Gemini has thought; OpenAI knows no such member."""
    signed = {"type": "reasoning", "summary": [], "signature": GEMINIS}
    written, names, losses = responses({"model": "m", "input": [signed, ITEM]})
    assert (written["input"], names, losses) == ([ITEM], ["own"], ["input[0]"])


def test_no_sealed_thought_goes_where_signatures_are_off() -> None:
    body = {"model": "m", "input": [REASONING | {"encrypted_content": OPENAIS}, ITEM]}
    written, _, losses = responses(body, OpenAITarget(model="m", signatures=False))
    assert (written["input"], losses) == ([ITEM], ["input[0]"])


def test_a_sealed_thought_goes_without_the_name_that_it_has_here() -> None:
    """Pitfall 42: the upstream would look for it."""
    sealed = REASONING | {"id": HERE, "encrypted_content": OPENAIS}
    written, _, losses = responses({"model": "m", "input": [sealed, ITEM]})
    assert written["input"] == [{"type": "reasoning", "summary": [], "encrypted_content": "T1BF"}, ITEM]
    assert losses == []


async def test_thoughts_told_here_do_not_go_where_they_were_not_made(tmp_path: Path) -> None:
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        asked = b'{"model":"demo/demo","input":"!think hm\\n!say so","reasoning":{"effort":"low","summary":"auto"}}'
        first = (await same.post(asked)).json()
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        again = await same.post(json.dumps({"model": "m", "input": [*first["output"], ITEM]}).encode())
    assert [item["type"] for item in first["output"]] == ["reasoning", "message"]
    assert [item["type"] for item in same.raw.sent["input"]] == ["message", "message"]
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("body", "target", "fields", "edits", "changed"),
    [
        ({}, OpenAITarget(model="n"), {}, ["model"], {"model": "n"}),
        ({"previous_response_id": "resp_x"}, None, {}, [], {}),
        (
            {"previous_response_id": "resp_x"},
            OpenAITarget(model="m", upstream="up"),
            {"thread": ir.Thread(before=(Raw(b'{"a":1}'),), items=(Raw(b'{"b":2}'),), kept_at="up")},
            [],
            {},
        ),
        (
            {"previous_response_id": "resp_x"},
            OpenAITarget(model="m", upstream="up"),
            {"thread": ir.Thread(before=(Raw(b'{"a":1}'),), items=(Raw(b'{"b":2}'),))},
            ["history"],
            {"input": [{"a": 1}, {"b": 2}], "previous_response_id": None},
        ),
        (
            {"previous_response_id": "resp_x"},
            OpenAITarget(model="m", upstream="up", keeps=False),
            {
                "thread": ir.Thread(
                    before=(Raw(b'{"type":"reasoning","id":"rs_1"}'),), items=(Raw(b'{"b":2}'),), kept_at="up"
                )
            },
            ["history", "own"],
            {"input": [{"b": 2}], "previous_response_id": None},
        ),
        (
            {"top_p": 1.0},
            None,
            {"sampling": ir.Sampling(top_p=0.5, max_tokens=7)},
            ["defaults"],
            {"max_output_tokens": 7},
        ),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            OpenAITarget(model="m", refused=("reasoning_effort",)),
            {},
            ["refused"],
            {"reasoning": {"summary": "auto"}},
        ),
        *(
            (
                {"reasoning": {"effort": given, "summary": "auto"}},
                OpenAITarget(model="m", efforts=("low", "high")),
                {"reasoning": reasoning},
                ["refused"] if given != taken else [],
                {"reasoning": {"summary": "auto"} | ({} if taken is None else {"effort": taken})},
            )
            for given, reasoning, taken in (
                ("xhigh", ir.Reasoning(mode="level", level="xhigh"), "high"),
                ("low", ir.Reasoning(mode="level", level="low"), "low"),
                ("none", ir.Reasoning(mode="off"), None),
            )
        ),
        (
            {"reasoning": {"summary": "auto"}},
            OpenAITarget(model="m", efforts=("low", "high")),
            {},
            [],
            {},
        ),
    ],
)
def test_an_edit_of_a_responses_request(body: Json, target: Any, fields: Any, edits: list[str], changed: Json) -> None:
    """D12, pitfall 41"""
    body = {"model": "m", "input": "hi", **body}
    written, names, _ = responses(body, target, **fields)
    assert (written, names) == ({one: value for one, value in (body | changed).items() if value is not None}, edits)


async def test_a_limit_above_what_a_model_gives_is_cut_once_it_is_refused(tmp_path: Path) -> None:
    said = "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 50, but got 90 instead."
    refusal = json.dumps({"error": {"message": said, "param": "max_output_tokens"}}).encode()
    async with passing("openai-responses", tmp_path) as same:
        same.raw.says(refusal, status=400, kind=JSON)
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        for limit in ({"max_output_tokens": 90}, {"max_output_tokens": 90}, {"max_output_tokens": 20}, {}):
            response = await same.post(json.dumps({"model": "m", "input": "hi", "store": False, **limit}).encode())
            assert response.status_code == 200, response.text
    assert [json.loads(one.body).get("max_output_tokens") for one in same.raw.asked] == [90, 50, 50, 20, None]


async def test_an_answer_keeps_to_the_room_that_a_refusal_names(tmp_path: Path) -> None:
    said = (
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens "
        "(5000 in the messages, 4000 in the completion). Please reduce the length of the messages or completion."
    )
    async with passing("openai-responses", tmp_path) as same:
        same.raw.says(json.dumps({"error": {"message": said}}).encode(), status=400, kind=JSON)
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        await same.post(json.dumps({"model": "m", "input": "hi", "max_output_tokens": 4000}).encode())
    assert [json.loads(one.body).get("max_output_tokens") for one in same.raw.asked] == [4000, 3192]


async def test_a_response_has_the_callers_name_of_the_model(tmp_path: Path) -> None:
    async with passing("openai-responses", tmp_path, models={"alias": {"mine": "up/m"}}) as same:
        same.raw.says(*STREAMS["openai-responses"])
        streamed = await same.post(b'{"model":"mine","input":"hi","stream":true,"store":false}')
        same.raw.answers.clear()
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        whole = await same.post(b'{"model":"mine","input":"hi","store":false}')
    assert whole.json() == json.loads(WHOLES["openai-responses"]) | {"model": "mine"}
    named = [json.loads(one)["response"]["model"] for one in data_of(streamed.content) if b'"response":' in one]
    assert named == ["mine", "mine"]


async def test_a_response_of_the_upstreams_is_kept_here_too(tmp_path: Path) -> None:
    """It can be read, and gone on from: there by its id, and elsewhere by what was said."""
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        first = await same.post(b'{"model":"m","input":"first words"}')
        read = await same.http.get("/v1/responses/resp_1")
        same.raw.answers.clear()
        same.raw.says(WHOLES["openai-responses"].replace(b"resp_1", b"resp_2"), kind=JSON)
        body = b'{"model":"m","input":"more","previous_response_id":"resp_1"}'
        there = await same.post(body)
        sent = same.raw.asked[-1].body
        elsewhere = await same.post(b'{"model":"demo/demo","input":"!say <i>","previous_response_id":"resp_1"}')
    assert (first.json()["id"], read.json()["id"], there.status_code) == ("resp_1", "resp_1", 200)
    assert sent == body
    assert elsewhere.status_code == 200


@pytest.mark.parametrize(
    "response",
    [
        b'{"id":"resp_1","status":"completed","output":null}',
        b'{"id":null,"status":"completed","output":[]}',
        b'{"status":"completed","output":[]}',
        b'{"id":"resp_1","status":7,"output":[]}',
        b"null",
        b"[]",
    ],
)
async def test_what_is_no_response_passes_and_is_not_kept(tmp_path: Path, response: bytes) -> None:
    end = b'event: response.completed\ndata: {"type":"response.completed","sequence_number":3,"response":%b}\n\n'
    async with passing("openai-responses", tmp_path) as same:
        pieces = (*STREAMS["openai-responses"][:-1], end % response)
        same.raw.says(*pieces)
        streamed = await same.post(b'{"model":"m","input":"hi","stream":true}')
        read = await same.http.get("/v1/responses/resp_1")
    assert (streamed.status_code, streamed.content) == (200, b"".join(pieces))
    assert read.status_code == 404


async def test_what_was_said_elsewhere_goes_along_as_input(tmp_path: Path) -> None:
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        first = await same.post(b'{"model":"demo/demo","input":"first words"}')
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        body = {"model": "m", "input": "more", "previous_response_id": first.json()["id"]}
        await same.post(json.dumps(body).encode())
    assert "previous_response_id" not in same.raw.sent
    assert [item["type"] for item in same.raw.sent["input"]] == ["message"] * 3


async def test_an_id_that_only_the_upstream_may_know_goes_on(tmp_path: Path) -> None:
    """D12: to an upstream that speaks the dialect; elsewhere it is refused."""
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        body = (
            b'{"model":"m","previous_response_id":"resp_x","conversation":null,'
            b'"input":[{"type":"item_reference","id":"i"}]}'
        )
        passed = await same.post(body)
        refused = await same.post(body.replace(b'"m"', b'"demo/demo"'))
    assert (passed.status_code, same.raw.asked[-1].body) == (200, body)
    assert refused.status_code == 400


async def test_a_response_of_another_caller_cannot_be_gone_on_from(tmp_path: Path) -> None:
    async with passing("openai-responses", tmp_path, auth={"keys": ["sk-one", "sk-two"]}) as same:
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        await same.post(b'{"model":"m","input":"secret"}', authorization="Bearer sk-one")
        body = b'{"model":"m","input":"more","previous_response_id":"resp_1"}'
        other = await same.post(body, authorization="Bearer sk-two")
    assert (other.status_code, other.json()["error"]["param"]) == (400, "previous_response_id")
    assert len(same.raw.asked) == 1
