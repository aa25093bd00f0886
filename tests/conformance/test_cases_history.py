"""Acceptance cases C: what was said before, in the order and the form that the upstream demands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.served import CHAT, MESSAGES, Served, user, values

pytestmark = pytest.mark.anyio

PDF = "JVBERi0xLjQK"


def assistant(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", **fields}


def called(ident: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(ident: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": ident, "content": content}


def texts(content: Any) -> list[str]:
    return [part["text"] for part in content["parts"] if "text" in part]


async def test_results_follow_their_calls_in_call_order(served: Served) -> None:
    """C1"""
    calls = [called("c1", "f"), called("c2", "g")]
    history = [{"role": "system", "content": "s"}, user("go"), assistant(content=None, tool_calls=calls)]
    response = await served.post(CHAT, *history, result("c2", "two"), result("c1", "one"), "next")
    assert response.status_code == 200
    first, model, results, last = served.contents
    assert (first["role"], texts(first)) == ("user", ["go"])
    assert (model["role"], [part["functionCall"]["name"] for part in model["parts"]]) == ("model", ["f", "g"])
    answers = [part["functionResponse"] for part in results["parts"]]
    assert [(one["name"], one["response"]) for one in answers] == [("f", {"output": "one"}), ("g", {"output": "two"})]
    assert results["role"] == "user"
    assert last == {"role": "user", "parts": [{"text": "next"}]}


async def test_system_and_developer_texts_are_the_instruction_in_their_order(served: Served) -> None:
    """C6"""
    await served.post(CHAT, {"role": "developer", "content": "first"}, {"role": "system", "content": "second"}, "hi")
    assert texts(served.sent["systemInstruction"]) == ["first", "second"]
    assert {content["role"] for content in served.contents} <= {"user", "model"}


async def test_a_rule_in_mid_conversation_is_the_users(served: Served) -> None:
    """C7"""
    rule = {"role": "system", "content": "rule"}
    response = await served.post(MESSAGES, "hi", assistant(content="hello"), rule, max_tokens=50)
    assert response.status_code == 200
    last = served.contents[-1]
    assert last["role"] == "user"
    assert any("rule" in text for text in texts(last))


async def test_thoughts_alone_leave_no_empty_content(served: Served) -> None:
    """C9"""
    response = await served.post(CHAT, "one", assistant(content="", reasoning_content="t"), "two")
    assert response.status_code == 200
    assert all(content["parts"] for content in served.contents)
    assert all(part.get("text") != "" for content in served.contents for part in content["parts"])
    assert [text for content in served.contents for text in texts(content)] == ["one", "two"]


@pytest.mark.parametrize("model", ["gemini-3-flash", "claude-sonnet-4-6"])
async def test_empty_content_beside_calls_is_no_text(served: Served, model: str) -> None:
    """C10"""
    history: list[Any] = ["go", assistant(content="", tool_calls=[called("c1", "f")]), result("c1", "done")]
    response = await served.post(CHAT, *history, model=model)
    assert response.status_code == 200
    (part,) = served.contents[1]["parts"]
    assert part["functionCall"]["name"] == "f"


async def test_a_data_url_is_inline_data(served: Served) -> None:
    """C12"""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    response = await served.post(CHAT, user([picture, {"type": "text", "text": "hi"}]))
    assert response.status_code == 200
    assert served.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


async def test_media_types_are_normalised(served: Served) -> None:
    """C13"""
    picture = {"type": "image_url", "image_url": {"url": "data:IMAGE/JPG;charset=utf-8;base64,AA=="}}
    response = await served.post(CHAT, user([picture, {"type": "text", "text": "hi"}]))
    assert response.status_code == 200
    assert served.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}}


@pytest.mark.parametrize(
    ("path", "part", "field"),
    [
        (
            CHAT,
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            "messages[0].content[0].image_url.url",
        ),
        (
            MESSAGES,
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            "messages.0.content.0.source",
        ),
    ],
)
async def test_an_address_is_refused_by_the_name_of_its_field(served: Served, path: str, part: Any, field: str) -> None:
    """C15"""
    response = await served.post(path, user([part]), max_tokens=50)
    assert response.status_code == 400
    error = response.json()["error"]
    assert field in (error.get("param") or error["message"])
    assert served.fake.calls() == []


async def test_what_a_tool_says_is_text_unless_it_is_an_object(served: Served) -> None:
    """C17"""
    strange, plain = '{ "$a" = x; }', '{"ok":1}'
    calls = [called("c1", "f"), called("c2", "f")]
    history: list[Any] = ["go", assistant(content=None, tool_calls=calls), result("c1", strange), result("c2", plain)]
    response = await served.post(CHAT, *history)
    assert response.status_code == 200
    answers = values("response", served.contents)
    assert answers == [{"output": strange}, {"ok": 1}]


@pytest.mark.parametrize("model", ["gemini-3-flash", "claude-sonnet-4-6"])
async def test_a_pdf_is_inline_data(served: Served, model: str) -> None:
    """C20"""
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    parts = [{"type": "document", "source": source}, {"type": "text", "text": "hi"}]
    response = await served.post(MESSAGES, user(parts), model=model, max_tokens=50)
    assert response.status_code == 200
    assert served.contents[0]["parts"][0] == {"inlineData": {"mimeType": "application/pdf", "data": PDF}}
