"""The whole answer."""

import json
from typing import Any

from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic import Anthropic

from .reader import answering, client

STOP = ir.Finished(reason="stop")
USAGE = ir.Usage(input=3, output=2)
SIGNED = ir.Signature("gemini", "c2ln", "f")
THOUGHT = ir.Signature("claude", "c2ln", "t")


def whole(
    *parts: ir.ReplyPart, to: Answering | None = None, finish: ir.Finished = STOP, usage: ir.Usage = USAGE
) -> Any:
    reply = ir.Reply(parts=parts, finish=finish, usage=usage)
    return json.loads(Anthropic().write_whole(reply, to or answering()))


def test_writes_a_message_as_the_wire_shows_it() -> None:
    reply = ir.Reply(parts=(ir.Text(text="AB"),), finish=STOP, usage=USAGE)
    assert Anthropic().write_whole(reply, answering()) == (
        b'{"id":"msg_0123456789abcdef01234567","type":"message","role":"assistant","model":"claude-x",'
        b'"content":[{"type":"text","text":"AB"}],"stop_reason":"end_turn","stop_sequence":null,'
        b'"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        b'"output_tokens":2,"service_tier":"standard"}}'
    )


def test_blocks_keep_their_order_and_signatures() -> None:
    call = ir.ToolCall(id="t", name="f", arguments=Raw(b'{"a": 1}'), signature=SIGNED)
    message = whole(ir.Thinking(text="hm", signature=THOUGHT), ir.Text(text="a"), call)
    assert message["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ir.seal(THOUGHT)},
        {"type": "text", "text": "a"},
        {"type": "thinking", "thinking": "", "signature": ir.seal(SIGNED)},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    assert message["stop_reason"] == "tool_use"


def test_arguments_that_broke_off_stay_readable() -> None:
    call = ir.ToolCall(id="t", name="f", arguments=Raw(b'{"a": "un'))
    message = whole(call, finish=ir.Finished(reason="length"))
    assert message["content"][0]["input"] == {"input": '{"a": "un'}
    assert message["stop_reason"] == "max_tokens"


def test_an_empty_answer_is_one_empty_text_block() -> None:
    assert whole()["content"] == [{"type": "text", "text": ""}]
    assert whole(ir.Text(text=""))["content"] == [{"type": "text", "text": ""}]


def test_thoughts_are_hidden_from_a_caller_who_did_not_ask() -> None:
    parts = ir.Thinking(text="hm", signature=THOUGHT), ir.Thinking(text="", redacted="x"), ir.Text(text="a")
    message = whole(*parts, to=answering(ir.Reasoning(visible=False)))
    assert message["content"] == [{"type": "text", "text": "a"}]


def test_a_thought_that_nobody_signed_says_so() -> None:
    said = {"type": "thinking", "thinking": "hm", "signature": "gw1.g.t.dW5zaWduZWQ.951e3e77"}
    assert whole(ir.Thinking(text="hm"))["content"] == [said]
    omitted = answering(ir.Reasoning(visible=False, display="omitted"))
    assert whole(ir.Thinking(text="hm"), to=omitted)["content"] == [{"type": "text", "text": ""}]
    assert whole(ir.Thinking(text="hm"), to=answering(sealed=False))["content"][0] == said | {"signature": ""}


def test_omitted_thoughts_leave_their_signature_and_their_words_in_it() -> None:
    omitted = answering(ir.Reasoning(visible=False, display="omitted"))
    message = whole(ir.Thinking(text="hm", signature=THOUGHT), ir.Text(text="a"), to=omitted)
    assert message["content"][0] == {"type": "thinking", "thinking": "", "signature": ir.seal(THOUGHT, "hm")}


def test_sealed_thoughts_go_out_as_they_are() -> None:
    assert whole(ir.Thinking(text="", redacted="x"))["content"] == [{"type": "redacted_thinking", "data": "x"}]


def test_media_other_than_images_is_a_link() -> None:
    message = whole(ir.Media(media_type="audio/wav", data="AAAA"))
    assert message["content"] == [{"type": "text", "text": "[file](data:audio/wav;base64,AAAA)"}]


def test_a_refusal_is_explained() -> None:
    message = whole(finish=ir.Finished(reason="content_filter", explanation="SAFETY"))
    assert message["stop_details"] == {"type": "refusal", "category": None, "explanation": "SAFETY"}


def test_the_official_client_reads_it() -> None:
    source = ir.CitationDelta(url="https://a.example/", title="A", text="a")
    searching = answering(tools=(ir.Tool(name="web_search", builtin="web_search"),))
    reply = ir.Reply(parts=(ir.Text(text="a"),), finish=STOP, usage=USAGE, citations=(source,))
    body = Anthropic().write_whole(reply, searching)
    message = client(200, body).messages.create(model="m", max_tokens=1, messages=[])
    assert [block.type for block in message.content] == ["text", "server_tool_use", "web_search_tool_result"]
    search = json.loads(body)["content"][1]
    assert (search["name"], search["input"]) == ("web_search", {})
    assert message.usage.input_tokens == 3
    assert message.stop_reason == "end_turn"
