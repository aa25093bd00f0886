"""T1: what a codec writes it reads back, whole; and what it says nothing of has come through.

What a request lost is told: `test_leaves` changes every leaf of it, towards every upstream.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Raw, Struct
from msgspec.json import decode, encode
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.anthropic import outbound_request as anthropic
from gateway.dialects.gemini import request as gemini
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat import outbound_request as openai_chat
from gateway.dialects.openai_responses import outbound_request as openai_responses
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import CallerError
from gateway.routes import DialectName, match
from tests.translating import CODECS, PATHS

from .examples import EXAMPLES
from .leaves.changes import Change, spelt, walk
from .leaves.exempt import ABSENT
from .leaves.strategies import REQUESTS

Json = Any

OPENAI: Final = OpenAITarget(model="m")
CLAUDE: Final = anthropic.AnthropicTarget(
    model="m", max_output=64_000, system_turns=True, adaptive=True, efforts=("low", "medium", "high", "max")
)
GEMINI: Final = gemini.GeminiTarget(model="m", family="gemini", surface="gemini")
WRITERS: Final[dict[DialectName, Callable[[ir.Request], Any]]] = {
    "openai-chat": lambda request: openai_chat.write_request(request, OPENAI),
    "openai-responses": lambda request: openai_responses.write_request(request, OPENAI),
    "anthropic": lambda request: anthropic.write_request(request, CLAUDE),
    "gemini": lambda request: gemini.write_request(request, GEMINI),
}
ROUTES: Final = {dialect: match("POST", path, {}) for dialect, path in PATHS.items()}
DIALECT = pytest.mark.parametrize("dialect", WRITERS)

# What all upstreams get beside what the caller says: an answer is always streamed, counted, and its thoughts sealed;
# servers want the word JSON in a message, and the tools of which the conversation speaks.
ASKED: Final = {"stream": True, "include_usage": True, "model": "m"}
OFF: Final = {"off": "unset"}  # with neither does a model think that need not
FORM: Final = "answer"
JSON_MODE: Final = "Answer in JSON."
# where values stood, and what passes beside
PLACES: Final = {"path", "detail_path", "schema_path", "places", "paths", "losses", "native", "thread"}


def read(dialect: DialectName, body: bytes) -> ir.Request:
    return CODECS[dialect].read_request(body, route=ROUTES[dialect])


def written(dialect: DialectName, request: ir.Request) -> tuple[bytes, tuple[ir.Loss, ...]]:
    made = WRITERS[dialect](request)
    return encode(made.body), made.losses


@DIALECT
@EXAMPLES
@given(data=st.data())
def test_t1_what_is_written_is_read_back(dialect: DialectName, data: st.DataObject) -> None:
    """What has been written once holds only what the codec can say: that comes back value by value."""
    drawn = data.draw(REQUESTS[dialect])
    try:
        said = read(dialect, written(dialect, read(dialect, json.dumps(drawn).encode()))[0])
    except CallerError:
        assume(False)
        raise
    again = read(dialect, written(dialect, said)[0])
    assert plain(joined(again)) == plain(joined(said))


@DIALECT
@EXAMPLES
@given(data=st.data())
def test_t1_what_no_loss_names_is_the_same(dialect: DialectName, data: st.DataObject) -> None:
    drawn = data.draw(REQUESTS[dialect])
    try:
        request, body = carried(dialect, drawn)
    except CallerError:
        assume(False)
        raise
    sent = read(dialect, body)
    assert options(dialect, sent) == options(dialect, request)
    assert conversation(request) <= conversation(sent)


def carried(dialect: DialectName, drawn: Json) -> tuple[ir.Request, bytes]:
    """Take away what losses name, until there are none: of the requests as they are drawn few have none."""
    while True:
        request = read(dialect, json.dumps(drawn).encode())
        body, losses = written(dialect, request)
        lost = {loss.path for loss in request.losses + losses}
        if not lost:
            return request, body
        places = [path for path, _ in walk(drawn) if spelt(dialect, path) in lost]
        assume(places)
        for path in reversed(places):  # the last of a list first
            drawn = Change(path, ABSENT).apply(drawn)


def joined(request: ir.Request) -> ir.Request:
    """Join the instructions, which may be cut anyhow, and sort the tools; the hint of JSON mode is not the caller's."""
    texts = "\n\n".join(text.text for text in request.system).split("\n\n")
    system = ir.Text(text="\n\n".join(text for text in texts if text != JSON_MODE))
    return replace(request, system=(system,), tools=tuple(sorted(request.tools, key=lambda tool: tool.name)))


def plain(value: object) -> Json:
    """Give a request as JSON, without the places of its values."""
    if isinstance(value, Raw):
        return decode(value) if bytes(value) else None
    if isinstance(value, Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__ if name not in PLACES}
        return {"": type(value).__name__, **{name: plain(one) for name, one in fields.items()}}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value


def options(dialect: DialectName, request: ir.Request) -> Json:
    """Give all but the conversation, with what every upstream gets beside."""
    asked = replace(request.reasoning, display=None, mode=OFF.get(request.reasoning.mode, request.reasoning.mode))
    if dialect == "openai-chat":  # who reads thoughts is this gateway's business there
        asked = replace(asked, visible=None)
    form = replace(request.output, name=request.output.name or FORM, schema=loose(request.output.schema))
    used = {NameMap([call.name]).upstream(call.name) for call in calls(request)}
    tools = tuple(map(upstream, request.tools))
    if dialect == "anthropic":  # which is as good as silence there
        tools = tuple(replace(tool, strict=tool.strict or None) for tool in tools)
    kept = tuple(tool for tool in tools if tool.name not in used)
    choice = request.tool_choice if tools and kept == tools else None
    if dialect == "gemini":  # its services stand beside its functions, not among them
        kept = tuple(sorted(kept, key=lambda tool: tool.name))
    return plain(
        replace(joined(request), **ASKED, turns=(), tools=kept, tool_choice=choice, reasoning=asked, output=form)
    )


def upstream(tool: ir.Tool) -> ir.Tool:
    """Give a tool as upstreams know it."""
    return replace(tool, name=NameMap([tool.name]).upstream(tool.name), schema=loose(tool.schema))


def loose(schema: Raw | None) -> Raw | None:
    """Give a schema without what strict servers want of it; nothing is an object that may hold anything."""
    value = decode(schema) if schema is not None else {"type": "object", "properties": {}}
    return Raw(encode({name: one for name, one in value.items() if name != "additionalProperties"}))


def conversation(request: ir.Request) -> Counter[Json]:
    """Give what is said: repairs may put it elsewhere, cut texts otherwise, and add to it."""
    said = (part for turn in request.turns for part in turn.parts)
    return Counter(letter for part in said for letter in letters(part))


def letters(part: ir.Part) -> Iterable[Json]:
    match part:
        case ir.Text(text=text):
            return text.replace("\n", "")
        case ir.ToolCall(name=name, arguments=arguments):
            return [(NameMap([name]).upstream(name), canonical(decode(arguments)))]
        case ir.ToolResult(parts=parts):
            return [letter for one in parts for letter in letters(one)]
        case ir.Media():
            return [part.data or part.url]
        case _:
            return [canonical(plain(part))]


def calls(request: ir.Request) -> list[ir.ToolCall]:
    return [part for turn in request.turns for part in turn.parts if isinstance(part, ir.ToolCall)]


def canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
