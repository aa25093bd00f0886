"""The services beside answers: embeddings and pictures."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tests.fakes.openai_api_errors import bad, unsupported_value
from tests.fakes.openai_api_models import Model
from tests.fakes.openai_api_reply import CREATED, digest, tokens
from tests.fakes.openai_api_shapes import array, boolean, either, integer, obj, optional, text, word
from tests.fakes.v1internal_reply import PIXEL

__all__ = ["embeddings", "picture_events", "pictures"]

Json = dict[str, Any]

_LONGEST = {"text-embedding-3-large": 3072, "text-embedding-3-small": 1536}
_MOST = 2048


def _inputs(value: Any, path: str) -> None:
    """Take a list of texts, of tokens, or of lists of tokens."""
    items = value if value and isinstance(value[0], list) else [value]
    for item in items:
        of = integer(0) if item and isinstance(item[0], int) else text(shortest=1)
        array(of, 1, _MOST)(item, path)


_EMBEDDING = obj(
    {
        "model": text(),
        "input": either("one of a string or array", string=text(shortest=1), array=_inputs),
    },
    {
        "dimensions": optional(integer(1)),
        "encoding_format": optional(word("float", "base64")),
        "user": text(),
    },
)
_PICTURE = obj(
    {"prompt": text(32_000, shortest=1)},
    {
        "model": text(),
        "n": optional(integer(1, 10)),
        "size": optional(word("auto", "1024x1024", "1536x1024", "1024x1536")),
        "quality": optional(word("auto", "low", "medium", "high")),
        "background": optional(word("auto", "transparent", "opaque")),
        "output_format": optional(word("png", "jpeg", "webp")),
        "output_compression": optional(integer(0, 100)),
        "moderation": optional(word("auto", "low")),
        "stream": optional(boolean),
        "partial_images": optional(integer(0, 3)),
        "user": text(),
    },
)


def embeddings(body: Any, model: Model) -> Json:
    """Embed texts: a vector of the wanted length, the same for the same text."""
    _EMBEDDING(body, "")
    if model.use != "embeds":
        raise bad("You are not allowed to generate embeddings from this model", status=403)
    longest = _LONGEST[model.name]
    size = body.get("dimensions") or longest
    if size > longest:
        raise unsupported_value("dimensions", size, f"The largest is {longest}.")
    texts = _each(body["input"])
    asked = sum(tokens(one) if isinstance(one, str) else len(one) for one in texts)
    data = [
        {"object": "embedding", "index": place, "embedding": _written(one, size, body.get("encoding_format"))}
        for place, one in enumerate(texts)
    ]
    return {
        "object": "list",
        "data": data,
        "model": model.name,
        "usage": {"prompt_tokens": asked, "total_tokens": asked},
    }


def _each(given: Any) -> list[Any]:
    return [given] if isinstance(given, str) or isinstance(given[0], int) else list(given)


def _written(one: Any, size: int, encoding: str | None) -> Any:
    seed = digest("embedding", one)
    vector = [int(seed[place % 56 : place % 56 + 8], 16) / 2**32 for place in range(size)]
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if encoding == "base64" else vector


def pictures(body: Any, model: Model) -> Json:
    """Draw one pixel, as often as asked for."""
    _PICTURE(body, "")
    if model.use != "draws":
        raise bad(f"Invalid value: '{model.name}'. Value must be 'gpt-image-1'.", param="model", code="invalid_value")
    count = body.get("n") or 1
    return {
        "created": CREATED,
        "data": [{"b64_json": PIXEL} for _ in range(count)],
        "background": "opaque",
        "output_format": body.get("output_format") or "png",
        "quality": "low",
        "size": "1024x1024",
        "usage": {
            "input_tokens": tokens(body["prompt"]),
            "input_tokens_details": {"text_tokens": tokens(body["prompt"]), "image_tokens": 0},
            "output_tokens": 272 * count,
            "total_tokens": tokens(body["prompt"]) + 272 * count,
        },
    }


def picture_events(body: Any, model: Model) -> list[Json]:
    """Draw one pixel as a stream does: as often as asked for before it is complete, then complete."""
    whole = pictures(body, model)
    shown = {name: whole[name] for name in ("background", "output_format", "quality", "size")}
    part = {"b64_json": PIXEL, "created_at": CREATED, **shown}
    partial = [
        {"type": "image_generation.partial_image", **part, "partial_image_index": place}
        for place in range(body.get("partial_images") or 0)
    ]
    return [*partial, {"type": "image_generation.completed", **part, "usage": whole["usage"]}]
