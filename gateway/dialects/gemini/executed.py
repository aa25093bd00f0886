"""Code that Gemini ran, and what it printed, in words: models of other families have no parts for it.

executableCode ─► ```python …```     codeExecutionResult ─► ```output …```
"""

from typing import Final

import msgspec

from gateway import ir
from gateway.dialects.place import Place
from gateway.dialects.raw import TEXT
from gateway.dialects.shown import fenced

from .inbound_wire import fields_of, named
from .signatures import NOT_OURS

__all__ = ["LANGUAGES", "executed"]

LANGUAGES: Final = {"PYTHON": "python"}

_LANGUAGES: Final = ("LANGUAGE_UNSPECIFIED", "PYTHON")
_VALUE: Final[msgspec.json.Decoder[str | int]] = msgspec.json.Decoder(str | int)
_SAYING: Final = {"executableCode": "code", "codeExecutionResult": "output"}
_UNSAID: Final = "not carried as text"


def executed(part: ir.Opaque, losses: list[ir.Loss]) -> ir.Text | None:
    """Give what such a part says, None for another one; raise InvalidRequest for one that is spelt otherwise."""
    field = _SAYING.get(part.kind) if part.dialect == "gemini" else None
    if field is None:
        return None
    place = Place(part.path, losses)
    fields, at = fields_of(part.value, place), place.at(part.kind)
    inner = fields_of(fields.pop(part.kind), at)
    if fields.pop("thoughtSignature", None) is not None:
        place.lose("thoughtSignature", NOT_OURS)
    place.lose_unknown(fields, ())
    words = at.read(inner.pop(field), TEXT, field) if field in inner else ""
    said = {name: named(at.read(value, _VALUE, name), _LANGUAGES) or "" for name, value in inner.items()}
    label = LANGUAGES.get(said.get("language", ""), "") if field == "code" else field
    for name in said:
        if name != "language" or not label:
            at.lose(name, _UNSAID)
    return ir.Text(text=fenced(label, words) if words.strip() else "")
