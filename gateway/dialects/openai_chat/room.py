"""How long an answer may be, in a caller's own words: as long as there is room for it, and as the model gives."""

from typing import Final

import msgspec

from gateway.dialects.edits import Words
from gateway.dialects.outbound import OpenAITarget

from .outbound_request import CUT

__all__ = ["shorten"]

_INT: Final = msgspec.json.Decoder(int)


def shorten(words: Words[OpenAITarget], name: str) -> None:
    """Keep the answer to the room that there is for it, or to what this model gives at most; `name`: of the limit."""
    room, wanted = words.request.room, words.get(name, _INT)
    most = words.target.max_output if room is None else room
    if most is not None and (room is not None if wanted is None else wanted > most):
        words.put(name, most)
        words.lose(name, CUT.format(most))
