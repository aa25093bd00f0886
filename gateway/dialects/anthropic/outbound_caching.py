"""Have Anthropic cache what a caller of OpenAI's dialects wants cached: OpenAI does so by itself, it where told to.

`prompt_cache_key` names the conversation whose beginning is to be found again. What is marked costs a quarter more when
it is written, and a tenth when it is read: whoever sends a key means to go on.
"""

from typing import Final

from gateway import ir
from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.outbound_marks import ANTHROPIC

from .outbound_parts import JSON
from .outbound_target import AnthropicTarget

__all__ = ["cached", "wants_cache"]

_KEY: Final = "prompt_cache_key"
_MARK: Final[JSON] = {ANTHROPIC.name: ANTHROPIC.value}
_TURNS: Final = 2  # what the last request has marked is looked for only so far before a mark of this one


def wants_cache(request: ir.Request, target: AnthropicTarget) -> bool:
    """Tell whether a caller has named its session by a key, and marks nothing; other models cache as they like."""
    keyed = request.paths.get("session") == _KEY
    return keyed and not request.marks and ir.family_of(target.model) == "claude"


def cached(body: JSON) -> JSON:
    """Mark the instructions, else the tools, and the last turns of the user."""
    head = "system" if "system" in body else "tools"
    marked: JSON = {head: _marked(body[head])} if head in body else {}
    if is_list(messages := body["messages"]):
        turns = [message for message in messages if is_object(message) and message["role"] == "user"]
        last = [*map(id, turns[-_TURNS:])]
        marked["messages"] = [_turn(message) if id(message) in last else message for message in messages]
    return body | marked


def _turn(message: object) -> object:
    return {**message, "content": _marked(message["content"])} if is_object(message) else message


def _marked(blocks: object) -> object:
    """Mark the last block; a tool that is yet to be found takes no mark."""
    if not is_list(blocks) or not is_object(last := blocks[-1]) or "defer_loading" in last:
        return blocks
    return [*blocks[:-1], {**last, **_MARK}]
