"""Embeddings and pictures by Google's models: the bodies that ask for them, and what is read from the answers.

embedContent, batchEmbedContents     texts; up to 100 in one call
predict                              Imagen; up to 4 pictures in one call
generateContent                      Gemini models that draw; one picture a call
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway import ir
from gateway.dialects.openai_embeddings import Texts, Vector
from gateway.dialects.openai_images import Picture, Wanted, nearest_shape
from gateway.errors import UpstreamMalformed, UpstreamRejected
from gateway.sse import Decoder

from .errors import mask
from .usage import Tally
from .wire import Chunk, UsageMetadata, finish_of, read_chunks

__all__ = [
    "BATCH",
    "JSON",
    "Drawn",
    "Embedded",
    "Step",
    "read_answer",
    "read_drawn",
    "read_embedded",
    "shape_losses",
    "write_assisted",
    "write_drawings",
    "write_texts",
]

BATCH: Final = 100
_IMAGEN: Final = "imagen"
_IMAGEN_AT_ONCE: Final = 4
_IMAGEN_SHAPES: Final = ("1:1", "3:4", "4:3", "9:16", "16:9")
_GEMINI_SHAPES: Final = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_SIZES: Final = {"1K": 1024, "2K": 2048}
_USUAL: Final = (1024, 1024)  # what a square is drawn as
_IMAGEN_FORMS: Final = ("png", "jpeg")
_BLOCKED: Final = "moderation_blocked"  # OpenAI's word for a picture that is withheld

JSON = dict[str, object]

_T = TypeVar("_T")


class Step(Struct, frozen=True):
    """One call: the method of the model, and the body."""

    verb: str
    body: JSON


def read_answer(body: bytes, read: Callable[[bytes], _T]) -> _T:
    """Read the answer to one call; raise UpstreamMalformed."""
    try:
        return read(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"the upstream's response cannot be read: {mask(str(error))}") from None


# embeddings


def write_texts(texts: Texts, model: str) -> list[Step]:
    """Write the calls for some texts; `model`: its resource name, which each request of a batch repeats."""
    requests = [_request(text, texts.dimensions, model) for text in texts.texts]
    if len(requests) == 1:
        return [Step("embedContent", requests[0])]
    starts = range(0, len(requests), BATCH)
    return [Step("batchEmbedContents", {"requests": requests[start : start + BATCH]}) for start in starts]


def _request(text: str, dimensions: int | None, model: str) -> JSON:
    request: JSON = {"model": model, "content": {"parts": [{"text": text}]}}
    return request if dimensions is None else request | {"outputDimensionality": dimensions}


class _Values(Struct):
    values: list[float]


class _Embeddings(Struct, rename="camel"):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: UsageMetadata | None = None


class Embedded(Struct, frozen=True):
    """The vectors of one call, and the tokens of its texts where they were counted."""

    vectors: Sequence[Vector]
    usage: ir.Usage | None


_EMBEDDINGS: Final = msgspec.json.Decoder(_Embeddings, strict=False)


def read_embedded(body: bytes) -> Embedded:
    """Read the answer to one call; raise UpstreamMalformed."""
    given = read_answer(body, _EMBEDDINGS.decode)
    found = [given.embedding] if given.embedding is not None else given.embeddings or []
    return Embedded([one.values for one in found], _usage(given.usage_metadata))


# pictures


def write_drawings(wanted: Wanted, model: str) -> list[Step]:
    """Write the calls for some pictures."""
    if model.startswith(_IMAGEN):
        return list(_predictions(wanted))
    config: JSON = {"responseModalities": ["IMAGE"]}
    if wanted.size is not None:
        config["imageConfig"] = {"aspectRatio": nearest_shape(wanted.size, _GEMINI_SHAPES)}
    return [_generation(wanted, config)] * wanted.count


def write_assisted(wanted: Wanted) -> list[Step]:
    """Write the calls to Code Assist, which knows no modalities, but sizes by the longer edge (v1internal.md §7)."""
    config: JSON = {}
    if wanted.size is not None:
        size = next((name for name, edge in _SIZES.items() if max(wanted.size) <= edge), "4K")
        shape = nearest_shape(wanted.size, _GEMINI_SHAPES)
        config["imageConfig"] = {"aspectRatio": shape, "imageSize": size}
    return [_generation(wanted, config)] * wanted.count


def _generation(wanted: Wanted, config: JSON) -> Step:
    body: JSON = {"contents": [{"role": "user", "parts": [{"text": wanted.prompt}]}]}
    return Step("generateContent", body | {"generationConfig": config} if config else body)


def _predictions(wanted: Wanted) -> Iterator[Step]:
    parameters: JSON = {"includeRaiReason": True}  # of a picture that is withheld
    if wanted.size is not None:
        parameters["aspectRatio"] = nearest_shape(wanted.size, _IMAGEN_SHAPES)
    if wanted.form in _IMAGEN_FORMS:
        parameters["outputOptions"] = {"mimeType": f"image/{wanted.form}"}
    for start in range(0, wanted.count, _IMAGEN_AT_ONCE):
        count = min(_IMAGEN_AT_ONCE, wanted.count - start)
        body: JSON = {"instances": [{"prompt": wanted.prompt}], "parameters": {"sampleCount": count} | parameters}
        yield Step("predict", body)


def shape_losses(wanted: Wanted, model: str) -> tuple[ir.Loss, ...]:
    """Say what the model draws otherwise than it is wanted."""
    imagen = model.startswith(_IMAGEN)
    losses: list[ir.Loss] = []
    if wanted.size not in (None, _USUAL):
        assert wanted.size is not None, "None is among those"
        shape = nearest_shape(wanted.size, _IMAGEN_SHAPES if imagen else _GEMINI_SHAPES)
        losses.append(ir.Loss("size", f"this upstream takes an aspect ratio only: {shape} was asked for", "change"))
    forms = _IMAGEN_FORMS if imagen else ("png",)
    if wanted.form not in (None, *forms):
        losses.append(ir.Loss("output_format", f"this upstream makes {' or '.join(forms)}", "change"))
    return tuple(losses)


class _Prediction(Struct, rename="camel"):
    bytes_base64_encoded: str | None = None
    mime_type: str = "image/png"
    rai_filtered_reason: str | None = None


class _Predicted(Struct):
    predictions: list[_Prediction] | None = None


_PREDICTED: Final = msgspec.json.Decoder(_Predicted)
# why a model ends without a picture, and yet without an objection to the prompt
_ENDS: Final = frozenset({None, "STOP", "MAX_TOKENS", "NO_IMAGE", "IMAGE_OTHER", "OTHER"})
_NONE_PASSED: Final = "the safety filters blocked every image"
_MOST_SAID: Final = 300


class Drawn(Struct, frozen=True):
    """The pictures of one call, and the tokens where they were counted."""

    pictures: Sequence[Picture]
    usage: ir.Usage | None = None


def read_drawn(body: bytes, verb: str) -> Drawn:
    """Read the answer to one call; raise UpstreamRejected where it is withheld, UpstreamMalformed without any."""
    drawn, reason, said = read_answer(body, _READERS[verb])
    if drawn.pictures:
        return drawn
    if reason:
        raise UpstreamRejected(f"the image is withheld: {mask(reason)}", code=_BLOCKED)
    raise UpstreamMalformed(f"the upstream responded without an image{said and f': {mask(said)}'}")


def _generated(body: bytes) -> tuple[Drawn, str, str]:
    """Read a generateContent answer: its pictures, why there are none, and what is said in their place."""
    chunks = _said(body)
    candidates = [one for chunk in chunks for one in chunk.candidates or ()]
    parts = [part for one in candidates if one.content is not None for part in one.content.parts or ()]
    blobs = [part.inline_data or part.inline_data_twin for part in parts if not part.thought]
    pictures = [Picture(one.data, one.mime_type or "image/png") for one in blobs if one is not None and one.data]
    usage = _usage(*[chunk.usage_metadata for chunk in chunks])
    feedback = next((chunk.prompt_feedback for chunk in chunks if chunk.prompt_feedback is not None), None)
    ended = next((one for one in candidates if finish_of(one) not in _ENDS), None)
    words = "".join(part.text or "" for part in parts if not part.thought).strip()
    said = (words or next((one.finish_message for one in candidates if one.finish_message), ""))[:_MOST_SAID]
    if feedback is not None and feedback.block_reason:
        return Drawn(pictures, usage), feedback.block_reason_message or feedback.block_reason, said
    return Drawn(pictures, usage), (ended.finish_message or finish_of(ended) or "") if ended is not None else "", said


def _said(body: bytes) -> list[Chunk]:
    """Read an answer in one document, or in the events of a server that only streams."""
    decoder = Decoder()
    events = [] if body.lstrip()[:1] in (b"{", b"[") else decoder.feed(body) + decoder.close()
    return [chunk for event in events for chunk in read_chunks(event)] if events else read_chunks(body)


def _predicted(body: bytes) -> tuple[Drawn, str, str]:
    """Read a predict answer; Imagen leaves out what its filters stop, and may say why."""
    predictions = _PREDICTED.decode(body).predictions or []
    pictures = [Picture(one.bytes_base64_encoded, one.mime_type) for one in predictions if one.bytes_base64_encoded]
    reasons = (one.rai_filtered_reason for one in predictions if one.rai_filtered_reason)
    return Drawn(pictures), next(reasons, _NONE_PASSED), ""


_READERS: Final = {"generateContent": _generated, "predict": _predicted}


def _usage(*counts: UsageMetadata | None) -> ir.Usage | None:
    tally = Tally()
    for counted in filter(None, counts):
        tally.add(counted)
    usage = tally.usage()
    return usage if usage is not None and (usage.input or usage.output) else None
