"""Read `generationConfig`: sampling, form of the answer, thinking."""

from collections.abc import Mapping
from math import isfinite
from typing import Final

from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.place import Place
from gateway.dialects.raw import NOTHING

from . import inbound_wire as wire
from .inbound_schema import schema_of

__all__ = ["FORM", "JSON", "SCHEMAS", "Options", "Text", "read_config", "text_of"]

JSON: Final = "application/json"
FORM: Final = "responseMimeType"
SCHEMAS: Final = ("responseSchema", "responseJsonSchema")
_MODALITIES: Final = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO")
_LEVELS: Final = frozenset({"minimal", "low", "medium", "high", "xhigh"})
_RESOLUTIONS: Final = (
    "MEDIA_RESOLUTION_UNSPECIFIED",
    "MEDIA_RESOLUTION_LOW",
    "MEDIA_RESOLUTION_MEDIUM",
    "MEDIA_RESOLUTION_HIGH",
)
_DETAILS: Final = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_FLOATS: Final = ("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty")
_UNSAID: Final = frozenset({"", "THINKING_LEVEL_UNSPECIFIED"})
# Fields that are not carried, and change the answer.
_CHANGES: Final = frozenset(
    {
        "audioTranscriptionConfig",
        "modelSelectionConfig",
        "routingConfig",
        "speechConfig",
        "translationConfig",
    }
)


class Options(Struct, frozen=True, kw_only=True):
    """What a generationConfig says. `detail`: of all pictures. `only`: what no other dialect can carry.

    `form`, `schema`: the fields in which the type of the answer and its schema stand.
    """

    sampling: ir.Sampling = ir.Sampling()
    output: ir.Output = ir.Output()
    reasoning: ir.Reasoning = ir.Reasoning(visible=False)
    detail: str | None = None
    only: ir.Loss | None = None
    form: str = FORM
    schema: str = SCHEMAS[0]


class Text(Struct, frozen=True):
    """What `responseFormat` says of words, and where: `at`, below generationConfig."""

    given: wire.TextFormat
    place: Place
    at: str

    @property
    def form(self) -> str:
        """The type of the answer as the older field has it: APPLICATION_JSON is application/json."""
        return (self.given.mime_type or "").lower().replace("_", "/", 1)


def read_config(raw: wire.Maybe, place: Place) -> Options:
    """Read all of it."""
    if raw is UNSET:
        return Options()
    config, rest = wire.message(raw, wire.CONFIG, place)
    for name, given in rest.items():
        place.lose(name, "not carried", "change" if name in _CHANGES and bytes(given) not in NOTHING else "hint")
    text = None if config.response_format is UNSET else text_of(config.response_format, place)
    output = _output(config, place) if text is None else _newer(text, config, place)
    return Options(
        sampling=_sampling(config, place),
        output=replace(output, modalities=_modalities(config, place), shape=_shape(config, place)),
        reasoning=_reasoning(config.thinking_config, place.at("thinkingConfig")),
        detail=_detail(config, place),
        only=_sound(config, place),
        form=FORM if text is None else f"{text.at}.mimeType",
        schema=SCHEMAS[config.response_json_schema is not UNSET] if text is None else f"{text.at}.schema",
    )


def _sampling(config: wire.Config, place: Place) -> ir.Sampling:
    for name in _FLOATS:  # proto JSON knows "NaN" and "Infinity", too
        if not isfinite(getattr(config, name) or 0):
            raise place.refuse("is not a finite number", wire.camel(name))
    if config.top_k is not None and not config.top_k.is_integer():
        place.lose("topK", "rounded down to a whole number", "hint")
    if config.logprobs and not config.response_logprobs:
        place.lose("logprobs", "ignored without responseLogprobs")
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
    schemas = {"responseJsonSchema": config.response_json_schema, "responseSchema": config.response_schema}
    return _formed(config.response_mime_type or "", FORM, schemas, place)


def _formed(form: str, field: str, schemas: Mapping[str, wire.Maybe], place: Place) -> ir.Output:
    """Read the form of the answer, of whose type `field` tells."""
    if form not in ("", "text/plain", JSON):
        place.lose(field, "responses are text or JSON", "change")
    given = {name: schema for name, schema in schemas.items() if schema is not UNSET}
    for name in [*given][form == JSON :]:
        place.lose(name, "ignored beside responseJsonSchema" if form == JSON else f"ignored without {JSON}", "change")
    if form != JSON:
        return ir.Output()
    if not given:
        return ir.Output(kind="json")
    name, schema = next(iter(given.items()))
    return ir.Output(kind="schema", schema=schema_of(schema, place, name, googles=name == "responseSchema"))


def text_of(formats: Raw, place: Place) -> Text | None:
    """Find what is said of words; of pictures, sound and films nothing is carried."""
    found: Text | None = None
    for at, raw in wire.items(formats, place.at("responseFormat")):
        for kind, value in wire.fields_of(raw, at).items():
            if kind != "text" or found is not None:
                at.lose(kind, "not carried", "change")
                continue
            inner = at.at(kind)
            given = wire.known(value, wire.TEXT_FORMAT, inner)
            if given.mime_type or given.schema is not UNSET:
                found = Text(given, inner, inner.path.removeprefix(f"{place.path}."))
    return found


def _newer(text: Text, config: wire.Config, place: Place) -> ir.Output:
    """Read what `responseFormat` says: it holds, whatever the older fields beside it say."""
    older = {
        FORM: config.response_mime_type is not None,
        "responseJsonSchema": config.response_json_schema is not UNSET,
        "responseSchema": config.response_schema is not UNSET,
    }
    for name in (name for name, given in older.items() if given):
        place.lose(name, "responseFormat already says it")
    return _formed(text.form, "mimeType", {"schema": text.given.schema}, text.place)


def _modalities(config: wire.Config, place: Place) -> tuple[str, ...]:
    """Read what the answer may consist of, if it is not text alone."""
    given = _wanted(config)
    if any(one.upper() not in _MODALITIES for one in given):
        place.lose("responseModalities", "responses are text, images or audio", "change")
    return given if "image" in given else ()


def _shape(config: wire.Config, place: Place) -> ir.Shape | None:
    """Read how pictures of the answer are to be."""
    if config.image_config is UNSET:
        return None
    at = place.at("imageConfig")
    given, rest = wire.message(config.image_config, wire.IMAGE_CONFIG, at)
    for name in rest:
        at.lose(name, "not carried", "change")
    if not given.aspect_ratio and not given.image_size:
        return None
    return ir.Shape(ratio=given.aspect_ratio, size=given.image_size, path=at.path)


def _wanted(config: wire.Config) -> tuple[str, ...]:
    given = config.response_modalities
    several = given if isinstance(given, list) else [given]
    return tuple(name.lower() for one in several if (name := wire.named(one, _MODALITIES)) is not None)


def _reasoning(raw: wire.Maybe, place: Place) -> ir.Reasoning:
    """Read how much to think; thoughts are shown to those who asked for them, and only to them."""
    if raw is UNSET:
        return ir.Reasoning(visible=False)
    thinking = wire.known(raw, wire.THINKING, place)
    visible = bool(thinking.include_thoughts)
    level = (thinking.thinking_level or "").lower()
    if level and level.upper() not in _UNSAID:
        if level not in _LEVELS:
            raise place.refuse(
                f"{thinking.thinking_level!r} is not one of {', '.join(sorted(_LEVELS))}", "thinkingLevel"
            )
        if thinking.thinking_budget is not None:
            place.lose("thinkingBudget", "thinkingLevel already says it")
        return ir.Reasoning(mode="level", level=level, visible=visible)
    budget = thinking.thinking_budget
    if budget is None:
        return ir.Reasoning(mode="auto" if visible else "unset", visible=visible)
    if budget == 0 and visible:
        place.lose("includeThoughts", "there are none: the budget is 0")
    if budget < 0:
        return ir.Reasoning(mode="auto", budget=budget, visible=visible)
    if budget == 0:
        return ir.Reasoning(mode="off", visible=False)
    return ir.Reasoning(mode="budget", budget=budget, visible=visible)


def _detail(config: wire.Config, place: Place) -> str | None:
    given = wire.named(config.media_resolution, _RESOLUTIONS)
    if given is not None and given not in _DETAILS:
        place.lose("mediaResolution", "there is no equivalent")
    return _DETAILS.get(given or "")


def _sound(config: wire.Config, place: Place) -> ir.Loss | None:
    """Keep calls for sound to upstreams of this dialect: a text would be the wrong answer."""
    if "audio" not in _wanted(config):
        return None
    return ir.Loss(f"{place.path}.responseModalities", "only Gemini models respond with audio", "content")
