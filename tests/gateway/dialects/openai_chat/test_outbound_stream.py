"""Answers of a Chat upstream, read into events."""

import json
from typing import Any

import pytest

from gateway import errors, ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.outbound_stream import ReadOptions, StreamReader
from tests.gateway.dialects.openai_chat.outbound_answers import (
    HEAD,
    STARTED,
    Json,
    block,
    chunk,
    failed,
    fragment,
    made,
    read,
    reader,
    whole,
    words,
)

USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
STOP = ir.Finished(reason="stop", native="stop")


def counted(**usage: Any) -> str:
    return json.dumps(HEAD | {"choices": [], "usage": usage})


# words


def test_a_text_streams_and_its_usage_follows_the_finish() -> None:
    usage = USAGE | {
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    events = read(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "He"}),
        chunk({"content": "llo"}),
        chunk({}, "stop"),
        counted(**usage),
    )
    tokens = ir.Usage(input=9, output=3, cache_read=4, cache_write=2, reasoning=1, total=12)
    assert events == [STARTED, *words("He", "llo"), ir.UsageReported(tokens), STOP]


TIERS = [("flex", "flex"), ("priority", "priority"), ("default", ""), ("on_demand", ""), (None, ""), ([1], "")]


@pytest.mark.parametrize(("said", "tier"), TIERS)
def test_the_tier_that_has_served_it_is_told(said: object, tier: ir.Tier) -> None:
    last = json.dumps(HEAD | {"choices": [], "usage": USAGE, "service_tier": said})
    events = read(chunk({"content": "a"}), chunk({}, "stop"), last)
    assert [event.usage.tier for event in events if isinstance(event, ir.UsageReported)] == [tier]


def test_words_go_out_as_they_come() -> None:
    one = reader()
    assert one.feed([chunk({"content": "He"})]) == [STARTED, ir.BlockStarted(kind="text"), ir.TextDelta("He")]
    assert one.feed([chunk({"content": "llo"})]) == [ir.TextDelta("llo")]


@pytest.mark.parametrize("beside", [False, True])
def test_a_message_that_repeats_what_was_streamed_says_nothing(beside: bool) -> None:
    delta: Json = {"role": "assistant", "content": "Hello", "tool_calls": fragment(0, "c1", "f", "{}")["tool_calls"]}
    choice = {"index": 0, "message": delta, "finish_reason": "stop"}  # MiniMax ends with it, Perplexity has it beside
    said = [] if beside else [chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk(fragment(0, "c1", "f", "{}"))]
    last = json.dumps(HEAD | {"choices": [choice | ({"delta": delta} if beside else {})], "usage": USAGE})
    fold = ir.Fold()
    fold.feed(read(*said, last))
    text, call = fold.reply().parts
    assert isinstance(text, ir.Text)
    assert text.text == "Hello"
    assert isinstance(call, ir.ToolCall)
    assert bytes(call.arguments) == b"{}"
    assert fold.reply().usage == ir.Usage(input=9, output=3, total=12)


def test_a_message_in_the_place_of_a_delta_is_the_answer() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    events = read(chunk({"role": "assistant", "content": ""}), json.dumps(HEAD | {"choices": [choice]}))
    assert events == [STARTED, *words("Hello"), STOP]


def test_azures_first_chunk_without_choices_begins_nothing() -> None:
    first = json.dumps({"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": [{}]})
    assert read(first, chunk({"content": "ok"}), chunk({}, "stop")) == [STARTED, *words("ok"), STOP]


def test_a_choice_without_a_delta_is_skipped() -> None:
    assert read(chunk({"content": "o"}), chunk(), chunk({"content": "k"}), chunk(None, "stop")) == [
        STARTED,
        *words("o", "k"),
        STOP,
    ]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm", "signature": "s"}]}]},
    ],
)
def test_thoughts_are_a_block_of_their_own(delta: Json) -> None:
    events = read(chunk(delta), chunk({"content": "ok"}), chunk({}, "stop"))
    assert events == [STARTED, *block("thinking", ir.ThinkingDelta("hm")), *words("ok"), STOP]


def test_content_in_parts_is_text() -> None:
    delta = {"content": [{"type": "text", "text": "ok"}, {"type": "reference", "reference_ids": [1]}]}
    assert read(chunk(delta), chunk({}, "stop")) == [STARTED, *words("ok"), STOP]


def test_a_picture_and_a_refusal_in_parts_are_what_they_are() -> None:
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    events = read(chunk({"content": [shown, {"type": "refusal", "refusal": "no"}]}), chunk({}, "stop"))
    assert events[1:4] == block("media", ir.MediaChunk(media_type="image/png", data="iVBORw0KGgo="))
    assert events[4:] == [ir.Finished(reason="content_filter", native="stop", explanation="no")]


def test_a_refusal_ends_like_a_filtered_answer() -> None:
    events = read(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop"))
    assert events == [STARTED, ir.Finished(reason="content_filter", native="stop", explanation="I cannot.")]


def test_a_refusal_after_words_ends_so_too() -> None:
    events = read(chunk({"content": "So"}), chunk({"refusal": "I cannot."}), chunk({}, "stop"))
    end = ir.Finished(reason="content_filter", native="stop", explanation="I cannot.")
    assert events == [STARTED, *words("So"), end]


def test_pictures_are_media() -> None:
    images = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    events = read(chunk({"content": "see"}), chunk({"images": images}), chunk({}, "stop"))
    picture = block("media", ir.MediaChunk(media_type="image/png", data="iVBORw0KGgo="))
    assert events == [STARTED, *words("see"), *picture, STOP]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://a.example/x.png", words("![image](https://a.example/x.png)")),
        ("data:image/png;base64,%%", []),
    ],
)
def test_a_picture_without_data_is_a_link_or_nothing(url: str, said: list[ir.Event]) -> None:
    delta = {"images": [{"type": "image_url", "image_url": {"url": url}}]}
    assert read(chunk(delta), chunk({}, "stop")) == [STARTED, *said, STOP]


def test_sources_count_bytes_of_their_text() -> None:
    source = {"url": "https://a.example", "title": "A", "start_index": 1, "end_index": 3}
    annotations = [{"type": "url_citation", "url_citation": source}]
    events = read(chunk({"content": "éàx"}), chunk({"annotations": annotations}), chunk({}, "stop"))
    cited = ir.CitationDelta(url="https://a.example", title="A", start=2, end=5, text="àx")
    assert events == [STARTED, *block("text", ir.TextDelta("éàx"), cited), STOP]


FOUND: list[Json] = [{"title": "A", "url": "https://a.example", "date": "2026-01-01"}, {"url": "https://b.example"}]
FOUND_URLS = [one["url"] for one in FOUND]


@pytest.mark.parametrize(
    ("beside", "titles"),
    [
        ({"search_results": FOUND, "citations": FOUND_URLS}, ["A", ""]),  # @ai-sdk/perplexity, perplexityai
        ({"search_results": None, "citations": [*FOUND_URLS, FOUND_URLS[0], 5]}, ["", ""]),  # xAI: addresses alone
        ({"search_results": [{"title": "no address"}], "citations": FOUND_URLS}, ["", ""]),
    ],
)
def test_sources_of_the_whole_answer_stand_at_the_end_of_its_words(beside: Json, titles: list[str]) -> None:
    cited = [ir.CitationDelta(url=url, title=title) for url, title in zip(FOUND_URLS, titles, strict=True)]
    expected = block("text", ir.TextDelta("o"), ir.TextDelta("k"), *cited)
    each = [chunk({"content": one}, usage={}, **beside) for one in "ok"]
    assert read(*each, chunk({}, "stop", usage={}, **beside)) == [STARTED, *expected, STOP]
    last = json.dumps(HEAD | {"choices": [], "usage": {}} | beside)
    assert read(chunk({"content": "o"}), chunk({"content": "k"}), chunk({}, "stop"), last) == [STARTED, *expected, STOP]


@pytest.mark.parametrize("beside", [{"citations": "none"}, {"citations": []}, {"search_results": {}}])
def test_no_sources_of_the_whole_answer_are_none(beside: Json) -> None:
    assert read(chunk({"content": "ok"}, "stop", usage={}, **beside)) == [STARTED, *words("ok"), STOP]


def test_sources_of_the_whole_answer_say_nothing_beside_those_of_its_words_or_where_it_has_none() -> None:
    beside: Json = {"usage": {}, "citations": FOUND_URLS}
    source = {"type": "url_citation", "url_citation": {"url": "https://c.example"}}
    events = read(chunk({"content": "ok", "annotations": [source]}), chunk({}, "stop", **beside))
    assert [one.url for one in events if isinstance(one, ir.CitationDelta)] == ["https://c.example"]
    events = read(chunk(fragment(name="f", arguments="{}")), chunk({}, "tool_calls", **beside))
    assert not any(isinstance(one, ir.CitationDelta) for one in events)


def test_other_choices_are_left_out() -> None:
    other = json.dumps(HEAD | {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]})
    assert read(chunk({"content": "ok"}), other, chunk({}, "stop")) == [STARTED, *words("ok"), STOP]


# the end


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "context_window"),
        ("content_filter", "content_filter"),
        ("content_filter: PROHIBITED_CONTENT", "content_filter"),  # as Google's compatible API says it
        ("sensitive", "content_filter"),
        ("tool_calls", "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
    ],
)
def test_finish_reasons(native: str, reason: ir.FinishReason) -> None:
    assert read(chunk({"content": "x"}), chunk({}, native))[-1] == ir.Finished(reason=reason, native=native)


@pytest.mark.parametrize("first", ["length", "content_filter"])
def test_a_stop_behind_another_finish_reason_takes_nothing_back(first: ir.FinishReason) -> None:
    events = read(chunk({"content": "a"}), chunk({"content": ""}, first), chunk({}, "stop"))
    assert events[-1] == ir.Finished(reason=first, native=first)
    assert read(chunk({"content": "a"}, "stop"), chunk({}, first))[-1] == ir.Finished(reason=first, native=first)


def test_an_empty_finish_reason_in_each_chunk_says_nothing() -> None:
    assert read(chunk({"content": "o"}, ""), chunk({"content": "k"}, "stop")) == [STARTED, *words("o", "k"), STOP]


def test_a_cut_call_keeps_the_reason() -> None:
    events = read(chunk(fragment(0, "call_a", "f", '{"a":')), chunk({}, "length"))
    assert events[1:] == [*made("call_a", "f", '{"a":'), ir.Finished(reason="length", native="length")]


@pytest.mark.parametrize("native", ["error", "abort", "network_error"])
def test_a_failure_for_a_finish_reason_is_one(native: str) -> None:
    assert isinstance(failed(read(chunk({"content": "x"}), chunk({}, native))), errors.UpstreamUnavailable)


def test_a_call_that_google_could_not_read_is_no_clean_end() -> None:
    native = "function_call_filter: MALFORMED_FUNCTION_CALL"
    for error in (
        failed(read(chunk({"role": "assistant"}), chunk({}, native))),
        failed(whole(choices=[{"index": 0, "finish_reason": native}])),
    ):
        assert isinstance(error, errors.UpstreamMalformed)
        assert (error.code, native in error.message) == ("upstream_malformed_tool_call", True)


def test_a_whole_answer_that_is_withheld_needs_no_message() -> None:
    events = whole(choices=[{"index": 0, "finish_reason": "content_filter: SAFETY"}])
    assert events == [STARTED, ir.Finished(reason="content_filter", native="content_filter: SAFETY")]


def test_done_without_a_finish_reason_completes_what_is_there() -> None:
    assert read(chunk({"content": "ok"})) == [STARTED, *words("ok"), ir.Finished(reason="stop")]
    assert read(chunk(fragment(0, "a", "f", "{}")))[-1] == ir.Finished(reason="tool_calls")


def test_done_after_nothing_is_broken() -> None:
    assert isinstance(failed(read()), errors.StreamBroken)
    assert isinstance(failed(read(chunk({"role": "assistant"}))), errors.StreamBroken)


def test_the_end_without_done_or_a_finish_reason_is_broken() -> None:
    events = read(chunk({"content": "ok"}), done=False)
    assert events[:-1] == [STARTED, ir.BlockStarted(kind="text"), ir.TextDelta("ok")]
    assert isinstance(failed(events), errors.StreamBroken)


def test_a_finish_reason_is_enough_of_an_end() -> None:
    assert read(chunk({"content": "ok"}), chunk({}, "stop"), done=False) == [STARTED, *words("ok"), STOP]


def test_nothing_is_read_after_the_end() -> None:
    one = reader()
    events = one.feed([chunk({"content": "ok"}, "stop"), "[DONE]", chunk({"content": "more"})])
    assert events == [STARTED, *words("ok"), STOP]
    assert one.close() == one.feed([chunk({"content": "more"})]) == []


# errors


def test_an_error_in_the_stream_fails_with_its_class() -> None:
    said = {"error": {"message": "The server is overloaded", "type": "overloaded_error", "code": 529}}
    events = read(chunk({"content": "ok"}), json.dumps(said))
    assert events[:-1] == [STARTED, ir.BlockStarted(kind="text"), ir.TextDelta("ok")]
    assert isinstance(failed(events), errors.UpstreamOverloaded)


def test_an_error_beside_choices_is_an_error() -> None:
    said = chunk({"content": ""}, "error", error={"code": 429, "message": "slow down"})
    assert isinstance(failed(read(said)), errors.UpstreamRateLimited)


def test_an_error_object_at_the_top_is_an_error() -> None:
    said = json.dumps({"object": "error", "message": "bad", "type": "BadRequestError", "code": 400})
    assert isinstance(failed(read(said)), errors.UpstreamRejected)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"message": "boom", "code": 500}, errors.UpstreamUnavailable),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, errors.UpstreamRateLimited),
        ({"message": "no room", "type": "overloaded_error", "code": None}, errors.UpstreamOverloaded),
        ({"errors": [{"message": "boom", "code": 3040}], "success": False}, errors.UpstreamUnavailable),
        ([{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}], errors.UpstreamOverloaded),
    ],
)
def test_an_error_that_is_an_event_by_itself_is_no_end(said: object, kind: type[errors.GatewayError]) -> None:
    events = read(chunk({"content": "ok"}), json.dumps(said), "[DONE]")
    assert type(failed(events)) is kind
    assert type(failed(read(json.dumps(said)))) is kind


@pytest.mark.parametrize(
    "said",
    [
        {"message": "Success", "code": 0, "sid": "1"},
        {"message": "", "code": 500},
        {"message": "still thinking", "type": "status"},
        {"type": "ping"},
        {"errors": []},
        {"choices": [], "message": "filtered", "code": 200},
    ],
)
def test_what_else_is_an_event_by_itself_is_passed_over(said: Json) -> None:
    assert read(chunk({"content": "ok"}), json.dumps(said), chunk({}, "stop")) == [STARTED, *words("ok"), STOP]


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [  # platform.minimax.io/docs/api-reference/errorcode
        (1002, "rate limit", errors.UpstreamRateLimited),
        (1004, "login fail: carry the API secret key", errors.UpstreamCredential),
        (1008, "insufficient balance", errors.UpstreamRateLimited),
        (2013, "invalid params", errors.UpstreamRejected),
        (1000, "unknown error", errors.UpstreamUnavailable),
    ],
)
def test_an_outcome_in_the_place_of_choices_is_an_error(code: int, said: str, error: type[errors.GatewayError]) -> None:
    body = {"id": "1", "choices": None, "base_resp": {"status_code": code, "status_msg": said}}
    for found in (failed(read(json.dumps(body))), failed(whole(**body))):
        assert type(found) is error
        assert f"{said} ({code})" in found.message


def test_a_good_outcome_is_no_error() -> None:
    good = json.dumps({"choices": [], "base_resp": {"status_code": 0, "status_msg": ""}})
    assert read(chunk({"content": "ok"}), chunk({}, "stop"), good) == [STARTED, *words("ok"), STOP]


@pytest.mark.parametrize("error", [None, {}, ""])
def test_an_empty_error_is_none(error: Any) -> None:
    assert read(chunk({"content": "ok"}, error=error), chunk({}, "stop")) == [STARTED, *words("ok"), STOP]


@pytest.mark.parametrize("payload", ["{", "[]", "null", "1", '{"choices":{}}', '{"choices":[{"delta":{"content":1}}]}'])
def test_what_cannot_be_read_is_malformed(payload: str) -> None:
    events = read(chunk({"content": "ok"}), payload)
    assert type(failed(events)) is errors.UpstreamMalformed


def test_words_of_the_same_read_come_before_the_failure() -> None:
    events = reader().feed([chunk({"content": "ok"}), "{"])
    assert events[:-1] == [STARTED, ir.BlockStarted(kind="text"), ir.TextDelta("ok")]


# usage


def test_the_last_usage_wins_and_an_empty_one_does_not() -> None:
    events = read(
        chunk({"content": "o"}, usage={"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}),
        chunk({"content": "k"}, usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}),
        chunk({}, "stop", usage=None),
        counted(),
    )
    assert events[-2] == ir.UsageReported(ir.Usage(input=9, output=2, total=11))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_cache_hit_tokens": 5}, ir.Usage(input=9, output=3, cache_read=5, total=12)),
        ({"cached_tokens": 5}, ir.Usage(input=9, output=3, cache_read=5, total=12)),
        ({"total_tokens": 20}, ir.Usage(input=9, output=11, total=20)),
        ({"completion_tokens_details": {"reasoning_tokens": 99}}, ir.Usage(input=9, output=3, reasoning=3, total=12)),
        ({"prompt_tokens_details": {"cached_tokens": 99}}, ir.Usage(input=9, output=3, cache_read=9, total=12)),
        ({"total_tokens": None}, ir.Usage(input=9, output=3)),
    ],
)
def test_usage_of_other_servers(usage: Json, expected: ir.Usage) -> None:
    assert read(chunk({"content": "x"}, "stop"), counted(**USAGE | usage))[-2] == ir.UsageReported(expected)


def test_usage_within_a_choice_counts() -> None:
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop", "usage": USAGE}
    one = reader()
    one.feed([json.dumps(HEAD | {"choices": [choice]})])
    assert one.usage == ir.Usage(input=9, output=3, total=12)


def test_a_whole_answer_reads_like_a_stream() -> None:
    message = {
        "role": "assistant",
        "content": "ok",
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ],
    }
    events = whole(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}], usage=USAGE)
    blocks = [
        *block("thinking", ir.ThinkingDelta("hm")),
        *words("ok"),
        *made("a", "f", "{}"),
        *made("b", "f", "{}"),
    ]
    usage = ir.Usage(input=9, output=3, total=12)
    started = ir.Started(id="chatcmpl-1", model="gpt-4.1", usage=usage)
    finish = ir.Finished(reason="tool_calls", native="tool_calls")
    assert events == [started, *blocks, ir.UsageReported(usage), finish]


def test_an_error_for_a_whole_answer_is_one() -> None:
    assert isinstance(failed(whole(error={"message": "no", "code": "insufficient_quota"})), errors.UpstreamRateLimited)


def test_the_error_of_a_choice_comes_behind_its_words() -> None:
    error = {"code": 503, "message": "Provider overloaded", "metadata": {"provider_name": "p"}}
    choice = {"index": 0, "message": {"content": "half"}, "finish_reason": "error", "error": error}
    events = whole(choices=[choice])
    assert isinstance(failed(events), errors.UpstreamOverloaded)
    assert events[1:-1] == words("half")[:-1]
    assert whole(choices=[choice | {"finish_reason": "stop", "error": None}])[1:] == [*words("half"), STOP]


def test_nothing_comes_behind_the_error_of_one_of_several_choices() -> None:
    error = {"error": {"code": 503, "message": "Provider overloaded"}, "finish_reason": "error"}
    said = [{"index": 1, **error}, {"index": 0, "delta": {"content": "a"}}, {"index": 2, "delta": {"content": "b"}}]
    made = StreamReader(ReadOptions(names=NameMap([]), salt="r1", choices=3))
    events = made.feed([json.dumps(HEAD | {"choices": said})]) + made.close()
    assert isinstance(failed(events), errors.UpstreamOverloaded)
    assert [type(event) for event in events] == [ir.Started, ir.Failed]


def test_an_error_in_an_array_is_one() -> None:
    said = {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}
    error = failed(reader().feed_whole(json.dumps([said]).encode()))
    assert (type(error), error.message) == (errors.UpstreamRateLimited, "Quota exceeded")


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"{}", b'{"choices":[]}', b""])
def test_a_whole_answer_without_choices_is_malformed(body: bytes) -> None:
    error = failed(reader().feed_whole(body))
    assert type(error) is errors.UpstreamMalformed
    assert "<" not in error.message
