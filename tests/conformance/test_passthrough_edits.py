"""Every edit of the tables: what is written otherwise between two ends of one dialect, and that nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic.edits import Own
from gateway.dialects.anthropic.edits import pass_through as pass_messages
from gateway.dialects.openai_chat.edits import pass_through as pass_chat
from gateway.dialects.openai_responses.edits import pass_through as pass_responses
from gateway.dialects.outbound import SPELLED, OpenAITarget
from gateway.dialects.shown import markdown
from gateway.dialects.tables import TABLES
from tests.conformance.editing import (
    CHAT,
    CLAUDES,
    COUNTED,
    DONE,
    FIRST,
    GEMINIS,
    LAST,
    SAID,
    USER,
    Json,
    assistant,
    call,
    signed,
    told,
)
from tests.conformance.passed_bodies import JSON, STREAMS, WHOLES
from tests.conformance.raw import digest, passing

pytestmark = pytest.mark.anyio
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(body: Json, target: OpenAITarget | None = None, **fields: Any) -> tuple[Json, list[str], list[str]]:
    """Edit a Chat request: the body, the names of the edits, the paths of the losses."""
    request = ir.Request(**{"model": "m", "turns": (), **fields})
    return told(pass_chat(request, Raw(json.dumps(body).encode()), target or OpenAITarget(model=request.model)))


def test_the_tables_are_closed() -> None:
    """Another edit needs a name here, a reason, a test and the documentation."""
    assert {dialect: [edit.name for edit in table] for dialect, table in TABLES.items()} == {
        "openai-chat": [
            *("once", "model", "stream", "limit", "defaults", "refused", "usage", "parallel", "own", "shown"),
            *("demanded", "echo", "uncounted", "unfilled", "hollow", "numbered", "finish"),
            *("called", "done", "masked", "lines"),
        ],
        "openai-responses": [
            *("once", "model", "history", "defaults", "items", "refused", "own", "whole", "echo", "previous"),
            *("untyped", "masked", "ended", "lines"),
        ],
        "anthropic": [
            *("once", "model", "own", "blank", "shown", "defaults", "refused"),
            *("budget", "drawing", "unforced", "marks"),
            *("ids", "results", "order", "head", "envelope", "vertex_event", "echo", "named", "done", "masked"),
            "lines",
        ],
        "gemini": [
            *("once", "model", "defaults", "speaker", "own", "refused", "alone", "results", "echo", "lines"),
            *("framing", "end", "parts", "path", "roles", "empty", "order", "ids", "services", "unknown", "format"),
            "limit",
        ],
    }
    assert all(edit.why for table in TABLES.values() for edit in table)


# Chat, requests


@pytest.mark.parametrize(
    ("body", "target", "fields", "edits", "changed"),
    [
        (CHAT, OpenAITarget(model="n"), {}, ["model"], {"model": "n"}),
        (CHAT, None, {"stream": False}, [], {}),
        (
            CHAT,
            None,
            {"stream": True},
            ["stream", "usage"],
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            CHAT | {"stream": True, "stream_options": {"include_obfuscation": False}},
            None,
            {"stream": True},
            ["usage"],
            {"stream_options": {"include_obfuscation": False, "include_usage": True}},
        ),
        (CHAT | {"stream": True, "stream_options": {"include_usage": True}}, None, {"stream": True}, [], {}),
        (CHAT | {"stream": True}, OpenAITarget(model="m", refused=("stream_options",)), {"stream": True}, [], {}),
        (
            CHAT | {"max_tokens": 5},
            OpenAITarget(model="m", renames_limit=True),
            {},
            ["limit"],
            {"max_tokens": None, "max_completion_tokens": 5},
        ),
        (CHAT | {"max_tokens": 5}, OpenAITarget(model="m"), {}, [], {}),
        (
            CHAT | {"temperature": 0},
            None,
            {"sampling": ir.Sampling(temperature=0.5, top_p=0.25, max_tokens=7)},
            ["defaults"],
            {"top_p": 0.25, "max_completion_tokens": 7},
        ),
        (
            CHAT | {"reasoning_effort": "low"},
            OpenAITarget(model="m", refused=("reasoning_effort",)),
            {},
            ["refused"],
            {"reasoning_effort": None},
        ),
        (
            CHAT | {"reasoning": {"effort": "low"}},
            OpenAITarget(model="m", refused=(SPELLED,)),
            {"reasoning": ir.Reasoning(mode="level", level="low")},
            ["refused"],
            {"reasoning": None, "reasoning_effort": "low"},
        ),
        (CHAT | {"reasoning": {"effort": "low"}}, OpenAITarget(model="m"), {}, [], {}),
        *(
            (
                CHAT | {"reasoning_effort": given},
                OpenAITarget(model="m", efforts=("none", "high")),
                {"reasoning": reasoning},
                ["refused"] if given != taken else [],
                {"reasoning_effort": taken},
            )
            for given, reasoning, taken in (
                ("medium", ir.Reasoning(mode="level", level="medium"), "high"),
                ("none", ir.Reasoning(mode="off"), "none"),
                ("auto", ir.Reasoning(), None),
            )
        ),
        (CHAT | {"parallel_tool_calls": False}, None, {}, ["parallel"], {"parallel_tool_calls": None}),
        (CHAT | {"tools": []}, None, {}, ["parallel"], {"tools": None}),
        (
            CHAT | {"parallel_tool_calls": False, "tools": []},
            None,
            {},
            ["parallel"],
            {"parallel_tool_calls": None, "tools": None},
        ),
        (CHAT | {"parallel_tool_calls": False, "tools": [TOOL]}, None, {}, [], {}),
        (CHAT | {"tool_choice": "auto"}, None, {}, ["parallel"], {"tool_choice": None}),
        (CHAT | {"tool_choice": "none", "tools": []}, None, {}, ["parallel"], {"tool_choice": None, "tools": None}),
        (CHAT | {"tool_choice": "required"}, None, {}, [], {}),  # which OpenAI refuses
        (CHAT | {"tool_choice": "none", "tools": [TOOL]}, None, {}, [], {}),
    ],
)
def test_an_edit_of_a_chat_request(body: Json, target: Any, fields: Any, edits: list[str], changed: Json) -> None:
    """B14, pitfalls 14, 72"""
    written, names, _ = chat(body, target, **fields)
    expected = {name: value for name, value in (body | changed).items() if value is not None}
    assert (written, names) == (expected, edits)


@pytest.mark.parametrize(
    ("model", "given", "kept", "lost"),
    [
        # of this family: bare; of another one, or damaged: out
        ("gemini-3", assistant(**signed(GEMINIS)), assistant(**signed("R0VN")), []),
        ("m", assistant(**signed("bare")), assistant(**signed("bare")), []),
        ("gpt-5", assistant(**signed(GEMINIS)), assistant(), ["extra_content.google.thought_signature"]),
        ("qwen3", assistant(**signed(GEMINIS)), assistant(), ["extra_content.google.thought_signature"]),
        ("google/gemini-3", assistant(**signed(GEMINIS)), assistant(**signed("R0VN")), []),
        ("gemini-3", assistant(**signed(CLAUDES)), assistant(), ["extra_content.google.thought_signature"]),
        ("gemini-3", assistant(**signed(GEMINIS[:-1] + "x")), assistant(), ["extra_content.google.thought_signature"]),
        (
            "gpt-5",
            assistant(tool_calls=[call(**signed(GEMINIS))]),
            assistant(tool_calls=[call()]),
            ["tool_calls[0].extra_content.google.thought_signature"],
        ),
        # what else this gateway hangs on, and only then the thoughts
        ("gemini-3", assistant(**signed(GEMINIS, gateway={"thoughts": "x"})), assistant(**signed("R0VN")), []),
        (
            "gemini-3",
            assistant(reasoning_content="hm", **signed(GEMINIS)),
            assistant(**signed("R0VN")),
            ["reasoning_content"],
        ),
        ("deepseek", assistant(reasoning_content="hm"), assistant(reasoning_content="hm"), []),
        # and where LiteLLM puts it
        (
            "gpt-5",
            assistant(provider_specific_fields=signed(CLAUDES), reasoning_content="hm"),
            assistant(),
            ["provider_specific_fields.extra_content.google.thought_signature", "reasoning_content"],
        ),
        (
            "deepseek",
            assistant(provider_specific_fields={**signed(CLAUDES), "a": 1}),
            assistant(provider_specific_fields={"a": 1}),
            ["provider_specific_fields.extra_content.google.thought_signature"],
        ),
        (
            "m",
            assistant(provider_specific_fields=signed("bare")),
            assistant(provider_specific_fields=signed("bare")),
            [],
        ),
    ],
)
def test_what_this_gateway_hung_on_a_message(model: str, given: Json, kept: Json, lost: list[str]) -> None:
    """Clients send back whatever is added to a message."""
    body = {"model": model, "messages": [USER, given, USER]}
    written, names, losses = chat(body, model=model)
    assert written["messages"] == [USER, kept, USER]
    assert losses == [f"messages[1].{path}" for path in lost]
    assert names == ([] if given == kept else ["own"])


def test_the_user_shows_what_another_model_drew() -> None:
    drawn = markdown("image/png", "AAAA")
    calls = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    told = {"role": "tool", "tool_call_id": "c", "content": drawn}
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    by_user = {"role": "user", "content": [{"type": "text", "text": "[shown by the assistant:]"}, url]}
    words = {"type": "text", "text": "a"}
    for said, kept in (
        ([SAID | {"content": f"a {drawn}"}, USER], [SAID | {"content": "a "}, by_user, USER]),
        ([SAID | {"content": drawn}, USER], [by_user, USER]),
        ([SAID | {"content": drawn} | calls, told, USER], [SAID | {"content": None} | calls, told, by_user, USER]),
        ([SAID | {"content": [words, {"type": "text", "text": drawn}]}], [SAID | {"content": [words]}, by_user]),
    ):
        written, names, losses = chat(CHAT | {"messages": [USER, *said]})
        assert (written["messages"], names, losses) == ([USER, *kept], ["shown"], ["messages[1]"])
    for said in ([USER | {"content": drawn}, SAID], [SAID | {"content": "![image](data:image/png;base64,A)"}]):
        assert chat(CHAT | {"messages": said})[1] == []


def test_openai_itself_gets_no_thoughts_back() -> None:
    body = {"model": "m", "messages": [USER, assistant(reasoning_content="hm")]}
    written, names, losses = chat(body, OpenAITarget(model="m", thoughtless=True))
    assert (written["messages"][1], names, losses) == (assistant(), ["own"], ["messages[1].reasoning_content"])


def test_the_user_shows_what_another_model_drew_beside_its_words() -> None:
    drawn = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    by_user = {"role": "user", "content": [{"type": "text", "text": "[shown by the assistant:]"}, drawn]}
    words = {"type": "text", "text": "a"}
    for content, left in (("a ", ["a "]), (None, []), ("", []), ([words], [[words]])):
        said = SAID | {"content": content, "images": [drawn | {"index": 0}]}
        written, names, losses = chat(CHAT | {"messages": [USER, said]}, OpenAITarget(model="m", thoughtless=True))
        kept = [SAID | {"content": one} for one in left]
        assert (written["messages"], names, losses) == ([USER, *kept, by_user], ["own", "shown"], ["messages[1]"])
    there = SAID | {"images": [{"image_url": {"url": "https://a.example/b.png"}}]}
    written, names, losses = chat(CHAT | {"messages": [USER, there]}, OpenAITarget(model="m", thoughtless=True))
    assert (written["messages"], names, losses) == ([USER, SAID], ["own"], ["messages[1].images"])


def test_nothing_is_lost_with_what_a_client_sends_back_empty() -> None:
    """LiteLLM's and OpenRouter's messages have such members."""
    body = {"model": "m", "messages": [USER, assistant(images=[], thinking_blocks=[], reasoning="")]}
    written, names, losses = chat(body, OpenAITarget(model="m", thoughtless=True))
    assert (written["messages"][1], names, losses) == (assistant(), ["own"], [])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reasoning_content", "Unknown parameter: 'messages[1].reasoning_content'."),
        ("reasoning", "Unknown parameter: 'messages[1].reasoning'."),
        ("reasoning", "'messages.1' : for 'role:assistant' : property 'reasoning' is unsupported"),
        ("reasoning_details", "'messages.1' : for 'role:assistant' : property 'reasoning_details' is unsupported"),
    ],
)
async def test_thoughts_that_a_server_refuses_are_left_out_in_one_more_call(
    tmp_path: Path, name: str, words: str
) -> None:
    """They may be those of another router's model."""
    refusal = {"error": {"message": words, "type": "x"}}
    body = json.dumps({"model": "m", "messages": [USER, assistant(**{name: "hm"}), USER]}).encode()
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        response = await same.post(body)
    assert response.status_code == 200
    assert [name.encode() in one.body for one in same.raw.asked] == [True, False]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
async def test_an_effort_becomes_the_nearest_that_its_refusal_names(tmp_path: Path, dialect: Any) -> None:
    """It was left out, so that Mistral's models did not think, and each request was refused again."""
    words = "reasoning_effort='medium' is not supported for this model. Must be one of ('none', 'high')"
    refusal = {"object": "error", "message": words, "code": "3051"}
    effort = {"reasoning_effort": "medium"} if dialect == "openai-chat" else {"reasoning": {"effort": "medium"}}
    said = {"messages": [USER]} if dialect == "openai-chat" else {"input": "hi", "store": False}
    async with passing(dialect, tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        for _ in range(2):
            same.raw.says(WHOLES[dialect], kind=JSON)
            response = await same.post(json.dumps({"model": "m", **said, **effort}).encode())
            assert response.status_code == 200
    asked = [json.loads(one.body) for one in same.raw.asked]
    sent = [one.get("reasoning_effort") or one["reasoning"]["effort"] for one in asked]
    assert sent == ["medium", "high", "high"]


async def test_tokens_are_counted_though_another_option_of_streams_is_refused(tmp_path: Path) -> None:
    """Mistral's clients ask for `stream_tool_calls`; all others of the model had no usage from then on."""
    refusal = {"error": {"message": "Unknown parameter: 'stream_options.stream_tool_calls'."}}
    counting = {"include_usage": True}
    asked = CHAT | {"stream": True, "stream_options": counting | {"stream_tool_calls": True}}
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        for _ in range(3):
            same.raw.says(*STREAMS["openai-chat"])
        for body in (asked, asked, CHAT | {"stream": True}):
            await same.post(json.dumps(body).encode())
    sent = [json.loads(one.body)["stream_options"] for one in same.raw.asked]
    assert sent == [asked["stream_options"], counting, counting, counting]


@pytest.mark.parametrize(
    ("given", "refused", "sent"),
    [
        ("max_tokens", "max_tokens", "max_completion_tokens"),
        ("max_completion_tokens", "max_completion_tokens", "max_tokens"),
    ],
)
async def test_a_limit_that_is_refused_is_called_otherwise(tmp_path: Path, given: str, refused: str, sent: str) -> None:
    """Pitfall 14; the next request is right at once."""
    refusal = {"error": {"message": f"Unsupported parameter: '{refused}' is not supported with this model."}}
    body = json.dumps(CHAT | {given: 9}).encode()
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.post(body)
        await same.post(body)
    assert [[name for name in json.loads(one.body) if "tokens" in name] for one in same.raw.asked] == [
        [given],
        [sent],
        [sent],
    ]


@pytest.mark.parametrize("given", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_above_what_a_model_gives_is_cut_once_it_is_refused(tmp_path: Path, given: str) -> None:
    """A chain, or a rule for names, may lead to a model that gives less than the one that was meant."""
    said = f"{given} is too large: 90. This model supports at most 50 completion tokens, whereas you provided 90."
    refusal = json.dumps({"error": {"message": said}}).encode()
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(refusal, status=400, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        for fields in ({given: 90}, {given: 90}, {given: 9}, {}):
            await same.post(json.dumps(CHAT | fields).encode())
    limited = [CHAT | {given: 50}] * 2
    assert [json.loads(one.body) for one in same.raw.asked] == [CHAT | {given: 90}, *limited, CHAT | {given: 9}, CHAT]


async def test_a_model_that_thinks_is_given_its_own_limit(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.post(json.dumps(CHAT | {"model": "gpt-5", "max_tokens": 9}).encode())
    assert same.raw.sent == CHAT | {"model": "gpt-5", "max_completion_tokens": 9}


# configuration


async def test_a_suffix_of_the_name_is_translated(tmp_path: Path) -> None:
    over: Json = {"models": {"variant": {"-fast": {"thinking": "off"}}}}
    async with passing("openai-chat", tmp_path, **over) as same:
        same.raw.says(*STREAMS["openai-chat"])
        response = await same.post(json.dumps(CHAT | {"model": "m-fast", "unknown": 1}).encode())
    assert (response.status_code, same.raw.sent["model"], same.raw.sent["stream"]) == (200, "m", True)


async def test_the_defaults_of_gateway_toml_are_filled_in(tmp_path: Path) -> None:
    over: Json = {"defaults": {"temperature": 0.25, "stream": True}}
    async with passing("openai-chat", tmp_path, **over) as same:
        same.raw.says(FIRST, LAST, COUNTED, DONE)
        response = await same.post(json.dumps(CHAT).encode())
    assert same.raw.sent == CHAT | {"stream": True, "temperature": 0.25, "stream_options": {"include_usage": True}}
    assert response.content == FIRST + LAST + DONE


# values


NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1.0", "1e400", "-0.0", "1E-7", "0.10"]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(
    lambda one: json.dumps(one, ensure_ascii=False)
)
VALUES = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "null"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda many: f"[ {' , '.join(many)} ]"),
        st.lists(st.tuples(TEXTS, inner), max_size=3).map(
            lambda many: "{" + ",".join(f"{name} : {value}" for name, value in many) + "}"
        ),
    ),
    max_leaves=8,
)
NAMES = st.text("abcxyz", min_size=1, max_size=6).map(lambda name: f"x_{name}")
FIELDS = st.dictionaries(NAMES, VALUES, max_size=5)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(FIELDS, st.booleans())
def test_any_members_keep_their_bytes_whether_or_not_others_are_edited(fields: dict[str, str], edits: bool) -> None:
    members = {"model": '"m"', "messages": '[ {"role":"user", "content":"hi"} ]', "max_tokens": "5", **fields}
    body = "{{ {} }}".format(", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()))
    raw, name = Raw(body.encode()), "n" if edits else "m"
    request = ir.Request(model=name, turns=())
    for written in (
        pass_chat(request, raw, OpenAITarget(model=name)),
        pass_messages(request, raw, Own(model=name)),
        pass_responses(request, raw, OpenAITarget(model=name)),
    ):
        assert written.native is not None
        sent = bytes(written.native)
        if not edits:
            assert digest(sent) == digest(body.encode())
        expected = members | {"model": json.dumps(name)}
        assert _raws(sent) == {one: value.strip() for one, value in expected.items()}


def _raws(body: bytes) -> dict[str, str]:

    return {name: bytes(value).decode() for name, value in msgspec.json.decode(body, type=dict[str, Raw]).items()}
