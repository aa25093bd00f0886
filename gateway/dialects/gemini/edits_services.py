"""The further edit where Google's services do not stand beside functions: on Code Assist and on Vertex AI."""

from typing import Final

from msgspec import UNSET

from gateway.dialects.edits import RequestEdit, Words
from gateway.dialects.place import Place
from gateway.dialects.raw import FIELDS

from .inbound_wire import camel, fields_of, items
from .own import Own

__all__ = ["SERVICES"]

_TOOLS: Final = "tools"
_FUNCTIONS: Final = "functionDeclarations"
_CONFIGS: Final = ("toolConfig", "tool_config")
_FLAG: Final = "includeServerSideToolInvocations"


def _services(words: Words[Own]) -> None:
    """Leave out the services beside functions, and the flag by which the Gemini API takes them there."""
    tools = words.request.tools
    services = [tool for tool in tools if tool.builtin is not None]
    if not services or len(services) == len(tools):
        return
    for tool in services:
        words.lose(tool.path, f"{tool.builtin} cannot be combined with functions", "change")
    given = [fields_of(tool, Place()) for _, tool in items(words.fields.get(_TOOLS, UNSET), Place())]
    words.put(_TOOLS, [{_FUNCTIONS: tool[_FUNCTIONS]} for tool in given if _FUNCTIONS in tool])
    for name in _CONFIGS:
        config = words.get(name, FIELDS) or {}
        kept = {one: value for one, value in config.items() if camel(one) != _FLAG}
        if len(kept) < len(config):
            words.put(name, kept)


SERVICES: Final[RequestEdit[Own]] = RequestEdit(
    name="services",
    why="Code Assist and Vertex AI accept either Google's own tools or functions, not both",
    apply=_services,
)
