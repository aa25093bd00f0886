"""Embeddings: vectors that depend on the text alone, and what the service refuses of a request for them."""

from __future__ import annotations

import math
import random
from typing import Any

from tests.fakes.gemini_api_checks import SHAPE, judged, same_model
from tests.fakes.gemini_api_messages import PROTO
from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_reply import content_tokens

__all__ = ["MOST_DIMENSIONS", "batch_embed_contents", "embed_content", "vector"]

MOST_DIMENSIONS = 3072
MOST_REQUESTS = 100


def embed_content(body: Any, name: str, model: Model) -> Json:
    """Answer `embedContent`."""
    request = PROTO.decode("EmbedContentRequest", body)
    values, tokens = _embedded(request, name, model, "EmbedContentRequest")
    return {"embedding": {"values": values}, "usageMetadata": {"promptTokenCount": tokens}}


def batch_embed_contents(body: Any, name: str, model: Model) -> Json:
    """Answer `batchEmbedContents`, one vector for each request; each names the model of the path again."""
    batch = PROTO.decode("BatchEmbedContentsRequest", body)
    requests = batch.get("requests") or []
    if len(requests) > MOST_REQUESTS:
        raise invalid(f"* BatchEmbedContentsRequest.requests: at most {MOST_REQUESTS} requests can be in one batch\n")
    if not requests:
        raise invalid("* BatchEmbedContentsRequest.requests: requests is required.\n")
    answers = []
    for place, request in enumerate(requests):
        shown = f"BatchEmbedContentsRequest.requests[{place}]"
        if "model" not in request:
            raise invalid(f"* {shown}.model: model is required.\n")
        answers.append(_embedded(request, name, model, shown))
    return {
        "embeddings": [{"values": values} for values, _ in answers],
        "usageMetadata": {"promptTokenCount": sum(tokens for _, tokens in answers)},
    }


def vector(text: str, dimensions: int = MOST_DIMENSIONS) -> list[float]:
    """Make the vector of a text, of length 1."""
    drawn = random.Random(text)
    values = [drawn.gauss() for _ in range(dimensions)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


def _embedded(request: Json, name: str, model: Model, shown: str) -> tuple[list[float], int]:
    same_model(request, name, shown)
    if "content" not in request:
        raise invalid(f"* {shown}.content: contents is not specified\n")
    dimensions = request.get("outputDimensionality", MOST_DIMENSIONS)
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise invalid(f"* {shown}.output_dimensionality: must be in the range [1, {MOST_DIMENSIONS}].\n")
    if "title" in request and request.get("taskType") != "RETRIEVAL_DOCUMENT":
        raise invalid(f"* {shown}.title: only allowed when task_type is RETRIEVAL_DOCUMENT.\n")
    call = judged({"contents": [request["content"]]}, model, SHAPE)
    text = "\n".join(part.get("text", "") for _, part in call.parts)
    return vector(text, dimensions), content_tokens(call)
