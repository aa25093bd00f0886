"""Answers of one model, as clients send them back, to a server that takes their words and calls alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.test_demanded import AGAIN, CALLED, USER, before, messages, statuses
from tests.conformance.test_unanswered_calls import MODEL, by_responses
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.fakes.openai_api_chat import Asked
from tests.fakes.openai_api_errors import bad

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

# as `message.model_dump()` of OpenAI's client writes it
DUMPED: Json = {"annotations": [], "refusal": None, "audio": None, "function_call": None, "tool_calls": None}
CITED: Json = {"type": "url_citation", "url_citation": {"url": "https://example.com", "start_index": 0, "end_index": 3}}
SAID: Json = {"role": "assistant", "content": "yes"}
FIELDS = {"provider_specific_fields": {"a": 1}}
CALLING: Json = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
RESULT: Json = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
REFUSED: Json = {"role": "assistant", "content": None, "refusal": "I cannot."}


async def goes_on(http: httpx.AsyncClient, fake: FakeOpenAI, calling: Json) -> None:
    """Let a conversation go on after these calls of the model's, of which the server is to get the calls alone."""
    body = {"model": MODEL, "messages": [USER, calling, RESULT, AGAIN]}
    response = await http.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    assert "x-gateway-lossy" not in response.headers
    assert messages(fake) == [USER, CALLING, RESULT, AGAIN]


@pytest.mark.parametrize("strict", [False, True])
async def test_answers_go_back_without_what_is_not_known_of_them(strict: bool, tmp_path: Path) -> None:
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    given = [USER, SAID | DUMPED | FIELDS, USER, CALLING | {"annotations": [CITED]}, RESULT, USER, REFUSED, AGAIN]
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, **over) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": "ep-1", "messages": given})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers  # hints
        assert statuses(fake) == [400, 400, 200, 200]  # null for calls, and the rest
        refused = {"role": "assistant", "content": "I cannot."}
        assert messages(fake) == [USER, SAID, USER, CALLING, RESULT, USER, refused, AGAIN]


@pytest.mark.parametrize("plain", [False, True])
async def test_words_go_back_without_the_message_that_an_sdk_has_written_into_them(plain: bool, tmp_path: Path) -> None:
    """OpenAI's agents for JavaScript do this in Chat: whole answers with all fields, streamed ones with annotations."""
    model = "ep-1" if plain else MODEL
    text: Json = {"type": "text", "text": "yes"}
    whole = text | {"role": "assistant", "refusal": None, "annotations": [CITED], "tool_calls": [CALLED]}
    calling = {"role": "assistant", "content": [text], "tool_calls": [CALLED]}
    said = {"role": "assistant", "content": [text, text]}
    given = [
        USER,
        calling | {"content": [whole]},
        RESULT,
        said | {"content": [text | {"annotations": []}, text]},
        AGAIN,
    ]
    async with FakeOpenAI(plain=plain, keys=()) as fake, before(fake, tmp_path, [model]) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": model, "messages": given})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers
        assert messages(fake) == [USER, calling, RESULT, said, AGAIN]


@pytest.mark.parametrize("strict", [False, True])
async def test_calls_go_back_without_what_an_sdk_has_written_into_them(strict: bool, tmp_path: Path) -> None:
    """OpenAI's Python SDK: `messages.append(message)` after its `parse` and its `stream`, which keeps the index.

    Agno goes on in Chat with the calls of Responses.
    """
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    read = {"name": "f", "arguments": "{}", "parsed_arguments": {}}
    parsed = {"content": None, "role": "assistant", "tool_calls": [CALLED | {"function": read}]}
    streamed = {"content": None, "role": "assistant", "tool_calls": [CALLED | {"function": read, "index": 0}]}
    counted = {"content": None, "role": "assistant", "tool_calls": [CALLED | {"index": 0, "call_id": "c1"}]}
    given = [USER, parsed, RESULT, USER, streamed, RESULT, USER, counted, RESULT, AGAIN]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL], **over) as http:
        for sent in (given, given[-4:]):
            response = await http.post("/v1/chat/completions", json={"model": MODEL, "messages": sent})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers
        assert statuses(fake) == [400, 200, 200]
        back = [USER, CALLING, RESULT]
        assert fake.calls(CHAT)[1].request["messages"] == [*back, *back, *back, AGAIN]
        assert messages(fake) == [USER, CALLING, RESULT, AGAIN]


async def test_calls_go_back_without_who_made_them_there(tmp_path: Path) -> None:
    """LiteLLM writes into a call whatever Claude says of its caller: its Router goes on at OpenAI."""
    given = CALLING | {"tool_calls": [CALLED | {"caller": {"type": "direct"}, "index": 0}]}
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL]) as http:
        for called in (given, CALLING | {"tool_calls": [CALLED | {"caller": {"type": "direct"}}]}):
            await goes_on(http, fake, called)
        assert statuses(fake) == [400, 200, 200]


@pytest.mark.parametrize("said", [{}, {"reasoning_content": "hm"}])
async def test_answers_go_back_without_the_thoughts_of_responses(said: Json, tmp_path: Path) -> None:
    """LiteLLM keeps the items of Responses in its messages, and goes on in Chat with them."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    given = CALLING | {"reasoning_items": [thought], "provider_specific_fields": {"openai_responses_replay": {}}} | said
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL]) as http:
        for _ in range(2):
            await goes_on(http, fake, given)
        assert statuses(fake)[-1:] == [200]


MISTRAL: Json = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True}
DATABRICKS: Json = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
TEXT: Json = {"type": "text", "text": "yes"}


async def test_the_user_shows_images_that_a_server_does_not_take_beside_words(tmp_path: Path) -> None:
    """OpenRouter's answers have them, and so do this gateway's with `images_out`."""
    drawn: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    given = [USER, {"role": "assistant", "content": "", "images": [drawn]}, AGAIN]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL]) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": MODEL, "messages": given})
            assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1"), response.text
            shown = {"role": "user", "content": [{"type": "text", "text": "[shown by the assistant:]"}, drawn]}
            assert messages(fake) == [USER, shown, AGAIN]
        assert statuses(fake) == [400, 200, 200]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("thought", [MISTRAL, DATABRICKS])
async def test_answers_go_back_without_the_thoughts_among_their_words(
    thought: Json, strict: bool, tmp_path: Path
) -> None:
    """A conversation that has begun at such a server."""
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    said = {"role": "assistant", "content": [thought, TEXT]}
    given = [USER, CALLING | {"content": [thought]}, RESULT, said, USER, said | {"content": [thought]}, AGAIN]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL], **over) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": MODEL, "messages": given})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers
            silent: Json = {"role": "assistant", "content": ""}
            assert messages(fake) == [USER, CALLING, RESULT, said | {"content": [TEXT]}, USER, silent, AGAIN]
        assert statuses(fake) == [400, 200, 200]


async def test_answers_go_back_without_members_that_are_named_by_ids_of_thoughts(tmp_path: Path) -> None:
    """Pydantic AI: what has thought in Responses goes on in Chat, of the same provider."""
    thinking = CALLING | {"rs_7f2a0e5637a8ba7eb6e0ce5901": "hm"}
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL]) as http:
        await goes_on(http, fake, thinking)
        assert statuses(fake) == [400, 200]


SIGNED: Json = {"google": {"thought_signature": "RkFLRS1HRU1JTkktU0lHTkFUVVJF"}}


@pytest.mark.parametrize(
    "given",
    [
        # Google's ADK, by LiteLLM, and LiteLLM's own `message.model_dump()`
        CALLING
        | {"tool_calls": [CALLED | {"provider_specific_fields": SIGNED["google"], "extra_content": SIGNED}]}
        | {"reasoning_content": "hm"},
        CALLING | {"extra_content": SIGNED},
        CALLING | {"images": [], "thinking_blocks": [], "provider_specific_fields": {"thought_signatures": ["Rg=="]}},
    ],
)
async def test_conversations_with_gemini_go_on_without_its_signatures(given: Json, tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL]) as http:
        for _ in range(2):
            await goes_on(http, fake, given)
        assert statuses(fake)[-2:] == [200, 200]


class _Signing(FakeOpenAI):
    """Takes back what it has signed, and no refusal."""

    def judge(self, asked: Asked) -> None:
        """Refuse that one member."""
        if any("refusal" in message for message in asked.messages):
            raise bad("Unknown parameter: 'messages[1].refusal'.")


async def test_signatures_stay_where_gemini_itself_rejects_something_else(tmp_path: Path) -> None:
    calling = CALLING | {"tool_calls": [CALLED | {"extra_content": SIGNED}]}
    model = "gemini-3-flash-preview"
    async with _Signing(plain=True, keys=()) as fake, before(fake, tmp_path, [model]) as http:
        given = [USER, calling | {"refusal": None}, RESULT, AGAIN]
        response = await http.post("/v1/chat/completions", json={"model": model, "messages": given})
        assert response.status_code == 200, response.text
        assert messages(fake) == [USER, calling, RESULT, AGAIN]


async def test_what_an_sdk_has_read_in_items_is_not_sent_back(tmp_path: Path) -> None:
    call: Json = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    said: Json = {"type": "output_text", "text": "yes", "annotations": []}
    item: Json = {"type": "message", "role": "assistant", "content": [said]}
    result: Json = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
    search: Json = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    given = [
        USER,
        item | {"content": [said | {"parsed": {"a": 1}}], "status": "completed"},
        call | {"parsed_arguments": None, "status": "completed"},
        result | {"status": None},
        search,
        AGAIN,
    ]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        for _ in range(2):
            response = await http.post("/v1/responses", json={"model": MODEL, "store": False, "input": given})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers
        assert [call.status for call in fake.calls(RESPONSES)] == [400, 200, 200]
        assert fake.calls(RESPONSES)[-1].request["input"] == [USER, item, call, result, search, AGAIN]


SHOWN: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoA"}}
HERE: Json = {"type": "text", "text": "here"}


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5.2"])
async def test_what_results_show_is_shown_by_the_user_where_they_are_words(model: str, tmp_path: Path) -> None:
    """OpenHands/OpenHands#7700: tools of agents give screenshots, and the chat was a 400 from then on."""
    other = CALLED | {"id": "c2"}
    given = [
        USER,
        CALLING | {"tool_calls": [CALLED, other]},
        RESULT | {"content": [HERE, SHOWN]},
        RESULT | {"tool_call_id": "c2", "content": [SHOWN]},
        AGAIN,
    ]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [model]) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": model, "messages": given})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers
        assert statuses(fake) == [400, 200, 200]
        below = {"type": "text", "text": "[image attached below]"}
        assert messages(fake) == [
            *given[:2],
            RESULT | {"content": [HERE, below]},
            RESULT | {"tool_call_id": "c2", "content": [below]},
            {"role": "user", "content": [SHOWN, SHOWN]},
            AGAIN,
        ]
