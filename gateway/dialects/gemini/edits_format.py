"""The further edits on Code Assist, which has lower limits, and only the older fields for the form of an answer."""

from typing import Final

import msgspec
from msgspec import UNSET, Raw

from gateway.dialects.edits import RequestEdit, Words
from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import Fields

from .edits import config_of
from .inbound_config import FORM, JSON, SCHEMAS, Text, text_of
from .inbound_wire import camel
from .own import Own

__all__ = ["FORMAT", "LIMIT"]

_encode: Final = msgspec.json.Encoder().encode

_MOST: Final = "maxOutputTokens"
_NEWER: Final = "responseFormat"
_OLDER: Final = frozenset({FORM, *SCHEMAS})
_SCHEMA: Final = SCHEMAS[1]  # of JSON, as the newer field has it


def _limit(words: Words[Own]) -> None:
    """Cut what is asked for to what the model can give."""
    wanted, limit = words.request.sampling.max_tokens, words.target.limit
    if wanted is None or limit is None or wanted <= limit:
        return
    name, config = config_of(words)
    given = next((one for one in config if camel(one) == _MOST), _MOST)
    words.lose(f"{name}.{given}", f"cut to the model's limit of {limit}")
    words.put(name, {**config, given: limit})


def _format(words: Words[Own]) -> None:
    """Say in the older fields what `responseFormat` says of words; it holds, whatever they say beside it."""
    name, config = config_of(words)
    given = next((one for one in config if camel(one) == _NEWER), None)
    if given is None:
        return
    place = Place(name, words.losses)
    text = None if is_null(config[given]) else text_of(config[given], place)
    kept = {one: value for one, value in config.items() if one != given}
    if text is not None:
        for one in [one for one in kept if camel(one) in _OLDER]:
            if not is_null(kept.pop(one)):
                place.lose(camel(one), "responseFormat already says it")
        kept |= _older(text)
    words.put(name, kept)


def _older(text: Text) -> Fields:
    """Say it in the older fields, which have a schema of JSON alone."""
    said = {FORM: Raw(_encode(text.form))} if text.form else {}
    if text.given.schema is not UNSET:
        if text.form == JSON:
            said[_SCHEMA] = text.given.schema
        else:
            text.place.lose("schema", f"ignored without {JSON}", "change")
    return said


LIMIT: Final[RequestEdit[Own]] = RequestEdit(
    name="limit", why="Code Assist rejects a limit above the model's own, which is lower there", apply=_limit
)
FORMAT: Final[RequestEdit[Own]] = RequestEdit(
    name="format", why="Code Assist supports only the older names of responseFormat", apply=_format
)
