"""Embeddings and Imagen of Vertex AI, and what the service refuses of the calls for them.

The fields are those that google-genai writes and reads with `vertexai=True`; a model embeds by `predict` or by
`embedContent`, as that library tells them apart. The numbers of a `predict` answer are those of a protobuf Value.
"""

from __future__ import annotations

import math
from typing import Any

from tests.fakes.gemini_api_embeddings import vector
from tests.fakes.gemini_api_predict import ASPECTS, FILTERED
from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_errors import google, invalid
from tests.fakes.v1internal_reply import PIXEL
from tests.fakes.vertex_api_messages import PROTO

__all__ = [
    "EMBEDDERS",
    "PAINTERS",
    "count_instances",
    "dimensions_of",
    "draw",
    "embed_content",
    "embed_texts",
    "methods",
]

EMBEDDERS = (
    "gemini-embedding-001",
    "gemini-embedding-2",
    "text-embedding-005",
    "text-multilingual-embedding-002",
)
PAINTERS = ("imagen-4.0-generate-001",)
MOST_TOKENS, MOST_OF_A_TEXT = 20_000, 2048
MOST_SAMPLES = 4
FORMS = ("image/png", "image/jpeg")
STOPPED = "!withheld"  # a prompt with this word is stopped by the filters
LEARN = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings"
_INSTANCE = frozenset({"content", "task_type", "title", "mimeType"})
_PARAMETERS = frozenset({"outputDimensionality", "autoTruncate"})
_DRAWING = frozenset(
    {
        "addWatermark",
        "aspectRatio",
        "enhancePrompt",
        "guidanceScale",
        "includeRaiReason",
        "includeSafetyAttributes",
        "language",
        "negativePrompt",
        "outputOptions",
        "personGeneration",
        "safetySetting",
        "sampleCount",
        "sampleImageSize",
        "seed",
        "storageUri",
    }
)


def methods(name: str) -> frozenset[str]:
    """Give the calls that such a model takes; none for a model that answers."""
    if name in PAINTERS:
        return frozenset({"predict"})
    if name not in EMBEDDERS:
        return frozenset()
    return _embeds_by(name) | {"countTokens"}


def _embeds_by(name: str) -> frozenset[str]:
    if name == "gemini-embedding-001":  # older clients ask it by the first
        return frozenset({"predict", "embedContent"})
    return frozenset({"embedContent" if "maas" in name or "gemini" in name else "predict"})


def dimensions_of(name: str) -> int:
    """Say how long the vectors of a model are, and can be at most."""
    return 3072 if name.startswith("gemini-") else 768


# embeddings


def embed_texts(body: Any, name: str, most: int) -> Json:
    """Answer `predict` of a model that embeds; `most`: how many texts a location takes in one call."""
    request = PROTO.decode("PredictRequest", body)
    instances, parameters = request.get("instances") or [], _known(request.get("parameters") or {}, _PARAMETERS)
    if not instances:
        raise invalid("Invalid instances: at least one instance is required.")
    _few_enough(len(instances), 1 if name.startswith("gemini-") else most)
    size = _size(parameters, name)
    made = [_embedded(instance, size, parameters) for instance in instances]
    total = sum(tokens for _, tokens in made)
    if total > MOST_TOKENS:
        raise invalid(
            f"Unable to submit request because the input token count is {total} but the model supports up to "
            f"{MOST_TOKENS}. Reduce the input token count and try again. You can also use the CountTokens API to "
            f"calculate prompt token count and billable characters. {LEARN}"
        )
    return {
        "predictions": [{"embeddings": embeddings} for embeddings, _ in made],
        "metadata": {"billableCharacterCount": sum(len(one["content"]) for one in instances)},
    }


def _few_enough(count: int, most: int) -> None:
    if count <= most:
        return
    if most == 1:
        raise invalid(
            "Unable to submit request because it included too many instances. Reduce the number of instances and try "
            f"again. {LEARN}: Unable to submit request because batchSize must be 1 but the entered value was {count}. "
            "Update the batchSize value and try again."
        )
    raise invalid(f"{most} instance(s) is allowed per prediction. Actual: {count}")


def _embedded(instance: Any, size: int, parameters: Json) -> tuple[Json, int]:
    if not isinstance(instance, dict) or not isinstance(instance.get("content"), str) or not instance["content"]:
        raise invalid("The text content is empty.")
    _known(instance, _INSTANCE)
    _task(instance.get("task_type"), instance.get("title"))
    tokens, truncated = _within(instance["content"], parameters.get("autoTruncate", True))
    statistics = {"truncated": truncated, "token_count": float(tokens)}
    return {"statistics": statistics, "values": vector(instance["content"], size)}, tokens


def embed_content(body: Any, name: str) -> Json:
    """Answer `embedContent`: one content, whatever its parts."""
    request = PROTO.decode("EmbedContentRequest", body)
    options = request | (request.get("embedContentConfig") or {})
    if not (request.get("content") or {}).get("parts"):
        raise invalid("Unable to submit request because it must have a content field with parts. " + LEARN)
    _task(options.get("taskType"), options.get("title"))
    parts = request["content"]["parts"]
    text = "\n".join(part.get("text", "") for part in parts)
    tokens, truncated = _within(text, options.get("autoTruncate", True), 4 * MOST_OF_A_TEXT)
    answer: Json = {
        "embedding": {"values": vector(text, _size(options, name))},
        "usageMetadata": {"promptTokenCount": tokens + 258 * sum("text" not in part for part in parts)},
    }
    return answer | {"truncated": True} if truncated else answer


def count_instances(body: Any) -> Json:
    """Answer `countTokens` for a model that embeds: it counts instances, and no contents."""
    instances = PROTO.decode("CountTokensRequest", body).get("instances")
    if not instances:
        raise invalid("Should provide instances for text model prediction.")
    return {"totalTokens": sum(_tokens(one["content"]) for one in instances)}


def _within(text: str, truncates: bool, most: int = MOST_OF_A_TEXT) -> tuple[int, bool]:
    tokens = _tokens(text)
    if tokens > most and not truncates:
        raise invalid(
            f"Unable to submit request because the input token count is {tokens} but the model supports up to {most} "
            f"for one text. Set autoTruncate to true, or reduce the input token count and try again. {LEARN}"
        )
    return min(tokens, most), tokens > most


def _task(task: Any, title: Any) -> None:
    if task is not None and task not in PROTO.enums["TaskType"]:
        raise invalid(f"Invalid task_type: {task}.")
    if title is not None and task != "RETRIEVAL_DOCUMENT":
        raise invalid("The title is only valid with task_type RETRIEVAL_DOCUMENT.")


def _size(options: Json, name: str) -> int:
    most = dimensions_of(name)
    given: int = options.get("outputDimensionality", most)
    if not 1 <= given <= most:
        raise invalid(
            f"Unable to submit request because outputDimensionality must be in the range [1, {most}]. {LEARN}"
        )
    return given


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _known(given: Json, names: frozenset[str]) -> Json:
    unknown = sorted(given.keys() - names)
    if unknown:
        raise invalid(f"Unsupported parameter: {unknown[0]}")
    return given


# pictures


def draw(body: Any) -> Json:
    """Answer `predict` of Imagen; why a picture is withheld is said to who asks for it."""
    request = PROTO.decode("PredictRequest", body)
    instances = request.get("instances") or []
    if len(instances) != 1 or not isinstance(instances[0], dict) or not instances[0].get("prompt"):
        raise invalid("Exactly one instance with a prompt is required.")
    parameters = _known(request.get("parameters") or {}, _DRAWING)
    count, form = _count(parameters), _form(parameters.get("outputOptions") or {})
    if parameters.get("aspectRatio", ASPECTS[0]) not in ASPECTS:
        raise invalid(f"Aspect ratio {parameters['aspectRatio']} is not supported. Supported: {', '.join(ASPECTS)}.")
    if "seed" in parameters and parameters.get("addWatermark", True):
        raise invalid("Seed is not supported when watermark is enabled.")
    if str(parameters.get("sampleImageSize", "1K")).upper() not in {"1K", "2K"}:
        raise google(400, f"Unsupported sampleImageSize: {parameters['sampleImageSize']}.")
    if STOPPED in instances[0]["prompt"]:
        return {"predictions": [{"raiFilteredReason": FILTERED}]} if parameters.get("includeRaiReason") else {}
    return {"predictions": [{"mimeType": form, "bytesBase64Encoded": PIXEL} for _ in range(count)]}


def _count(parameters: Json) -> int:
    count: int = parameters.get("sampleCount", MOST_SAMPLES)
    if not 1 <= count <= MOST_SAMPLES:
        raise invalid(f"Number of images to generate must be between 1 and {MOST_SAMPLES} inclusive.")
    return count


def _form(options: Json) -> str:
    form: str = options.get("mimeType", FORMS[0])
    if form not in FORMS:
        raise invalid("The output MIME type is not supported.")
    if "compressionQuality" in options and form != "image/jpeg":
        raise invalid("Compression quality is only supported for image/jpeg.")
    return form
