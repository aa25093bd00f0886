"""The tables of edits of all dialects: everything that is ever written otherwise where both ends speak the same one."""

from collections.abc import Mapping
from typing import Final

from gateway.upstream import Edit

from .anthropic.edits import TABLE as ANTHROPIC
from .gemini.edits import TABLE as GEMINI
from .gemini.edits_format import FORMAT, LIMIT
from .gemini.edits_vertex import TABLE as VERTEX
from .openai_chat.edits import TABLE as CHAT
from .openai_responses.edits import TABLE as RESPONSES

__all__ = ["REPLY_EDITS", "TABLES"]

TABLES: Final[Mapping[str, tuple[Edit, ...]]] = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": (*GEMINI, *VERTEX, FORMAT, LIMIT),
}
REPLY_EDITS: Final[Mapping[str, tuple[Edit, ...]]] = {
    dialect: tuple(edit for edit in table if edit.on == "reply") for dialect, table in TABLES.items()
}
