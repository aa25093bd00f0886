"""One decoded call, as the checks see it: camelCase names, and the contents cut into turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_signatures import Signatures

Json = dict[str, Any]

# the members of the oneof `data`; v1internal does not know the last two, so they never get past its decoding
DATA_FIELDS = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)


@dataclass(frozen=True)
class Turn:
    """One entry of `contents`, with its place in the list."""

    index: int
    role: str
    parts: list[Json]

    def holding(self, name: str) -> list[tuple[int, Json]]:
        """List the parts that carry this data field, with their places."""
        return [(place, part) for place, part in enumerate(self.parts) if name in part]

    @cached_property
    def calls(self) -> list[Json]:
        """List the function calls."""
        return [part["functionCall"] for _, part in self.holding("functionCall")]

    @cached_property
    def responses(self) -> list[Json]:
        """List the function responses."""
        return [part["functionResponse"] for _, part in self.holding("functionResponse")]

    @property
    def is_plain(self) -> bool:
        """Say whether a person speaks here: text from the user, and no function response."""
        return self.role == "user" and bool(self.holding("text")) and not self.responses


@dataclass(frozen=True)
class Call:
    """A generation or counting call after proto decoding; `root` is what its error paths begin with."""

    envelope: Json
    model: Model
    signatures: Signatures = field(default_factory=Signatures)
    headers: Mapping[str, str] = field(default_factory=dict)
    levels_known: bool = True
    penalties_known: bool = True
    root: str = "request."

    @cached_property
    def request(self) -> Json:
        """Give the inner request."""
        return cast("Json", self.envelope.get("request") or {})

    @cached_property
    def turns(self) -> list[Turn]:
        """Cut `contents` into turns."""
        return [
            Turn(index, content.get("role", ""), content.get("parts") or [])
            for index, content in enumerate(self.request.get("contents") or [])
        ]

    @property
    def config(self) -> Json:
        """Give `generationConfig`."""
        return cast("Json", self.request.get("generationConfig") or {})

    @property
    def thinking(self) -> Json:
        """Give `thinkingConfig`; a level that is the enum's default is none."""
        told = cast("Json", self.config.get("thinkingConfig") or {})
        return {name: value for name, value in told.items() if value != "THINKING_LEVEL_UNSPECIFIED"}

    @property
    def thinks_aloud(self) -> bool:
        """Say whether thoughts will come back: Claude also needs a budget."""
        wanted = bool(self.thinking.get("includeThoughts"))
        return wanted and (not self.model.is_claude or bool(self.thinking.get("thinkingBudget")))

    @property
    def calling(self) -> Json:
        """Give `functionCallingConfig`."""
        return cast("Json", (self.request.get("toolConfig") or {}).get("functionCallingConfig") or {})

    @property
    def tools(self) -> list[Json]:
        """Give the tools."""
        return self.request.get("tools") or []

    @cached_property
    def declarations(self) -> list[tuple[str, Json]]:
        """List the function declarations with their paths."""
        return [
            (f"tools[{outer}].function_declarations[{inner}]", declaration)
            for outer, tool in enumerate(self.tools)
            for inner, declaration in enumerate(tool.get("functionDeclarations") or [])
        ]

    @cached_property
    def parts(self) -> list[tuple[str, Json]]:
        """List the parts of all turns with their paths."""
        return [
            (f"contents[{turn.index}].parts[{place}]", part)
            for turn in self.turns
            for place, part in enumerate(turn.parts)
        ]
