"""What a request is written for: a model of Google's, at one of the services that have it."""

from typing import Literal

from msgspec import Struct

from gateway import ir

from .schema import SchemaCache
from .thinking import Conflict

__all__ = ["GeminiTarget", "Surface"]

Surface = Literal["v1internal", "gemini", "vertex"]


class GeminiTarget(Struct, frozen=True, kw_only=True):
    """The model that a request is for: its upstream `model` name, and what the configuration says about it.

    `surface`: whose fields there are. `max_output`: its limit, None = unknown. `thinking_conflict`, `signatures`: see
    [translate]. What the upstream is known to take: JSON Schema (on the public API), `choices` in schemas,
    `instructions`, `json_mode`, penalties, logprobs, `ids` of calls, a `thinking_config`, `levels` of thinking, an
    answer that is `begun`, words and pictures of its own that are `unsigned`; and of this conversation: `thinks`,
    whether it may think; `refused`: its signatures are not good; `sentinels`: calls without one are not, whatever the
    model.
    """

    model: str
    family: ir.Family
    surface: Surface = "v1internal"
    json_schemas: bool = True
    choices: bool = True
    instructions: bool = True
    json_mode: bool = True
    penalties: bool = True
    logprobs: bool = True
    ids: bool = True
    thinking_config: bool = True
    levels: bool = True
    begun: bool = True
    unsigned: bool = True
    thinks: bool = True
    refused: bool = False
    sentinels: bool = False
    max_output: int | None = None
    thinking_conflict: Conflict = "clamp"
    signatures: bool = True
    schemas: SchemaCache | None = None
