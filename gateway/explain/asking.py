"""What is to be explained: a recorded request, or the smallest one that asks for a model, with its dialect and path."""

import json
import math
from codecs import BOM_UTF8
from typing import Final, cast
from urllib.parse import quote

import msgspec
from msgspec import Struct

from gateway.config.values import read_choice
from gateway.dialects.raw import FIELDS
from gateway.explain.signs import Fields, detected
from gateway.routes import DIALECTS, PATHS, DialectName

__all__ = ["Asking", "read_dialect", "recorded", "smallest"]

_MESSAGES: Final[Fields] = {"messages": [{"role": "user", "content": "Hello"}]}
_SMALLEST: Final[dict[DialectName, Fields]] = {
    "openai-chat": _MESSAGES,
    "openai-responses": {"input": "Hello"},
    "anthropic": _MESSAGES,
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
}


class Asking(Struct, frozen=True, kw_only=True):
    """One request as it would arrive. `why`: how its dialect is known. `streams`: whether it says if it streams."""

    dialect: DialectName
    why: str
    model: str
    path: str
    body: bytes
    streams: bool


def read_dialect(name: str) -> DialectName:
    """Accept the name of a dialect that callers can speak; ValueError names the nearest one."""
    return cast(DialectName, read_choice(name, DIALECTS))  # one of them


def smallest(model: str, dialect: DialectName | None) -> Asking:
    """Ask a model for a word."""
    chosen = dialect or "openai-chat"
    fields = _SMALLEST[chosen]
    return _asking(chosen, "the smallest request", model, fields, msgspec.json.encode(fields))


def recorded(data: bytes, model: str, dialect: DialectName | None) -> Asking:
    """Take a request's body; `model` goes before the one in it. ValueError says what is missing."""
    data = data.removeprefix(BOM_UTF8)
    fields = _read(data)
    found = (dialect, "as you say") if dialect else detected(fields)
    if found[0] == "gemini" and not model:
        raise ValueError(f"a Gemini request ({found[1]}) has its model in the path: say MODEL, too")
    return _asking(*found, model, fields, data)


def _asking(dialect: DialectName, why: str, model: str, fields: Fields, body: bytes) -> Asking:
    name = quote(model.removeprefix("models/"), safe="")
    path = PATHS[dialect].format(model=name, method="generateContent")
    if model and dialect != "gemini":
        body = _renamed(body, model)
    named = model or str(fields.get("model") or "")
    streams = fields.get("stream") is not None
    return Asking(dialect=dialect, why=why, model=named, path=path, body=body, streams=streams)


def _renamed(body: bytes, model: str) -> bytes:
    """Write another model into a body; all else stays byte for byte."""
    try:
        fields = FIELDS.decode(body)
    except (ValueError, RecursionError):
        return body  # the dialect's own reader says what is wrong with it
    return msgspec.json.encode({"model": model, **{name: value for name, value in fields.items() if name != "model"}})


def _read(data: bytes) -> Fields:
    try:
        found: object = json.loads(data.decode(), parse_float=_double)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except ValueError:
        raise ValueError("has a number that is out of range") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object, which the body of a request is")  # noqa: TRY004 - a reader has one error
    return cast(Fields, found)  # JSON's keys are strings


def _double(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError
    return number
