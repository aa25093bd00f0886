"""A Gemini caller's own request on its way to Code Assist."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.adapters.v1internal_native import pass_through, with_session
from gateway.dialects.gemini.inbound import Gemini
from gateway.routes import Route

CONTENTS = b'[{"role":"user","parts":[ {"text":"hi"} ]}]'


def passed(body: bytes, *tools: ir.Tool, model: str = "gemini-3-flash") -> Any:
    request = ir.Request(model=model, turns=(), tools=tools)
    return pass_through(request, ir.Native(dialect="gemini", body=Raw(body)), frozenset())


def limited(config: str, limit: int | None) -> Any:
    body = b'{"contents":%b,%b}' % (CONTENTS, config.encode())
    request = Gemini().read_request(body, route=Route("gemini", "chat", "gemini-2.5-flash"))
    return pass_through(request, ir.Native(dialect="gemini", body=Raw(body)), frozenset(), limit)


def sent(body: bytes) -> bytes:
    return bytes(passed(body).native)


@pytest.mark.parametrize(
    "body",
    [
        b'{ "contents" : %b , "x" : 1.0e3 }' % CONTENTS,
        b'{"generation_config":{"top_k":1},"contents":%b}' % CONTENTS,
        b'{"contents":{"role":"model","parts":{"text":"hi"}}}',
    ],
)
def test_a_request_goes_up_as_it_is(body: bytes) -> None:
    assert sent(body) == body


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ('{"maxOutputTokens":65536,"topK":1.0}', '{"maxOutputTokens":65535,"topK":1.0}'),
        ('{"max_output_tokens":"65536"}', '{"max_output_tokens":65535}'),
    ],
)
def test_a_limit_above_the_model_s_is_cut(given: str, written: str) -> None:
    """The Gemini API gives one token more for the same model."""
    taken = limited(f'"generationConfig":{given}', 65535)
    assert bytes(taken.native) == b'{"contents":%b,"generationConfig":%b}' % (CONTENTS, written.encode())
    assert [(loss.path.partition(".")[0], loss.severity) for loss in taken.losses] == [("generationConfig", "hint")]
    assert [edit.name for edit in taken.edits] == ["limit"]


@pytest.mark.parametrize("limit", [65536, None])
def test_a_limit_of_the_model_s_goes_up_as_it_is(limit: int | None) -> None:
    taken = limited('"generationConfig":{"maxOutputTokens": 65536}', limit)
    assert bytes(taken.native) == b'{"contents":%b,"generationConfig":{"maxOutputTokens": 65536}}' % CONTENTS
    assert taken.losses == ()


@pytest.mark.parametrize("name", ["model", "serviceTier", "service_tier", "store"])
def test_what_code_assist_does_not_know_is_left_out_and_told(name: str) -> None:
    written = passed(b'{"%b":1,"contents":%b, "x": 1.0}' % (name.encode(), CONTENTS))
    assert bytes(written.native) == b'{"contents":%b,"x":1.0}' % CONTENTS
    assert [(loss.path, loss.severity) for loss in written.losses] == [(name, "hint")]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (
            b'{"topK":1.0,"responseFormat":[{"text":{"mimeType":"APPLICATION_JSON","schema":{ }}}]}',
            b'{"topK":1.0,"responseMimeType":"application/json","responseJsonSchema":{ }}',
        ),
        (
            b'{"response_mime_type":"text/plain","response_format":{"text":{"mime_type":"application/json"}}}',
            b'{"responseMimeType":"application/json"}',
        ),
        (b'{"topK":1.0,"responseFormat":null}', b'{"topK":1.0}'),
        (b'{"topK": 1.0}', b'{"topK": 1.0}'),
    ],
)
def test_the_form_of_an_answer_goes_up_by_its_older_names(given: bytes, written: bytes) -> None:
    assert sent(b'{"generationConfig":%b,"contents":%b}' % (given, CONTENTS)) == (
        b'{"generationConfig":%b,"contents":%b}' % (written, CONTENTS)
    )


@pytest.mark.parametrize(
    ("given", "lost", "severity"),
    [
        (b'{"responseFormat":[{"image":{}}]}', "responseFormat[0].image", "change"),
        (b'{"responseFormat":[{"text":{"schema":{}}}]}', "responseFormat[0].text.schema", "change"),
        (
            b'{"responseSchema":{},"responseMimeType":null,"responseFormat":{"text":{"mimeType":"text/plain"}}}',
            "responseSchema",
            "hint",
        ),
    ],
)
def test_what_the_older_names_cannot_say_stays_behind_and_is_told(given: bytes, lost: str, severity: str) -> None:
    written = passed(b'{"generationConfig":%b,"contents":%b}' % (given, CONTENTS))
    sent_up = bytes(written.native)
    assert not any(name in sent_up for name in (b"responseFormat", b"chema", b"null", b'""'))
    assert [(loss.path, loss.severity) for loss in written.losses] == [(f"generationConfig.{lost}", severity)]


@pytest.mark.parametrize(
    ("contents", "mended"),
    [
        (b'[{"parts":[ 1 ]}]', b'[{"parts":[ 1 ],"role":"user"}]'),
        (b'[{"role":null,"parts":[ 1 ]}]', b'[{"role":"user","parts":[ 1 ]}]'),
        (b'[{"role":"function","parts":[ 1 ]}]', b'[{"role":"user","parts":[ 1 ]}]'),
        (b'[{"role":"tool","parts":[ 1 ]}]', b'[{"role":"user","parts":[ 1 ]}]'),
        (b'{"parts":[ 1 ]}', b'[{"parts":[ 1 ],"role":"user"}]'),
        (
            b'[{"role":"model","parts":[ 2 ]},{"parts":[ 1.0 ]}]',
            b'[{"role":"model","parts":[ 2 ]},{"parts":[ 1.0 ],"role":"user"}]',
        ),
    ],
)
def test_a_content_gets_its_role(contents: bytes, mended: bytes) -> None:
    assert sent(b'{"contents":%b,"x":1.0}' % contents) == b'{"contents":%b,"x":1.0}' % mended


U, M = (b'{"role":"%b","parts":%%b}' % role for role in (b"user", b"model"))


@pytest.mark.parametrize(
    ("contents", "mended"),
    [
        (M % b'[{"text":"a"},{"text":""}]', M % b'[{"text":"a"}]'),
        (M % b'[{"text":"","thought":true},{"text":"a", "x":1.0}]', M % b'[{"text":"a", "x":1.0}]'),
        (M % b'{"text":""}' + b"," + U % b'[{"text":"a"}]', U % b'[{"text":"a"}]'),
        (U % b'[{"text":"a"}]' + b"," + U % b'[{"text":""}]', U % b'[{"text":"a"}]'),
    ],
)
def test_empty_text_of_a_stream_s_end_is_left_out(contents: bytes, mended: bytes) -> None:
    assert sent(b'{"contents":[%b]}' % contents) == b'{"contents":[%b]}' % mended


@pytest.mark.parametrize("empty", [b'{"role":"model"}', M % b"null", M % b"[]", b"{}"])
def test_an_answer_without_parts_that_an_sdk_keeps_is_left_out(empty: bytes) -> None:
    """google-genai has none where the model only said why it ended."""
    asked, said = U % b'[{"text":"a"}]', M % b'[{"text":"b"}]'
    for given in ([asked, empty, asked], [asked, empty, empty, asked]):
        assert sent(b'{"contents":[%b]}' % b",".join(given)) == b'{"contents":[%b,%b]}' % (asked, asked)
    assert sent(b'{"contents":[%b,%b,%b]}' % (asked, empty, said)) == b'{"contents":[%b,%b]}' % (asked, said)


@pytest.mark.parametrize(
    "parts",
    [
        b'[{"text":"", "thoughtSignature":"QUJD"}]',
        b'[{"text":"", "thought_signature":"QUJD"}]',
        b'[{"text":"a", "b":""}]',
        b'[{"functionCall":{"name":"f", "args":{"text":""}}}]',
    ],
)
def test_what_is_not_empty_stays(parts: bytes) -> None:
    body = b'{ "contents":[%b] }' % (U % parts)
    assert sent(body) == body


def test_nothing_but_empty_text_goes_up_as_it_is() -> None:
    body = b'{ "contents":[%b] }' % (U % b'[{"text":""}]')
    assert sent(body) == body


def test_what_the_model_said_in_a_row_is_one_content() -> None:
    said = [U % b'[{"text":"a"}]', M % b'[{"text":"b"}]', M % b'{"text":"c"}', M % b'[{"functionCall": {} }]']
    body = b'{"contents":[%b]}' % b",".join([*said, U % b'[{"text":"d"}]', U % b'[{"text":"e"}]'])
    joined = M % b'[{"text":"b"},{"text":"c"},{"functionCall": {} }]'
    rest = [U % b'[{"text":"d"}]', U % b'[{"text":"e"}]']
    assert sent(body) == b'{"contents":[%b]}' % b",".join([said[0], joined, *rest])


def test_what_stands_beside_the_parts_of_a_joined_content_stays() -> None:
    said = b'{"role":"model","parts":[{"text":"a"}],"x":1},{"role":"model","parts":[{"text":"b"}],"y":2.0}'
    joined = b'{"role":"model","parts":[{"text":"a"},{"text":"b"}],"x":1,"y":2.0}'
    assert sent(b'{"contents":[%b]}' % said) == b'{"contents":[%b]}' % joined


def test_the_session_is_added_at_the_end() -> None:
    assert bytes(with_session(Raw(b'{ "a":1 }'), "sessionId", 's"1')) == b'{ "a":1 ,"sessionId":"s\\"1"}'


@pytest.mark.parametrize("name", ["sessionId", "session_id"])
def test_a_session_that_is_there_stays(name: str) -> None:
    body = json.dumps({name: "mine", "contents": []}).encode()
    assert bytes(with_session(Raw(body), "sessionId", "ours")) == body


@pytest.mark.parametrize(
    ("tools", "kind"),
    [
        ((ir.Tool(name="web_search", builtin="web_search"),), {"tools": [{"googleSearch": {}}]}),
        ((ir.Tool(name="f"),), {}),
        ((), {}),
    ],
)
def test_a_web_search_is_known_as_one(tools: tuple[ir.Tool, ...], kind: Any) -> None:
    assert passed(b'{"contents":%b}' % CONTENTS, *tools).body == kind


@pytest.mark.parametrize(("model", "draws"), [("gemini-3-pro-image", True), ("gemini-3-flash", False)])
def test_a_drawing_model_is_known_as_one(model: str, draws: bool) -> None:
    assert passed(b'{"contents":%b}' % CONTENTS, model=model).image_model is draws
