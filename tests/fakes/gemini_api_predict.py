"""Imagen's `predict`: pictures of one pixel, and what the service refuses of a request for them."""

from __future__ import annotations

from typing import Any

from tests.fakes.gemini_api_messages import PROTO
from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_reply import PIXEL

__all__ = ["ASPECTS", "FILTERED", "predict"]

MOST_SAMPLES = 4
ASPECTS = ("1:1", "3:4", "4:3", "9:16", "16:9")
FORMS = ("image/png", "image/jpeg")
STOPPED = "!withheld"  # a prompt with this word is stopped by the filters; with "why" they say so
FILTERED = (
    "Unable to show generated images. All images were filtered out because they violated Google's Responsible AI "
    "practices. Try rephrasing the prompt. If you think this was an error, send feedback."
)
_KNOWN = frozenset({"sampleCount", "aspectRatio", "outputOptions", "imageSize", "personGeneration", "includeRaiReason"})


def predict(body: Any) -> Json:
    """Answer `predict`."""
    request = PROTO.decode("PredictRequest", body)
    instances, parameters = request.get("instances") or [], request.get("parameters") or {}
    if len(instances) != 1 or not isinstance(instances[0], dict) or not instances[0].get("prompt"):
        raise invalid("Exactly one instance with a prompt is required.")
    count = _count(parameters)
    prompt = instances[0]["prompt"]
    if STOPPED in prompt:
        return {"predictions": [{"raiFilteredReason": FILTERED}]} if "why" in prompt else {}
    form = (parameters.get("outputOptions") or {}).get("mimeType", FORMS[0])
    return {"predictions": [{"mimeType": form, "bytesBase64Encoded": PIXEL} for _ in range(count)]}


def _count(parameters: Json) -> int:
    unknown = sorted(parameters.keys() - _KNOWN)
    if unknown:
        raise invalid(f"Unsupported parameter: {unknown[0]}")
    count: int = parameters.get("sampleCount", MOST_SAMPLES)
    if not 1 <= count <= MOST_SAMPLES:
        raise invalid(f"Number of images to generate must be between 1 and {MOST_SAMPLES} inclusive.")
    if parameters.get("aspectRatio", ASPECTS[0]) not in ASPECTS:
        raise invalid(f"Aspect ratio {parameters['aspectRatio']} is not supported. Supported: {', '.join(ASPECTS)}.")
    if (parameters.get("outputOptions") or {}).get("mimeType", FORMS[0]) not in FORMS:
        raise invalid("The output MIME type is not supported.")
    return count
