"""Acceptance cases C: what was said before, in the order and the form that the upstream demands."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.served import CHAT, MESSAGES, Served, user, values
from tests.conformance.upstreams import Upstream, before

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


async def test_results_follow_their_calls_in_call_order(either: Served) -> None:
    """C1"""
    calls = [called("c1", "f"), called("c2", "g")]
    history = [{"role": "system", "content": "s"}, user("go"), assistant(content=None, tool_calls=calls)]
    response = await either.post(CHAT, *history, result("c2", "two"), result("c1", "one"), "next")
    assert response.status_code == 200
    first, model, results, last = either.contents
    assert (first["role"], texts(first)) == ("user", ["go"])
    assert (model["role"], [part["functionCall"]["name"] for part in model["parts"]]) == ("model", ["f", "g"])
    answers = [part["functionResponse"] for part in results["parts"]]
    assert [(one["name"], one["response"]) for one in answers] == [("f", {"output": "one"}), ("g", {"output": "two"})]
    assert results["role"] == "user"
    assert last == {"role": "user", "parts": [{"text": "next"}]}


async def test_results_of_a_messages_client_follow_their_calls_in_call_order(every: Served) -> None:
    """C1 of Messages: the text that stands beside the results comes after them, in another content."""
    used = [{"type": "tool_use", "id": ident, "name": name, "input": {}} for ident, name in (("c1", "f"), ("c2", "g"))]
    given = [{"type": "tool_result", "tool_use_id": ident, "content": ident} for ident in ("c2", "c1")]
    said = [{"type": "text", "text": "next"}, *given]
    response = await every.post(MESSAGES, "go", assistant(content=used), user(said), max_tokens=50)
    assert response.status_code == 200
    _, _, results, last = every.contents
    answers = [part["functionResponse"] for part in results["parts"]]
    assert [(one["name"], one["response"]) for one in answers] == [("f", {"output": "c1"}), ("g", {"output": "c2"})]
    assert last == {"role": "user", "parts": [{"text": "next"}]}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_call_that_nobody_answered_gets_a_result(every: Served, path: str) -> None:
    """C3: an error, so that the model knows."""
    used = [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]
    asked = assistant(content=used) if path == MESSAGES else assistant(content=None, tool_calls=[called("c1", "f")])
    response = await every.post(path, "go", asked, "never mind", max_tokens=50)
    assert response.status_code == 200
    (answer,) = every.contents[2]["parts"]
    assert answer["functionResponse"]["name"] == "f"
    assert "error" in answer["functionResponse"]["response"]
    assert every.contents[3]["parts"] == [{"text": "never mind"}]


async def test_system_and_developer_texts_are_the_instruction_in_their_order(either: Served) -> None:
    """C6"""
    await either.post(CHAT, {"role": "developer", "content": "first"}, {"role": "system", "content": "second"}, "hi")
    assert texts(either.sent["systemInstruction"]) == ["first", "second"]
    assert {content["role"] for content in either.contents} <= {"user", "model"}


async def test_a_rule_in_mid_conversation_is_the_users(either: Served) -> None:
    """C7"""
    rule = {"role": "system", "content": "rule"}
    response = await either.post(MESSAGES, "hi", assistant(content="hello"), rule, max_tokens=50)
    assert response.status_code == 200
    last = either.contents[-1]
    assert last["role"] == "user"
    assert any("rule" in text for text in texts(last))


async def test_thoughts_alone_leave_no_empty_content(either: Served) -> None:
    """C9"""
    response = await either.post(CHAT, "one", assistant(content="", reasoning_content="t"), "two")
    assert response.status_code == 200
    assert all(content["parts"] for content in either.contents)
    assert all(part.get("text") != "" for content in either.contents for part in content["parts"])
    assert [text for content in either.contents for text in texts(content)] == ["one", "two"]


async def test_empty_content_beside_calls_is_no_text(every: Served) -> None:
    """C10"""
    history: list[Any] = ["go", assistant(content="", tool_calls=[called("c1", "f")]), result("c1", "done")]
    response = await every.post(CHAT, *history)
    assert response.status_code == 200
    (part,) = every.contents[1]["parts"]
    assert part["functionCall"]["name"] == "f"


async def test_a_data_url_is_inline_data(either: Served) -> None:
    """C12"""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    response = await either.post(CHAT, user([picture, {"type": "text", "text": "hi"}]))
    assert response.status_code == 200
    assert either.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


async def test_an_image_of_a_messages_client_is_inline_data(every: Served) -> None:
    """C12"""
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    picture = {"type": "image", "source": source}
    response = await every.post(MESSAGES, user([picture, {"type": "text", "text": "hi"}]), max_tokens=50)
    assert response.status_code == 200
    assert every.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


async def test_media_types_are_normalised(either: Served) -> None:
    """C13"""
    picture = {"type": "image_url", "image_url": {"url": "data:IMAGE/JPG;charset=utf-8;base64,AA=="}}
    response = await either.post(CHAT, user([picture, {"type": "text", "text": "hi"}]))
    assert response.status_code == 200
    assert either.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}}


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
async def test_an_address_is_refused_by_the_name_of_its_field(either: Served, path: str, part: Any, field: str) -> None:
    """C15"""
    response = await either.post(path, user([part]), max_tokens=50)
    assert response.status_code == 400
    error = response.json()["error"]
    assert field in (error.get("param") or error["message"])
    assert either.calls == []


async def test_a_video_of_a_chat_caller_is_shown(either: Served) -> None:
    video = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}, "fps": 2}
    response = await either.post(CHAT, user([video, {"type": "text", "text": "hi"}]))
    assert response.status_code == 200, response.text
    assert either.contents[0]["parts"][0] == {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}


async def test_an_address_within_this_machine_is_never_asked(upstream: Upstream, tmp_path: Path) -> None:
    """C15: whatever the configuration says of fetching."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/a.png"
        async with before(upstream, tmp_path, translate={"fetch_urls": True}) as served:
            response = await served.post(CHAT, user([{"type": "image_url", "image_url": {"url": url}}]))
            assert served.calls == []
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize("said", ['{ "$a" = x; }', "[1, 2", '{"a": 1} and more'])
async def test_what_a_tool_says_to_a_messages_client_is_text(either: Served, said: str) -> None:
    """C17"""
    used = [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]
    given = [{"type": "tool_result", "tool_use_id": "c1", "content": said}]
    response = await either.post(MESSAGES, "go", assistant(content=used), user(given), max_tokens=50)
    assert response.status_code == 200
    assert values("response", either.contents) == [{"output": said}]


async def test_what_a_tool_says_is_text_unless_it_is_an_object(either: Served) -> None:
    """C17"""
    strange, plain = '{ "$a" = x; }', '{"ok":1}'
    calls = [called("c1", "f"), called("c2", "f")]
    history: list[Any] = ["go", assistant(content=None, tool_calls=calls), result("c1", strange), result("c2", plain)]
    response = await either.post(CHAT, *history)
    assert response.status_code == 200
    answers = values("response", either.contents)
    assert answers == [{"output": strange}, {"ok": 1}]


async def test_a_file_of_a_chat_client_is_inline_data(every: Served) -> None:
    """C20"""
    file = {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}
    response = await every.post(CHAT, user([{"type": "file", "file": file}, {"type": "text", "text": "hi"}]))
    assert response.status_code == 200
    assert every.contents[0]["parts"][0] == {"inlineData": {"mimeType": "application/pdf", "data": PDF}}


async def test_a_pdf_is_inline_data(every: Served) -> None:
    """C20"""
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    parts = [{"type": "document", "source": source}, {"type": "text", "text": "hi"}]
    response = await every.post(MESSAGES, user(parts), max_tokens=50)
    assert response.status_code == 200
    assert every.contents[0]["parts"][0] == {"inlineData": {"mimeType": "application/pdf", "data": PDF}}
