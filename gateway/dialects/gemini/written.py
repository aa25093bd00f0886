"""A request as Gemini's dialect has it, ready to be encoded."""

from collections.abc import Mapping

from msgspec import Raw, Struct

from gateway import ir
from gateway.upstream import Edit

from .names import NameMap
from .schema import Cleaned

__all__ = ["Written"]


class Written(Struct, frozen=True, kw_only=True):
    """A request ready to be encoded, and what the reader of its answer must know.

    `placeholders`: by upstream name, the schemas that may hold properties of ours, to be taken out of arguments.
    `parallel`: whether more than one call may be passed on. `answer`: the tool whose arguments are the answer's text.
    `candidates`: how many answers are asked for.
    `native`: the caller's own request, to be sent after these `edits` in the place of `body`, which then only tells
    what kind of request it is.
    """

    body: dict[str, object]
    names: NameMap
    placeholders: Mapping[str, Cleaned] = {}
    parallel: bool = True
    answer: str = ""
    candidates: int = 1
    losses: tuple[ir.Loss, ...] = ()
    image_model: bool = False
    native: Raw | None = None
    edits: tuple[Edit, ...] = ()
