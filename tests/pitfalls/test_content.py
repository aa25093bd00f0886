"""Tools, their order, and content."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.automata import Call
from tests.conformance.openai_api import Said
from tests.conformance.replies import FC, T, chunk, usage
from tests.conformance.served import events, user, values
from tests.conformance.test_cases_tools import chat_tools, messages_tools
from tests.fakes.v1internal_reply import PIXEL
from tests.pitfalls.chunks import called, delta
from tests.pitfalls.gateways import CHAT_FORM, CLAUDES, DIALECTS, GOOGLE, OPENAI, TRANSLATING, At, each, translated

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)
BY_OPENAI = pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
JPEG = "/9j/4AAQSkZJRgABAQ=="


def kinds(content: Json) -> list[str]:
    """Name the parts of a content."""
    return [next(name for name in part if name not in ("thought", "thoughtSignature")) for part in content["parts"]]


def text_of(of: Any) -> str:
    return json.dumps(of, ensure_ascii=False)


def used(*ids: str, name: str = "f", **fields: Any) -> Json:
    """Have the model call, as Anthropic says it."""
    uses = [{"type": "tool_use", "id": one, "name": name, "input": {}, **fields} for one in ids]
    return {"role": "assistant", "content": uses}


def result(ident: str, content: Any = "4") -> Json:
    return {"type": "tool_result", "tool_use_id": ident, "content": content}


@TRANSLATED
@pytest.mark.parametrize("count", [1, 2, 3])
@each(*GOOGLE, "v1internal-claude")
async def test_pitfall_44_n_calls_have_n_results_in_one_content(at: At, dialect: str, count: int) -> None:
    at.push("!say ok")
    calls = [Call(f"call_{number}", "f", {"a": number}) for number in range(count)]
    said = [Said("go"), Said(calls=calls, results=[str(number) for number in range(count)])]
    assert (await at.ask(dialect, said=said, tools=["f"])).text == "ok"
    _, called, answered = at.turns
    assert [kind for kind in kinds(called) if kind != "text"] == ["functionCall"] * count
    assert (answered["role"], kinds(answered)) == ("user", ["functionResponse"] * count)


@each(*GOOGLE, "v1internal-claude")
async def test_pitfall_45_text_beside_a_result_is_a_content_of_its_own(at: At) -> None:
    at.push("!say ok")
    told = user([result("toolu_1"), {"type": "text", "text": "and now"}])
    await at.messages(user("go"), used("toolu_1"), told, tools=messages_tools("f"))
    answered, words = at.turns[-2:]
    assert (kinds(answered), kinds(words)) == (["functionResponse"], ["text"])
    assert words["parts"][0]["text"] == "and now"


UNANSWERED: dict[str, list[Json]] = {
    "openai-chat": [
        user("go"),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        user("never mind"),
    ],
    "openai-responses": [
        user("go"),
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        user("never mind"),
    ],
    "anthropic": [user("go"), used("toolu_1"), user("never mind")],
}
FIELDS = {"openai-chat": "messages", "openai-responses": "input", "anthropic": "messages"}


@TRANSLATED
@each(*CLAUDES)
async def test_pitfall_46_a_call_without_a_result_gets_one_at_once(at: At, dialect: str) -> None:
    at.push("!say ok")
    asked = {FIELDS[dialect]: UNANSWERED[dialect]}
    assert (await at.ask(dialect, tools=["f"], more=asked)).text == "ok"
    call = at.turns[1]["content"][-1]
    first, *rest = at.turns[2]["content"]
    assert (first["type"], first["tool_use_id"], first["is_error"]) == ("tool_result", call["id"], True)
    assert "never mind" in text_of(rest)


@each(*CLAUDES)
async def test_pitfall_47_results_stand_before_text(at: At) -> None:
    at.push("!say ok")
    told = user([{"type": "text", "text": "see"}, result("toolu_1"), result("toolu_2")])
    await at.messages(user("go"), used("toolu_1", "toolu_2"), told, tools=messages_tools("f"))
    assert [block["type"] for block in at.turns[-1]["content"]] == ["tool_result", "tool_result", "text"]


ORPHANS: dict[str, list[Json]] = {
    "openai-chat": [{"role": "tool", "tool_call_id": "call_1", "content": "forty-two"}, user("hi")],
    "openai-responses": [{"type": "function_call_output", "call_id": "call_1", "output": "forty-two"}, user("hi")],
    "anthropic": [user([result("toolu_1", "forty-two"), {"type": "text", "text": "hi"}])],
}


@translated(TRANSLATING)
async def test_pitfall_48_a_result_without_its_call_does_not_stop_the_request(at: At, dialect: str) -> None:
    """Where both ends speak one dialect it stays as it is, and the upstream says what it thinks of it."""
    at.push("!say ok")
    assert (await at.ask(dialect, more={FIELDS[dialect]: ORPHANS[dialect]})).text == "ok"
    assert "forty-two" in text_of(at.turns)


def chat_called(content: Any, *ids: str) -> Json:
    """Have the model call, as Chat Completions says it."""
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def chat_result(ident: str, content: str = "4") -> Json:
    return {"role": "tool", "tool_call_id": ident, "content": content}


@each(*CLAUDES)
async def test_pitfall_49_empty_content_beside_calls_is_no_text(at: At) -> None:
    at.push("!say ok")
    await at.chat(user("go"), chat_called("", "call_1"), chat_result("call_1"), tools=chat_tools("f"))
    assert [block["type"] for block in at.turns[1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses", "gemini"])
@each(*CHAT_FORM)
async def test_pitfall_49_calls_alone_have_null_beside_them(at: At, dialect: str) -> None:
    at.push("!say ok")
    said = [Said("go"), Said(calls=[Call("call_1", "f", {})], results=["4"])]
    await at.ask(dialect, said=said, tools=["f"])
    assert at.turns[1].get("content") is None


@each(*CHAT_FORM)
async def test_pitfall_49_a_chat_callers_null_stays(at: At) -> None:
    at.push("!say ok")
    await at.chat(user("go"), chat_called(None, "call_1"), chat_result("call_1"), tools=chat_tools("f"))
    assert at.turns[1]["content"] is None


SILENT: dict[str, list[Json]] = {
    "openai-chat": [user("one"), {"role": "assistant", "content": "", "reasoning_content": "hm"}, user("two")],
    "openai-responses": [
        user("one"),
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        user("two"),
    ],
    "anthropic": [
        user("one"),
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}]},
        user("two"),
    ],
}


@TRANSLATED
@each(*GOOGLE, "v1internal-claude")
async def test_pitfall_50_thoughts_alone_leave_no_empty_content(at: At, dialect: str) -> None:
    at.push("!say ok")
    assert (await at.ask(dialect, more={FIELDS[dialect]: SILENT[dialect]})).text == "ok"
    (turn,) = at.turns
    assert turn == {"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}


LEGAL = re.compile(r"[a-zA-Z0-9_-]+")
FORMS = {  # of ids that are made (dialects.md §5.1)
    "openai-chat": re.compile("call_[a-z0-9]{24}"),
    "openai-responses": re.compile("call_[a-z0-9]{24}"),
    "anthropic": re.compile("toolu_[a-z0-9]{24}"),
}
STRANGE = "functions.Bash:0"


@TRANSLATED
@each(*CLAUDES)
async def test_pitfall_51_an_id_is_of_letters_that_claude_takes(at: At, dialect: str) -> None:
    at.push("!say ok", "!say ok")
    said = [Said("go"), Said(calls=[Call(STRANGE, "f", {})], results=["4"])]
    idents = []
    for _ in range(2):
        assert (await at.ask(dialect, said=said, tools=["f"])).text == "ok"
        (call,), (answer,) = at.turns[1]["content"], at.turns[2]["content"]
        assert call["id"] == answer["tool_use_id"]
        idents.append(call["id"])
    assert LEGAL.fullmatch(idents[0])
    assert idents[0] == idents[1]


def play_strange_id(at: At) -> None:
    """Have a call come with an id that Anthropic's callers would send back in vain."""
    if at.upstream in CHAT_FORM:
        call = {"index": 0, "id": STRANGE, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_800_000_000, "model": "m"}
        deltas: list[tuple[Json, str | None]] = [
            ({"role": "assistant", "tool_calls": [call]}, None),
            ({}, "tool_calls"),
        ]
        at.play(*({**head, "choices": [{"index": 0, "delta": one, "finish_reason": end}]} for one, end in deltas))
    else:
        at.play(chunk(FC("f", {}, id=STRANGE)), chunk(T(""), fin="STOP", usage=usage(3, 2, 5)))


@each(*GOOGLE, *CHAT_FORM)
async def test_pitfall_51_ids_for_anthropic_callers_are_of_such_letters(at: At) -> None:
    play_strange_id(at)
    told = await at.ask("anthropic", stream=True, tools=["f"])
    assert LEGAL.fullmatch(told.calls[0].id)


@translated(upstreams=OPENAI)
async def test_pitfall_52_an_id_of_85_letters_is_cut_the_same_way_each_time(at: At, dialect: str) -> None:
    at.push("!say ok", "!say ok")
    said = [Said("go"), Said(calls=[Call("call_" + "x" * 80, "f", {})], results=["4"])]
    idents = []
    for _ in range(2):
        assert (await at.ask(dialect, said=said, tools=["f"])).text == "ok"
        (answer,) = [one for one in at.turns if "tool_call_id" in one or one.get("type") == "function_call_output"]
        idents.append(answer.get("tool_call_id") or answer["call_id"])
    assert len(idents[0]) <= (64 if at.upstream == "responses" else 40)
    assert idents[0] == idents[1]
    assert text_of(at.turns).count(idents[0]) == 2


@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_53_calls_without_ids_get_some_of_their_own(at: At, dialect: str) -> None:
    """The same answer gives the same ids, another one of the conversation others."""
    idents = []
    for response in ("r1", "r1", "r2"):
        call = chunk(FC("f", {}), FC("f", {"a": 2}))
        at.play(
            {**call, "responseId": response}, {**chunk(T(""), fin="STOP", usage=usage(3, 2, 5)), "responseId": response}
        )
        idents.append([one.id for one in (await at.ask(dialect, tools=["f"])).calls])
    assert idents[0] == idents[1]
    assert len({*idents[0], *idents[2]}) == 4
    assert all(FORMS[dialect].fullmatch(one) for made in idents for one in made)


AGAIN = [Said("go"), Said(calls=[Call("call_f", "f", {})], results=["4"])]


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses"])
@each(*CHAT_FORM)
async def test_an_id_that_a_server_repeats_in_each_answer_is_another_one(at: At, dialect: str) -> None:
    """Claude Code takes two calls of one id for one, and leaves out the later with its result."""
    at.play(called("f", "{}"), delta("tool_calls"))
    (call,) = (await at.ask(dialect, said=AGAIN, tools=["f"])).calls
    assert call.id != "call_f"
    assert FORMS[dialect].fullmatch(call.id)


@TRANSLATED
@each(*GOOGLE)
async def test_an_id_that_google_repeats_in_each_answer_is_another_one(at: At, dialect: str) -> None:
    at.play(chunk(FC("f", {}, id="call_f"), fin="STOP", usage=usage(3, 2, 5)))
    (call,) = (await at.ask(dialect, said=AGAIN, tools=["f"])).calls
    assert call.id != "call_f"


ANSWER = '{"city":"Oslo"}'
IN_PARTS = (
    chunk({"text": '{"city":', "thoughtSignature": "EkBGQUtF"}),
    chunk({"text": '"Oslo"}'}),
    chunk({"text": "", "thoughtSignature": "Eg=="}, fin="STOP", usage=usage(3, 2, 5)),
)


@each(*GOOGLE)
async def test_words_behind_a_signature_are_one_text_with_those_before_it(at: At) -> None:
    """Claude Code prints the last block of an answer; SDKs read each by itself as the JSON that was asked for."""
    at.play(*IN_PARTS)
    assert [block["text"] for block in (await at.messages(user("hi"))).json()["content"]] == [ANSWER]
    at.play(*IN_PARTS)
    (item,) = (await at.items(user("hi"))).json()["output"]
    assert [part["text"] for part in item["content"]] == [ANSWER]


@each(*GOOGLE)
async def test_words_behind_a_signature_are_streamed_in_the_same_text(at: At) -> None:
    at.play(*IN_PARTS)
    told = events((await at.messages(user("hi"), stream=True)).text)
    assert [one["index"] for one in told if one["type"] == "content_block_start"] == [0]
    at.play(*IN_PARTS)
    told = events((await at.items(user("hi"), stream=True)).text)
    assert [one["text"] for one in told if one["type"] == "response.output_text.done"] == [ANSWER]


SHOT: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
SHOWN: dict[str, list[Json]] = {
    "anthropic": [user("go"), used("toolu_1"), user([result("toolu_1", [{"type": "text", "text": "a"}, SHOT])])],
    "openai-responses": [
        user("go"),
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}],
        },
    ],
}


@pytest.mark.parametrize("dialect", SHOWN)
@each(*CHAT_FORM)
async def test_pitfall_59_a_picture_of_a_tool_follows_as_the_users(at: At, dialect: str) -> None:
    at.push("!say ok")
    assert (await at.ask(dialect, tools=["f"], more={FIELDS[dialect]: SHOWN[dialect]})).text == "ok"
    *_, tool, last = at.turns
    assert (tool["role"], last["role"]) == ("tool", "user")
    assert f"data:image/png;base64,{PIXEL}" in text_of(last)


@each("responses")
async def test_pitfall_59_responses_takes_the_picture_in_the_result(at: At) -> None:
    at.push("!say ok")
    assert (await at.ask("anthropic", tools=["f"], more={"messages": SHOWN["anthropic"]})).text == "ok"
    assert f"data:image/png;base64,{PIXEL}" in text_of(at.turns)


def shown(dialect: str, head: str, data: str) -> Json:
    """Show a picture by such a data URL."""
    url = f"data:{head};base64,{data}"
    if dialect == "openai-chat":
        return {"messages": [user([{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "hi"}])]}
    return {"input": [user([{"type": "input_image", "image_url": url}, {"type": "input_text", "text": "hi"}])]}


@pytest.mark.parametrize(
    ("head", "data", "media"),
    [("image/PNG;charset=x", PIXEL, "image/png"), ("IMAGE/JPG", JPEG, "image/jpeg"), ("image/jpg", JPEG, "image/jpeg")],
)
@BY_OPENAI
@each(*GOOGLE, "v1internal-claude", *CLAUDES)
async def test_pitfall_60_the_type_of_a_picture_is_its_usual_name(
    at: At, dialect: str, head: str, data: str, media: str
) -> None:
    at.push("!say ok")
    assert (await at.ask(dialect, more=shown(dialect, head, data))).text == "ok"
    found = values("mimeType", at.turns) or values("media_type", at.turns)
    assert (found, values("data", at.turns)) == ([media], [data])


TWICE: dict[str, list[Json]] = {
    "openai-chat": [user("go"), chat_called(None, "c1"), chat_result("c1", "old"), chat_result("c1", "new")],
    "openai-responses": [
        user("go"),
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "old"},
        {"type": "function_call_output", "call_id": "c1", "output": "new"},
    ],
    "anthropic": [user("go"), used("c1"), user([result("c1", "old"), result("c1", "new")])],
}


@translated(TRANSLATING)
async def test_pitfall_85_of_two_results_for_one_call_the_last_goes(at: At, dialect: str) -> None:
    at.push("!say ok")
    assert (await at.ask(dialect, tools=["f"], more={FIELDS[dialect]: TWICE[dialect]})).text == "ok"
    sent = text_of(at.turns)
    assert ("old" in sent, "new" in sent) == (False, True)


@each(*CLAUDES)
async def test_pitfall_85_so_it_is_where_the_request_passes(at: At) -> None:
    at.push("!say ok")
    response = await at.response("anthropic", tools=["f"], more={FIELDS["anthropic"]: TWICE["anthropic"]})
    assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
    sent = text_of(at.turns)
    assert ("old" in sent, "new" in sent) == (False, True)


@each("v1internal", "vertex")
async def test_a_gemini_callers_results_in_contents_of_their_own_answer_the_calls_before_them(at: At) -> None:
    """LangChain.js sends them so, and the Gemini API takes them."""
    asked = {"role": "user", "parts": [{"text": "!tool f {}\n!tool f {}\n!then\n!say done"}]}
    called = (await at.contents(asked)).json()["candidates"][0]["content"]
    results = [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"n": n}}}]} for n in (1, 2)]
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    answer = await at.contents(asked, called, *results, tools=tools)
    assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == "done"
    assert "x-gateway-lossy" not in answer.headers
