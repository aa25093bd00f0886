"""Tools that Anthropic defines and the caller runs, as functions: Claude knows them by heart, no other model does.

    bash_…           a command, or a restart
    text_editor_…    view, create, str_replace, insert; older ones undo_edit, too
    memory_…         the same for files below /memories, and delete, rename

What they take is what Anthropic's documentation and the types of its SDK say of a call's input.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Raw, Struct

from gateway.dialects.emulated import Schema, parameters

__all__ = ["Defined", "defined"]


class Defined(Struct, frozen=True):
    """A tool as other models are told of it."""

    name: str
    description: str
    schema: Raw


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _files(*commands: str, insert: str = "insert_text", **others: Schema) -> Raw:
    """Give the schema of a tool for files; `insert`: the field of what is inserted."""
    inserted = {} if insert == "new_str" else {insert: _text("insert: what to insert")}
    replaced = "str_replace: what stands there instead"
    properties: dict[str, Schema] = {
        "command": {"type": "string", "enum": commands},
        "path": _text("The file or directory"),
        "file_text": _text("create: what is in the file"),
        "old_str": _text("str_replace: what is replaced; exactly as in the file, where it stands only once"),
        "new_str": _text(replaced if inserted else f"{replaced}; insert: what to insert"),
        "insert_line": {"type": "integer", "description": "insert: the line to insert behind, 0 for the start"},
        **inserted,
        "view_range": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "view: the first and the last line of a file, from 1; -1 for its end",
        },
        **others,
    }
    return parameters(properties, "command", *(() if others else ("path",)))


_EDITING: Final = ("view", "create", "str_replace", "insert")
_EDITOR: Final = "View a file, with numbered lines, or list a directory; create a file, replace text in it, insert text"
_BASH: Final = Defined(
    "bash",
    "Run a command in a bash session that goes on from call to call, and read what it prints.",
    parameters(
        {
            "command": _text("The command; needed unless restart is true"),
            "restart": {"type": "boolean", "description": "Start the session anew"},
        }
    ),
)
_OLDER_EDITOR: Final = Defined(
    "str_replace_editor",
    f"{_EDITOR}, or undo the last edit of it.",
    _files(*_EDITING, "undo_edit", insert="new_str"),
)
_NEWER_EDITOR: Final = Defined("str_replace_based_edit_tool", f"{_EDITOR}.", _files(*_EDITING))
_MEMORY: Final = Defined(
    "memory",
    "Keep notes across conversations, as files in the directory /memories. View it before you begin a task, and write"
    " down there what you will need later. Files can be viewed, created, edited, deleted and renamed.",
    _files(
        *_EDITING,
        "delete",
        "rename",
        old_path=_text("rename: the file or directory"),
        new_path=_text("rename: its new path"),
    ),
)
_DEFINED: Final[Mapping[str, Defined]] = {  # by the start of the dated type, the longer ones first
    "bash_": _BASH,
    "text_editor_20241022": _OLDER_EDITOR,
    "text_editor_20250124": _OLDER_EDITOR,
    "text_editor_": _NEWER_EDITOR,
    "memory_": _MEMORY,
}


def defined(kind: str) -> Defined | None:
    """Give the tool of a type; None where it is none of these."""
    return next((tool for start, tool in _DEFINED.items() if kind.startswith(start)), None)
