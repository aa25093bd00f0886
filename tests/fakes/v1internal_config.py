"""Checks of `generationConfig` and of what a drawing model takes."""

from __future__ import annotations

from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_errors import invalid, recorded

MAX_STOPS = 5
JSON_TYPE = "application/json"
RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
SIZES = ("1K", "2K", "4K")


def output_in_range(call: Call) -> None:
    """The output limit is one the model has."""
    limit = call.config.get("maxOutputTokens")
    highest = call.model.max_output
    if limit is not None and not (1 <= limit <= highest or (call.model.is_claude and limit > highest)):
        raise _out_of_range("maxOutputTokens", limit, "1 (inclusive)", f"{highest + 1} (exclusive)")


def temperature_in_range(call: Call) -> None:
    """The temperature is between 0 and 2."""
    temperature = call.config.get("temperature", 1)
    if not 0 <= temperature <= 2:
        raise _out_of_range("temperature", temperature, "0 (inclusive)", "2.0001 (exclusive)")


def penalties_enabled(call: Call) -> None:
    """The service knows penalties; newer models have none."""
    given = any(call.config.get(field) for field in ("presencePenalty", "frequencyPenalty"))
    if given and not call.penalties_known:
        raise invalid(f"Penalty is not enabled for models/{call.model.name}")


def stops_in_range(call: Call) -> None:
    """There are at most five stop sequences, none of them empty; a list of none is none given, as in any proto."""
    stops = call.config.get("stopSequences")
    if not stops:
        return
    if len(stops) > MAX_STOPS:
        raise _out_of_range("stopSequences", len(stops), "1 (inclusive)", f"{MAX_STOPS + 1} (exclusive)")
    if "" in stops:
        raise invalid(
            "* GenerateContentRequest.generation_config.stop_sequences"
            f"[{stops.index('')}]: stop sequence must not be empty.\n"
        )


def one_response_schema(call: Call) -> None:
    """A response schema is given in one of the two ways, and only for JSON."""
    given = [name for name in ("responseSchema", "responseJsonSchema") if name in call.config]
    if len(given) > 1:
        raise invalid(
            "* GenerateContentRequest.generation_config: "
            "response_schema and response_json_schema are mutually exclusive.\n"
        )
    if given and call.config.get("responseMimeType") != JSON_TYPE:
        raise invalid(
            "* GenerateContentRequest.generation_config.response_schema: "
            "only allowed when response_mime_type is application/json.\n"
        )


def json_without_functions(call: Call) -> None:
    """Models before Gemini 3 answer in JSON, or call functions."""
    wants_json = call.config.get("responseMimeType") == JSON_TYPE
    if wants_json and call.declarations and not call.model.json_with_tools:
        raise invalid("Function calling with a response mime type: 'application/json' is unsupported")


def features_enabled(call: Call) -> None:
    """A drawing model takes no tools, no system instruction, no JSON mode; nor does Gemma 3."""
    given = {
        "Function calling": bool(call.tools),
        "Developer instruction": "systemInstruction" in call.request,
        "JSON mode": "responseMimeType" in call.config,
    }
    for feature, used in given.items():
        if used and feature in call.model.lacks:
            raise invalid(f"{feature} is not enabled for models/{call.model.name}")


def drawing_size(call: Call) -> None:
    """A picture has a known ratio and size."""
    picture = call.config.get("imageConfig") or {}
    for field, known in (("aspectRatio", RATIOS), ("imageSize", SIZES)):
        if field in picture and picture[field] not in known:
            raise invalid(f"Unable to submit request because {field} must be one of {', '.join(known)}.")


def drawing_in_one_piece(call: Call) -> None:
    """A chunked upload to a drawing model is answered with a bare 429."""
    if call.model.draws and call.headers.get("transfer-encoding") == "chunked":
        raise recorded("429_bare")


def _out_of_range(field: str, value: float, low: str, high: str) -> Exception:
    return invalid(
        f"Unable to submit request because it has a {field} value of {value:g} but the supported range is from "
        f"{low} to {high}. Update the value and try again."
    )
