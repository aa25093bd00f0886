"""What a code interpreter ran, printed and drew, for callers of other dialects, which have no items for it."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.raw import read
from gateway.dialects.shown import fenced, link, picture
from gateway.errors import InvalidRequest

__all__ = ["INTERPRETER", "executed"]

INTERPRETER: Final = "code_interpreter_call"


class _Output(Struct):
    logs: str | None = None
    url: str | None = None


class _Call(Struct):
    code: str | None = None
    outputs: list[_Output] | None = None


_CALL: Final = msgspec.json.Decoder(_Call)


def executed(item: Raw) -> Iterator[ir.TextDelta | ir.MediaChunk]:
    """Give what its blocks hold; nothing of a call that is spelt otherwise."""
    call = read(item, _CALL)
    if call is None:
        return
    if call.code:
        yield ir.TextDelta(fenced("python", call.code))
    for output in call.outputs or ():
        if output.logs:
            yield ir.TextDelta(fenced("output", output.logs))
        elif output.url:
            yield _picture(output.url)


def _picture(url: str) -> ir.TextDelta | ir.MediaChunk:
    try:
        return picture(url, "outputs")
    except InvalidRequest:
        return ir.TextDelta(link("image/*", url))  # an address of a kind that only the upstream knows
