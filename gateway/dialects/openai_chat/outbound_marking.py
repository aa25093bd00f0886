"""Which marks for the prompt cache go to a server that speaks OpenAI's API: OpenAI's own, or Anthropic's."""

import re
from collections.abc import Iterator
from typing import Final

from gateway import ir
from gateway.dialects.marks import uncarried
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.outbound_marks import ANTHROPIC, CONTROL, OPENAI, Marks

from .outbound_models import abilities_of

__all__ = ["lost_marks", "marks_for"]

_CLAUDE: Final = "claude"
_CACHED: Final = re.compile(r"gemini|qwen")  # what else has to be told what to cache: OpenRouter, DashScope


def marks_for(request: ir.Request, target: OpenAITarget, *, chat: bool) -> Marks | None:
    """Give what writes the marks of a request, None where none goes on. `chat`: it is for Chat Completions."""
    if not (request.marks and target.marks):
        return None
    if abilities_of(target.model).marks:
        return Marks(request, OPENAI)
    if target.marks != "control" or not chat:
        return None
    model = target.model.lower()
    if _CLAUDE in model:
        return Marks(request, ANTHROPIC)
    return Marks(request, CONTROL) if _CACHED.search(model) else None


def lost_marks(request: ir.Request, marks: Marks | None) -> Iterator[ir.Loss]:
    """Tell which marks of a request did not go on, once it is written."""
    return uncarried(request) if marks is None else marks.lost()
