"""Whether a server that knows little of Responses knows all that a caller's own words hold."""

from typing import Final

from msgspec import Raw

from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import FIELDS, MANY, NULL, TEXT, read

from .tools import service_of

__all__ = ["is_plain"]

_FUNCTION: Final = "function"
# In a text the quotation marks are escaped.
_ITEMS: Final = (
    b'"additional_tools"',
    b'"agent_message"',
    b'"custom_tool_call"',
    b'"custom_tool_call_output"',
    b'"tool_search_call"',
    b'"tool_search_output"',
)


def is_plain(body: Raw, target: OpenAITarget) -> bool:
    """Tell whether a target knows all tools and items of a body."""
    if target.only_functions and any(map(bytes(body).__contains__, _ITEMS)):
        return False
    tools = read(FIELDS.decode(body).get("tools", NULL), MANY) or []
    return all(_is_known(read(tool.get("type", NULL), TEXT) or _FUNCTION, target) for tool in tools)


def _is_known(kind: str, target: OpenAITarget) -> bool:
    if service_of(kind) is not None:
        return target.services
    return kind == _FUNCTION or not target.only_functions
