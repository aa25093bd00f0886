"""What Claude's code execution ran and printed, in words: callers of other dialects have no blocks for it.

server_tool_use ─► ```bash …```     its result ─► ```output …```
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.raw import read
from gateway.dialects.shown import fenced

__all__ = ["executed"]

_USE: Final = "server_tool_use"
_CODE: Final = {  # by the name of a tool, the field of its input that holds the code, and the language
    "code_execution": ("code", "python"),
    "bash_code_execution": ("command", "bash"),
    "text_editor_code_execution": ("file_text", ""),
}
_RESULTS: Final = frozenset(f"{name}_tool_result" for name in _CODE)


class _Use(Struct):
    name: str = ""
    input: dict[str, object] = {}


class _Printed(Struct):
    stdout: str | None = None
    stderr: str | None = None
    error_code: str | None = None


class _Result(Struct):
    content: _Printed


_USES: Final = msgspec.json.Decoder(_Use)
_PRINTED: Final = msgspec.json.Decoder(_Result)


def executed(kind: str, block: Raw) -> str:
    """Give what a block says of code that was run; "" where it is about something else."""
    if kind == _USE:
        return _code(read(block, _USES) or _Use())
    result = read(block, _PRINTED) if kind in _RESULTS else None
    if result is None:
        return ""
    said = result.content
    words = "\n".join(text.rstrip() for text in (said.stdout, said.stderr, said.error_code) if text)
    return fenced("output", words) if words else ""


def _code(use: _Use) -> str:
    field, language = _CODE.get(use.name, ("", ""))
    code = use.input.get(field)
    return fenced(language, code) if isinstance(code, str) and code else ""
