"""Checks of `generationConfig` and `safetySettings` that only the public API makes, or words in its own way."""

from __future__ import annotations

from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_turns import unread_types

__all__ = ["candidates_enabled", "categories_once", "in_range", "media_known"]

MOST_CANDIDATES = 8
RANGES = {"temperature": 2.0, "topP": 1.0}
SHOWN = {"temperature": "temperature", "topP": "top_p"}


def in_range(call: Call) -> None:
    """Sampling parameters are in their ranges."""
    for field, high in RANGES.items():
        if not 0 <= call.config.get(field, 0) <= high:
            name = SHOWN[field]
            raise invalid(
                f"* GenerateContentRequest.generation_config.{name}: {name} must be in the range [0.0, {high}].\n"
            )


def candidates_enabled(call: Call) -> None:
    """Gemini 2.5 gives up to eight candidates, later models one."""
    count = call.config.get("candidateCount", 1)
    if count > 1 and call.model.signed_calls:
        raise invalid("Multiple candidates is not enabled for this model")
    if not 1 <= count <= MOST_CANDIDATES:
        raise invalid(
            "* GenerateContentRequest.generation_config.candidate_count: "
            f"candidate_count must be in the range [1, {MOST_CANDIDATES}].\n"
        )


def categories_once(call: Call) -> None:
    """Each category of harm has one setting."""
    given = [setting.get("category") for setting in call.request.get("safetySettings") or []]
    for place, category in enumerate(given):
        if category is None or category in given[:place]:
            raise invalid(
                f"* GenerateContentRequest.safety_settings[{place}].category: category must be given, and once.\n"
            )


def media_known(call: Call) -> None:
    """The model reads this media type."""
    for mime_type in unread_types(call):
        raise invalid(f"Unsupported MIME type: {mime_type}")
