"""What Vertex AI has otherwise than the Gemini API: calls and results of older models have no ids.

Calls and results have them since Gemini 3; those of older models find each other by their order.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from gateway import ir

from .history import Step
from .thinking import Generation, generation_of

__all__ = ["nameless", "numbers"]

_NUMBERED: Final[Generation] = (3, 0)


def numbers(model: str) -> bool:
    """Tell whether calls of a model have ids here; of one whose name does not say, they have not."""
    generation = generation_of(model)
    return generation is not None and generation >= _NUMBERED


def nameless(steps: Iterable[Step]) -> list[Step]:
    """Give a conversation whose calls and results have no ids."""
    return [Step(step.role, tuple(map(_nameless, step.parts))) for step in steps]


def _nameless(part: ir.Part) -> ir.Part:
    return replace(part, id="") if isinstance(part, ir.ToolCall | ir.ToolResult) else part
