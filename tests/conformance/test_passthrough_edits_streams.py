"""Edits of passed answers of Chat Completions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.editing import CHAT, COUNTED, DONE, FIRST, LAST, Json, chunk, data_of, said
from tests.conformance.raw import passing

pytestmark = pytest.mark.anyio
COUNTING: Any = {"stream_options": {"include_usage": True}}


async def stream(folder: Path, *pieces: bytes, model: str = "m", over: Json | None = None, **fields: Any) -> bytes:
    """Stream these pieces through a gateway that has another name for the model."""
    config: Json = {"models": {"alias": {"mine": "up/m"}}} | (over or {})
    async with passing("openai-chat", folder, **config) as same:
        same.raw.says(*pieces)
        response = await same.post(json.dumps(CHAT | {"model": model, "stream": True, **fields}).encode())
    return response.content


async def test_the_tokens_that_nobody_asked_for_are_taken_out_again(tmp_path: Path) -> None:
    null = chunk(**said(content="x"), usage=None, service_tier="default")
    got = await stream(tmp_path, FIRST, null, LAST, COUNTED, DONE)
    without = chunk(**said(content="x"), service_tier="default")
    assert [json.loads(one) for one in data_of(got)] == [json.loads(one) for one in data_of(FIRST + without + LAST)]
    assert (got.startswith(FIRST), got.endswith(LAST + DONE)) == (True, True)


@pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}])
async def test_a_chunk_of_nothing_but_tokens_is_left_out_however_it_lacks_choices(
    tmp_path: Path, choices: Json
) -> None:
    """Pitfall 10: who has not asked gets no chunk without choices."""
    counted = chunk(**choices, usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    assert await stream(tmp_path, FIRST, LAST, counted, DONE) == FIRST + LAST + DONE


async def test_an_error_with_tokens_beside_it_stays(tmp_path: Path) -> None:
    failed = chunk(error={"message": "boom", "type": "server_error"}, usage={"prompt_tokens": 3})
    got = await stream(tmp_path, FIRST, failed)
    assert json.loads(data_of(got)[-1])["error"]["message"] == "boom"


async def test_the_tokens_that_were_asked_for_stay(tmp_path: Path) -> None:
    assert await stream(tmp_path, FIRST, LAST, COUNTED, DONE, **COUNTING) == FIRST + LAST + COUNTED + DONE


async def test_a_first_chunk_without_choices_is_left_out(tmp_path: Path) -> None:
    """A10, pitfall 61"""
    filters = chunk(choices=[], prompt_filter_results=[{"prompt_index": 0}])
    assert await stream(tmp_path, filters, FIRST, LAST, COUNTED, DONE, **COUNTING) == FIRST + LAST + COUNTED + DONE


@pytest.mark.parametrize("more", [{}, COUNTING])
async def test_a_chunk_whose_choices_are_null_is_left_out(tmp_path: Path, more: Any) -> None:
    """A10: a program that goes through the choices fails on null."""
    got = await stream(tmp_path, FIRST, chunk(choices=None), LAST, DONE, **more)
    assert got == FIRST + LAST + DONE


async def test_the_tokens_that_were_asked_for_come_with_a_list_where_the_choices_are_null(tmp_path: Path) -> None:
    """Pitfall 10: exactly one chunk has no choice, and it says `choices: []`."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    got = await stream(tmp_path, FIRST, LAST, chunk(choices=None, usage=usage), DONE, **COUNTING)
    assert json.loads(data_of(got)[-1]) == json.loads(data_of(chunk(choices=[], usage=usage))[0])


@pytest.mark.parametrize("last", [LAST, LAST + COUNTED, LAST[:-2]])
async def test_a_good_end_without_the_word_for_it_gets_it(tmp_path: Path, last: bytes) -> None:
    """Clients hang or fail: ikawrakow/ik_llama.cpp#467, huggingface/text-generation-inference#1896."""
    got = await stream(tmp_path, FIRST, last, **COUNTING)
    assert got == FIRST + last + (b"" if last.endswith(b"\n\n") else b"\n\n") + DONE


@pytest.mark.parametrize("end", [DONE, DONE[:-2], b"data:[DONE]\n\n"])
async def test_a_word_for_the_end_is_not_said_twice(tmp_path: Path, end: bytes) -> None:
    assert (await stream(tmp_path, FIRST, LAST, end, **COUNTING)).count(b"[DONE]") == 1
    assert (await stream(tmp_path, FIRST + LAST + end, **COUNTING)).count(b"[DONE]") == 1
    odd = chunk(**said(content=5))  # what our reader finds fault with passes, too
    assert (await stream(tmp_path, FIRST, odd, LAST, end, **COUNTING)).count(b"[DONE]") == 1


async def test_a_choice_without_a_delta_is_left_out(tmp_path: Path) -> None:
    """A11"""
    hollow = chunk(choices=[{"index": 0, "finish_reason": None}])
    half = chunk(choices=[{"index": 0}, {"index": 1, "delta": {"content": "b"}}])
    got = await stream(tmp_path, FIRST, hollow, half, LAST, DONE, **COUNTING)
    kept = chunk(choices=[{"index": 1, "delta": {"content": "b"}}])
    assert [json.loads(one) for one in data_of(got)] == [json.loads(one) for one in data_of(FIRST + kept + LAST)]


async def test_a_choice_whose_delta_is_null_is_left_out(tmp_path: Path) -> None:
    """A11: a parser that expects an object there fails on null as well."""
    half = chunk(choices=[{"index": 0, "delta": None}, {"index": 1, "delta": {"content": "b"}}])
    ended = chunk(choices=[{"index": 1, "delta": None, "finish_reason": "stop"}])
    got = await stream(
        tmp_path, FIRST, chunk(**said()), chunk(choices=[{"index": 0, "delta": None}]), half, ended, LAST, DONE
    )
    kept = chunk(choices=[{"index": 1, "delta": {"content": "b"}}])
    end = chunk(choices=[{"index": 1, "delta": {}, "finish_reason": "stop"}])
    assert [json.loads(one) for one in data_of(got)] == [
        json.loads(one) for one in data_of(FIRST + chunk(**said()) + kept + end + LAST)
    ]


async def test_an_end_without_a_delta_stays(tmp_path: Path) -> None:
    """A11: Azure's asynchronous filter says so that it has withheld the rest."""
    withheld = {"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}
    got = await stream(tmp_path, FIRST, chunk(choices=[withheld]), DONE, **COUNTING)
    kept = chunk(choices=[{**withheld, "delta": {}}])
    assert [json.loads(one) for one in data_of(got)] == [json.loads(one) for one in data_of(FIRST + kept)]


def called(*pieces: Json) -> bytes:
    return chunk(**said(tool_calls=list(pieces)))


async def test_a_list_of_no_calls_is_left_out(tmp_path: Path) -> None:
    """VS Code shows nothing of what vLLM says so: microsoft/vscode#322728."""
    words = chunk(**said(content="x", tool_calls=[]))
    spaced = chunk(**said(content="y", tool_calls=[])).replace(b'"tool_calls":[]', b'"tool_calls": [ ]')
    got = await stream(tmp_path, FIRST, words + spaced, LAST, DONE, **COUNTING)
    kept = chunk(**said(content="x")) + chunk(**said(content="y"))
    assert [json.loads(one) for one in data_of(got)] == [json.loads(one) for one in data_of(FIRST + kept + LAST)]
    assert (got.startswith(FIRST), got.endswith(LAST + DONE)) == (True, True)


CALLING: Any = COUNTING | {"tools": [{"type": "function", "function": {"name": "f"}}]}
CALL: Json = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def ended(reason: str | None, index: int = 0, **delta: Any) -> bytes:
    return chunk(choices=[{"index": index, "delta": delta, "finish_reason": reason}])


def ends(got: bytes) -> list[str]:
    """Give what each choice ends with."""
    choices = [choice for one in data_of(got) for choice in json.loads(one)["choices"]]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


@pytest.mark.parametrize(
    "pieces",
    [
        [called(CALL), LAST],
        [ended("stop", tool_calls=[CALL])],
        [called(CALL), ended("stop", content="", tool_calls=None)],
        [called(CALL) + LAST],
    ],
)
async def test_calls_do_not_end_with_stop(tmp_path: Path, pieces: list[bytes]) -> None:
    """Agents end there: googleapis/python-genai#2868, anomalyco/opencode#14972."""
    assert ends(await stream(tmp_path, FIRST, *pieces, DONE, **CALLING)) == ["tool_calls"]


async def test_each_choice_ends_with_its_own_calls(tmp_path: Path) -> None:
    pieces = (ended(None, 1, tool_calls=[CALL]), LAST, ended("stop", 1))
    assert ends(await stream(tmp_path, FIRST, *pieces, DONE, n=2, **CALLING)) == ["stop", "tool_calls"]


@pytest.mark.parametrize(
    ("piece", "more"),
    [
        (LAST, {}),
        (ended("stop", tool_calls=None), {}),
        (ended("length", tool_calls=[CALL]), {}),
        (ended("tool_calls", tool_calls=[CALL]), {}),
        # OpenAI says so itself where a call is forced
        (ended("stop", tool_calls=[CALL]), {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (ended("stop", tool_calls=[CALL]), {"tool_choice": "required"}),
    ],
)
async def test_other_ends_are_as_the_upstream_says(tmp_path: Path, piece: bytes, more: Json) -> None:
    assert await stream(tmp_path, FIRST, piece, DONE, **CALLING, **more) == FIRST + piece + DONE


@pytest.mark.parametrize(("calls", "end"), [([CALL], "tool_calls"), ([], "stop"), (None, "stop")])
async def test_calls_of_a_whole_answer_do_not_end_with_stop(tmp_path: Path, calls: Any, end: str) -> None:
    message = {"role": "assistant", "content": "ok", "tool_calls": calls}
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(body).encode())
        response = await same.post(json.dumps(CHAT | {"tools": CALLING["tools"]}).encode())
    body["choices"][0]["finish_reason"] = end  # type: ignore[index]  # made above
    assert response.json() == body


STRANGE = [  # Text Generation Inference, Mistral, Zhipu, Google, another's, Xinference
    ("eos_token", "stop"),
    ("model_length", "length"),
    ("max_tokens", "length"),
    ("model_context_window_exceeded", "length"),
    ("sensitive", "content_filter"),
    ("content_filter: SAFETY", "content_filter"),
    ("end_turn", "stop"),
]


@pytest.mark.parametrize(("given", "known"), STRANGE)
async def test_an_end_has_a_name_that_openai_has(tmp_path: Path, given: str, known: str) -> None:
    """Strict types fail on another one: pydantic/pydantic-ai#7816."""
    got = await stream(tmp_path, FIRST, ended(given, content="ok"), DONE, **COUNTING)
    (choice,) = json.loads(data_of(got)[1])["choices"]
    assert choice == {
        "index": 0,
        "delta": {"content": "ok"},
        "finish_reason": known,
        "native_finish_reason": given,
    }
    spaced = json.dumps(json.loads(data_of(ended(given))[0])).encode()
    assert ends(await stream(tmp_path, FIRST, b"data: " + spaced + b"\n\n", DONE, **COUNTING)) == [known]
    assert ends(await stream(tmp_path, FIRST, called(CALL), ended("eos_token"), DONE, **CALLING)) == ["tool_calls"]


async def test_an_end_without_a_name_is_none(tmp_path: Path) -> None:
    """Xinference writes an empty one into each chunk."""
    got = await stream(tmp_path, FIRST, ended("", content="a"), ended("", content="b"), LAST, DONE, **COUNTING)
    choices = [json.loads(one)["choices"][0] for one in data_of(got)[1:3]]
    assert [(one["delta"], one["finish_reason"]) for one in choices] == [({"content": x}, None) for x in "ab"]
    assert "native_finish_reason" not in choices[0]


async def test_an_answer_that_fails_keeps_its_end(tmp_path: Path) -> None:
    """OpenRouter's clients know it."""
    got = await stream(tmp_path, FIRST, ended("error"), **COUNTING)
    last, told = (json.loads(one) for one in data_of(got)[1:])
    assert (last["choices"][0]["finish_reason"], told.keys()) == ("error", {"error"})


@pytest.mark.parametrize(
    "said",
    [
        {"message": "boom", "code": 500},
        {"errors": [{"message": "boom", "code": 3040}]},
        [{"error": {"message": "boom", "code": 500}}],
    ],
)
async def test_an_error_by_itself_is_told_where_parsers_look_for_it(tmp_path: Path, said: object) -> None:
    got = await stream(tmp_path, FIRST, b"event: error\ndata: " + json.dumps(said).encode() + b"\n\n", DONE, **COUNTING)
    first, told = map(json.loads, data_of(got))
    assert first == json.loads(data_of(FIRST)[0])
    assert (told.keys(), told["error"]["message"]) == ({"error"}, "the upstream failed: boom")


@pytest.mark.parametrize(("given", "known"), STRANGE)
async def test_a_whole_answer_has_an_end_that_openai_has(tmp_path: Path, given: str, known: str) -> None:
    message = {"role": "assistant", "content": "ok"}
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": given}]}
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(body).encode())
        response = await same.post(json.dumps(CHAT).encode())
    end = {"finish_reason": known, "native_finish_reason": given}
    assert response.json() == body | {"choices": [{"index": 0, "message": message, **end}]}


@pytest.mark.parametrize(("more", "known"), [({}, "stop"), ({"tool_calls": [CALL]}, "tool_calls")])
async def test_a_whole_answer_whose_end_has_no_name_has_stopped(tmp_path: Path, more: Json, known: str) -> None:
    """dialects.md §2.5: an empty reason is `stop`; null says of a whole answer that it is still being written."""
    message = {"role": "assistant", "content": "ok", **more}
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": ""}]}
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(body).encode())
        response = await same.post(json.dumps(CHAT | CALLING).encode())
    assert response.json()["choices"] == [{"index": 0, "message": message, "finish_reason": known}]


async def test_the_pieces_of_calls_are_numbered_where_the_upstream_does_not(tmp_path: Path) -> None:
    """Pitfall 79: the SDKs put calls together by their index."""
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    pieces: list[Json] = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":'}, **signed},
        {"index": None, "function": {"arguments": "1}"}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    got = await stream(tmp_path, FIRST, called(pieces[0]), called(*pieces[1:3]), called(pieces[3]), DONE, **COUNTING)
    calls = [call for one in data_of(got) for call in json.loads(one)["choices"][0]["delta"].get("tool_calls", ())]
    assert [call.pop("id", None) for call in calls[:3]] == ["a", None, "b"]
    assert calls[3].pop("id").startswith("call_")
    told = [{name: value for name, value in piece.items() if name != "id"} for piece in pieces]
    assert calls == [{**piece, "index": index} for piece, index in zip(told, (0, 0, 1, 2), strict=True)]


async def test_a_piece_without_a_number_is_of_the_call_before_it(tmp_path: Path) -> None:
    begun = called(*({"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": ""}} for i in range(2)))
    got = await stream(tmp_path, FIRST, begun, called({"function": {"arguments": "{}"}}), LAST, DONE, **COUNTING)
    (piece,) = json.loads(data_of(got)[-2])["choices"][0]["delta"]["tool_calls"]
    assert (piece["index"], begun in got) == (1, True)


async def test_calls_that_all_have_the_first_number_are_counted(tmp_path: Path) -> None:
    """Pitfall 79"""
    given = [{"index": 0, "id": one, "function": {"name": "f", "arguments": "{}"}} for one in "abc"]
    got = await stream(tmp_path, FIRST, called(*given[:2]), called(given[2]), DONE, **COUNTING)
    calls = [call for one in data_of(got) for call in json.loads(one)["choices"][0]["delta"].get("tool_calls", ())]
    assert calls == [{**call, "index": number} for number, call in enumerate(given)]


async def test_calls_that_all_have_the_first_number_keep_their_own_arguments(tmp_path: Path) -> None:
    """Pitfall 79: the pieces behind the first say the same number, and no id."""
    begun = [{"index": 0, "id": one, "type": "function", "function": {"name": "f", "arguments": ""}} for one in "ab"]
    more: list[Json] = [{"index": 0, "function": {"arguments": text}} for text in ('{"x":1}', '{"x":2}')]
    given = [begun[0], more[0], begun[1], more[1]]
    got = await stream(tmp_path, FIRST, *map(called, given), DONE, **COUNTING)
    calls = [call for one in data_of(got) for call in json.loads(one)["choices"][0]["delta"].get("tool_calls", ())]
    assert calls == [{**call, "index": number} for call, number in zip(given, (0, 0, 1, 1), strict=True)]


@pytest.mark.parametrize("numbers", [(0, 1), (0, 0)])
@pytest.mark.parametrize(("more", "name"), [({"id": "a"}, {"name": "f"}), ({"id": "a-2"}, {}), ({}, {"name": "f"})])
async def test_the_pieces_of_a_call_say_its_id_and_name_once(
    tmp_path: Path, numbers: tuple[int, int], more: Json, name: Json
) -> None:
    """dialects 2.1: SDKs put together what several say."""
    one, other = ({"index": number, "type": "function"} for number in numbers)
    given: list[Json] = [
        {**one, "id": "a", "function": {"name": "f", "arguments": ""}},
        {**one, **more, "function": {**name, "arguments": '{"x":'}},
        {**one, **more, "function": {**name, "arguments": "1}"}},
        {**other, "id": "b", "function": {"name": "f", "arguments": "{}"}},
    ]
    got = await stream(tmp_path, FIRST, *map(called, given), LAST, COUNTED, DONE, **COUNTING)
    calls = [call for one in data_of(got)[1:5] for call in json.loads(one)["choices"][0]["delta"]["tool_calls"]]
    assert [call["index"] for call in calls] == [0, 0, 0, 1]
    assert [call["id"] for call in calls if "id" in call] == ["a", "b"]
    said = [call["function"] for call in calls]
    assert [one["name"] for one in said if "name" in one] == ["f", "f"]
    assert [one["arguments"] for one in said] == ["", '{"x":', "1}", "{}"]


async def test_a_call_with_a_number_and_no_id_gets_one_and_its_other_pieces_pass_as_they_came(tmp_path: Path) -> None:
    begun = {"index": 0, "function": {"name": "f", "arguments": ""}}
    pieces = [
        called({"index": 1, "id": "b", "function": {"name": "f"}}, {"index": 0, "function": {"arguments": "{}"}}),
        called({"index": 1, "function": {"arguments": "{}"}}),
    ]
    got = await stream(tmp_path, FIRST, called(begun), *pieces, LAST, DONE, **COUNTING)
    assert got.startswith(FIRST)
    assert got.endswith(b"".join((*pieces, LAST, DONE)))
    (call,) = json.loads(data_of(got)[1])["choices"][0]["delta"]["tool_calls"]
    assert (call.pop("id")[:5], call) == ("call_", begun)


async def test_pieces_of_calls_with_numbers_pass_as_they_came(tmp_path: Path) -> None:
    piece = called(
        {"index": 0, "id": "a", "function": {"name": "f"}}, {"index": 1, "id": "b", "function": {"name": "f"}}
    )
    assert await stream(tmp_path, FIRST, piece, LAST, DONE, **COUNTING) == FIRST + piece + LAST + DONE


@pytest.mark.parametrize(("echo", "named"), [("requested", "mine"), ("upstream", "m")])
async def test_the_caller_reads_its_own_name_of_the_model(tmp_path: Path, echo: str, named: str) -> None:
    over = {"models": {"alias": {"mine": "up/m"}, "echo": echo}}
    got = await stream(tmp_path, FIRST, b": hm\r\n\r\n", LAST, DONE, model="mine", over=over, **COUNTING)
    assert [json.loads(one)["model"] for one in data_of(got)] == [named] * 2
    assert b": hm\r\n\r\n" in got
    assert (got == FIRST + b": hm\r\n\r\n" + LAST + DONE) is (echo == "upstream")


async def test_an_event_that_is_written_anew_keeps_its_other_lines(tmp_path: Path) -> None:
    odd = (
        b'event: x\r\ndata:{"model":"m","choices":[{"index":0,\r\nid: 7\r\n'
        b'data:"delta":{"content":"\xc3\xa9"}}]}\r\n\r\n'
    )
    got = await stream(tmp_path, FIRST, odd, LAST, DONE, model="mine", **COUNTING)
    expected = (
        b'event: x\r\ndata:{"model":"mine","choices":[{"index":0,\n"delta":{"content":"\xc3\xa9"}}]}\r\nid: 7\r\n\r\n'
    )
    assert expected.replace(b'\n"delta', b'"delta').replace(b"\r\n", b"\n") in got.replace(b"\r\n", b"\n").replace(
        b',\n"delta', b',"delta'
    )


async def test_no_secret_of_the_operators_passes_in_an_error(tmp_path: Path) -> None:
    told = b'data: {"error":{"message":"org-abc123 has no quota for sk-secretsecret","type":"x","code":"y"}}\n\n'
    got = await stream(tmp_path, FIRST, told, **COUNTING)
    assert (b"abc123" in got, b"secretsecret" in got) == (False, False)
    assert json.loads(data_of(got)[-1])["error"]["code"] == "y"
