"""Change a Gemini caller's own request where the name of its model said more than the model."""

from typing import Final

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.place import Place
from gateway.dialects.raw import Fields

from .inbound_wire import fields_of, items
from .request import GeminiTarget, write_request
from .thinking import plan

__all__ = ["vary"]

_Losses = tuple[ir.Loss, ...]

_encode: Final = msgspec.json.Encoder().encode

_TURNS: Final = (ir.Turn(role="user", parts=(ir.Text(text="?"),)),)
_SEARCH: Final[list[dict[str, object]]] = [{"googleSearch": {}}]


def vary(before: ir.Request, after: ir.Request, target: GeminiTarget) -> ir.Request:
    """Write the search and the thinking that `after` has anew into its native form; all else stays as it came."""
    assert after.native is not None, "the request does not come from a Gemini caller"
    fields = fields_of(after.native.body, Place())
    losses: _Losses = ()
    added = tuple(tool for tool in after.tools if tool not in before.tools)
    if added:
        losses += _search(fields, after, added, target)
    if after.reasoning != before.reasoning:
        losses += _think(fields, after, target)
    return replace(after, native=replace(after.native, body=Raw(_encode(fields))), losses=after.losses + losses)


def _search(fields: Fields, request: ir.Request, added: tuple[ir.Tool, ...], target: GeminiTarget) -> _Losses:
    """Add the search if a translation would: not beside functions, nor to a model that has none."""
    functions = tuple(ir.Tool(name=tool.name) for tool in request.tools if tool.builtin is None)
    written = write_request(ir.Request(model=target.model, turns=_TURNS, tools=(*functions, *added)), target)
    if written.body.get("tools") == _SEARCH:
        given = [tool for _, tool in items(fields.get("tools", UNSET), Place())]
        fields["tools"] = Raw(_encode([*given, *_SEARCH]))
    return written.losses


def _think(fields: Fields, request: ir.Request, target: GeminiTarget) -> _Losses:
    planned = plan(
        request.reasoning,
        request.sampling.max_tokens,
        model=target.model,
        family=target.family,
        limit=target.max_output,
        conflict=target.thinking_conflict,
    )
    config = fields_of(fields["generationConfig"], Place()) if "generationConfig" in fields else {}
    if planned.config is not None:
        config["thinkingConfig"] = Raw(_encode(planned.config))
    if planned.max_tokens is not None:
        config["maxOutputTokens"] = Raw(_encode(planned.max_tokens))
    if config:
        fields["generationConfig"] = Raw(_encode(config))
    return planned.losses
