"""Tools that OpenAI defines and the caller runs: functions for other models, items of their own for the caller.

shell         shell_call         commands, run one after the other or at once
local_shell   local_shell_call   one command, as its words
apply_patch   apply_patch_call   a file that is created, changed or deleted
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.anthropic.answer import JSON
from gateway.dialects.emulated import Schema, parameters
from gateway.dialects.raw import read

__all__ = ["RAN", "Ran", "ran_by"]

_ARGUMENTS: Final = msgspec.json.Decoder(dict[str, object])


class Ran(Struct, frozen=True, kw_only=True):
    """One of them. `item`: the type of a call, whose ids begin with `prefix`.

    `field`: where its arguments stand; `blank`: what must be among them, as it is where the model leaves it out.
    """

    name: str
    item: str
    prefix: str
    field: str
    description: str
    schema: Raw
    blank: JSON

    @property
    def tool(self) -> ir.Tool:
        """Give it as a function."""
        return ir.Tool(name=self.name, description=self.description, schema=self.schema)

    def said(self, arguments: str) -> JSON:
        """Give the field of a call with these arguments."""
        return {self.field: self.blank | (read(Raw(arguments.encode()), _ARGUMENTS) or {})}


_WORDS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_TEXT: Final[Schema] = {"type": "string"}
_TIME: Final[Schema] = {"type": "integer", "description": "How long a command may take, in milliseconds"}
_MOST: Final[Schema] = {"type": "integer", "description": "How many characters of the output are wanted at most"}
_SHELL: Final = Ran(
    name="shell",
    item="shell_call",
    prefix="sh",
    field="action",
    description="Run commands in a shell, and read what they print. They may run at the same time.",
    schema=parameters({"commands": _WORDS, "timeout_ms": _TIME, "max_output_length": _MOST}, "commands"),
    blank={"commands": [], "timeout_ms": None, "max_output_length": None},
)
_LOCAL_SHELL: Final = Ran(
    name="local_shell",
    item="local_shell_call",
    prefix="lsh",
    field="action",
    description='Run a command, and read what it prints. It is given as its words, such as ["bash", "-lc", "ls | wc"].',
    schema=parameters({"command": _WORDS, "working_directory": _TEXT, "timeout_ms": _TIME}, "command"),
    blank={"type": "exec", "command": [], "env": {}},
)
_APPLY_PATCH: Final = Ran(
    name="apply_patch",
    item="apply_patch_call",
    prefix="apc",
    field="operation",
    description=(
        "Create, change or delete a file. In the diff of a new file each line begins with +. That of a change has no"
        " line numbers: each part of it begins with a line @@, which may go on with a line that stands above it, such"
        " as @@ def run():; then come the lines, three of context around each change, that begin with a space if they"
        " stay, with - if they go, and with + if they are new."
    ),
    schema=parameters(
        {
            "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            "path": _TEXT,
            "diff": {"type": "string", "description": "Needed unless the file is deleted"},
        },
        "type",
        "path",
    ),
    blank={},
)
RAN: Final[Mapping[str, Ran]] = {ran.name: ran for ran in (_SHELL, _LOCAL_SHELL, _APPLY_PATCH)}


def ran_by(tools: Iterable[ir.Tool]) -> Mapping[str, Ran]:
    """Give those of a request's functions that stand for one of these."""
    named = ((tool, RAN.get(tool.name)) for tool in tools)
    return {ran.name: ran for tool, ran in named if ran is not None and tool.schema == ran.schema}
