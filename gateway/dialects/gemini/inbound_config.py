"""Read `generationConfig`: sampling, form of the answer, thinking."""

from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.place import Place

from . import inbound_wire as wire
from .inbound_schema import schema_of

__all__ = ["Options", "read_config"]

_JSON: Final = "application/json"
_SCHEMAS: Final = ("responseSchema", "responseJsonSchema")
_MODALITIES: Final = frozenset({"TEXT", "IMAGE", "AUDIO", "MODALITY_UNSPECIFIED"})
_LEVELS: Final = frozenset({"minimal", "low", "medium", "high", "xhigh"})
_DETAILS: Final = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_UNSAID: Final = frozenset({"", "THINKING_LEVEL_UNSPECIFIED"})
# Fields that are not carried, and change the answer.
_CHANGES: Final = frozenset(
    {
        "audioTranscriptionConfig",
        "imageConfig",
        "modelSelectionConfig",
        "responseFormat",
        "routingConfig",
        "speechConfig",
        "translationConfig",
    }
)


class Options(Struct, frozen=True, kw_only=True):
    """What a generationConfig says. `detail`: of all pictures. `only`: what no other dialect can carry.

    `schema`: the field in which the schema of the answer stands.
    """

    sampling: ir.Sampling = ir.Sampling()
    output: ir.Output = ir.Output()
    reasoning: ir.Reasoning = ir.Reasoning(visible=False)
    detail: str | None = None
    only: ir.Loss | None = None
    schema: str = _SCHEMAS[0]


def read_config(raw: wire.Maybe, place: Place) -> Options:
    """Read all of it."""
    if raw is UNSET:
        return Options()
    config, rest = wire.message(raw, wire.CONFIG, place)
    for name in rest:
        place.lose(name, "not carried", "change" if name in _CHANGES else "hint")
    return Options(
        sampling=_sampling(config, place),
        output=replace(_output(config, place), modalities=_modalities(config, place)),
        reasoning=_reasoning(config.thinking_config, place.at("thinkingConfig")),
        detail=_detail(config, place),
        only=_sound(config, place),
        schema=_SCHEMAS[config.response_json_schema is not UNSET],
    )


def _sampling(config: wire.Config, place: Place) -> ir.Sampling:
    if config.top_k is not None and not config.top_k.is_integer():
        place.lose("topK", "cut to a whole number", "hint")
    if config.logprobs and not config.response_logprobs:
        place.lose("logprobs", "not read without responseLogprobs")
    return ir.Sampling(
        max_tokens=config.max_output_tokens or None,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=int(config.top_k) if config.top_k else None,
        seed=config.seed,
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        stop=tuple(filter(None, wire.strings(config.stop_sequences))),
        n=config.candidate_count if (config.candidate_count or 1) > 1 else None,
        logprobs=(config.logprobs or 0) if config.response_logprobs else None,
    )


def _output(config: wire.Config, place: Place) -> ir.Output:
    form = config.response_mime_type or ""
    if form not in ("", "text/plain", _JSON):
        place.lose("responseMimeType", "answers are text or JSON", "change")
    schemas = {"responseJsonSchema": config.response_json_schema, "responseSchema": config.response_schema}
    given = {name: schema for name, schema in schemas.items() if schema is not UNSET}
    for name in [*given][form == _JSON :]:
        place.lose(name, "not read beside responseJsonSchema" if form == _JSON else f"only read with {_JSON}", "change")
    if form != _JSON:
        return ir.Output()
    if not given:
        return ir.Output(kind="json")
    name, schema = next(iter(given.items()))
    return ir.Output(kind="schema", schema=schema_of(schema, place, name, googles=name == "responseSchema"))


def _modalities(config: wire.Config, place: Place) -> tuple[str, ...]:
    """Read what the answer may consist of, if it is not text alone."""
    given = tuple(one.lower() for one in wire.strings(config.response_modalities))
    if any(one.upper() not in _MODALITIES for one in given):
        place.lose("responseModalities", "answers are text, images or sound", "change")
    return given if "image" in given else ()


def _reasoning(raw: wire.Maybe, place: Place) -> ir.Reasoning:
    """Read how much to think; thoughts are shown to those who asked for them, and only to them."""
    if raw is UNSET:
        return ir.Reasoning(visible=False)
    thinking, rest = wire.message(raw, wire.THINKING, place)
    place.lose_unknown(rest, ())
    visible = bool(thinking.include_thoughts)
    level = (thinking.thinking_level or "").lower()
    if level and level.upper() not in _UNSAID:
        if level not in _LEVELS:
            raise place.refuse(f"{thinking.thinking_level!r} is none of {', '.join(sorted(_LEVELS))}", "thinkingLevel")
        if thinking.thinking_budget is not None:
            place.lose("thinkingBudget", "thinkingLevel says it already")
        return ir.Reasoning(mode="level", level=level, visible=visible)
    budget = thinking.thinking_budget
    if budget is None:
        return ir.Reasoning(mode="auto" if visible else "unset", visible=visible)
    if budget == 0 and visible:
        place.lose("includeThoughts", "there are none: the budget is 0")
    if budget <= 0:
        return ir.Reasoning(mode="auto" if budget < 0 else "off", visible=visible and budget < 0)
    return ir.Reasoning(mode="budget", budget=budget, visible=visible)


def _detail(config: wire.Config, place: Place) -> str | None:
    given = config.media_resolution
    if given is not None and given not in _DETAILS:
        place.lose("mediaResolution", "there is no equivalent")
    return _DETAILS.get(given or "")


def _sound(config: wire.Config, place: Place) -> ir.Loss | None:
    """Keep calls for sound to upstreams of this dialect: a text would be the wrong answer."""
    if "audio" not in map(str.lower, wire.strings(config.response_modalities)):
        return None
    return ir.Loss(f"{place.path}.responseModalities", "answers in sound are Gemini's own", "content")
