"""The shapes of an answer as they come over the wire, each chunk in one typed decode.

    {"response": {chunk}, "traceId": …}   as Code Assist sends it
    {chunk}                               as mirrors and the Gemini API send it
    {"error": {…}}                        an error under status 200

Every field may be missing or null. snake_case twins of a few fields come from proxies in between.
"""

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from gateway import ir
from gateway.dialects.raw import NULL, read

__all__ = [
    "Blob",
    "Call",
    "Candidate",
    "Chunk",
    "Code",
    "CodeResult",
    "Envelope",
    "Feedback",
    "Part",
    "UsageMetadata",
    "epoch",
    "finish_of",
    "read_chunks",
    "read_fetched",
    "read_grounding",
    "read_native",
    "read_recited",
]


class Blob(Struct, gc=False, rename="camel"):
    """Inline media, base64."""

    data: str | None = None
    mime_type: str | None = None
    mime_type_twin: str | None = field(default=None, name="mime_type")


class File(Struct, gc=False, rename="camel"):
    """What stands elsewhere, by its address."""

    file_uri: str | None = None
    mime_type: str | None = None


class Call(Struct, gc=False, rename="camel"):
    """A tool call; `args` comes whole, as an object, or not at all.

    Who asks Vertex AI for `streamFunctionCallArguments` gets them in nameless pieces, as long as it will continue.
    """

    name: str | None = None
    args: Raw | UnsetType = UNSET
    id: str | None = None
    will_continue: bool | None = None


class Code(Struct, gc=False):
    """What the model ran on Google's side."""

    language: str | None = None
    code: str | None = None


class CodeResult(Struct, gc=False):
    """What came out of it."""

    outcome: str | None = None
    output: str | None = None


class Part(Struct, gc=False, rename="camel"):
    """One piece of content; `thought_signature` may stand alone or beside any other field.

    `tool_call` and `tool_response`: what the service did with its own tools, where functions stand beside them.
    """

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: Call | None = None
    inline_data: Blob | None = None
    file_data: File | None = None
    executable_code: Code | None = None
    code_execution_result: CodeResult | None = None
    tool_call: Raw | UnsetType = UNSET
    tool_response: Raw | UnsetType = UNSET
    thought_signature_twin: str | None = field(default=None, name="thought_signature")
    function_call_twin: Call | None = field(default=None, name="function_call")
    inline_data_twin: Blob | None = field(default=None, name="inline_data")


class Content(Struct, gc=False):
    """What a candidate says in this chunk."""

    parts: list[Part] | None = None


class Candidate(Struct, gc=False, rename="camel"):
    """One of the answers; without `content` when it only finishes."""

    content: Content | None = None
    index: int | None = None
    finish_reason: str | int | None = None
    finish_message: str | None = None
    grounding_metadata: Raw | UnsetType = UNSET
    citation_metadata: Raw | UnsetType = UNSET
    url_context_metadata: Raw | UnsetType = UNSET
    logprobs_result: Raw | UnsetType = UNSET


_NUMBERED: Final = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION"}  # beyond, Google's services differ


def finish_of(candidate: Candidate) -> str | None:
    """Give why a candidate has ended, which some servers say by its number (`enum-encoding=int`)."""
    reason = candidate.finish_reason
    return _NUMBERED.get(reason, "OTHER") if isinstance(reason, int) else reason


class UsageMetadata(Struct, gc=False, rename="camel"):
    """Cumulative counts; a counter is missing rather than 0. Vertex AI has `traffic_type` for `service_tier`."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    service_tier: object = None
    traffic_type: object = None


class Feedback(Struct, gc=False, rename="camel"):
    """Why the prompt was refused."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class Chunk(Struct, gc=False, rename="camel"):
    """One GenerateContentResponse."""

    candidates: list[Candidate] | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: Feedback | None = None
    error: Raw | UnsetType = UNSET


class Envelope(Chunk, gc=False):
    """A chunk in its envelope, or bare."""

    response: Chunk | None = None

    def chunk(self) -> Chunk:
        """Give the chunk, whichever way it came."""
        if self.response is None:
            return self
        if self.error:
            self.response.error = self.error
        return self.response


_STRICT: Final = msgspec.json.Decoder(Envelope)
_LAX: Final[msgspec.json.Decoder[Envelope | list[Envelope]]] = msgspec.json.Decoder(
    Envelope | list[Envelope],
    strict=False,  # int64 is a string in proto JSON
)


def read_chunks(payload: str | bytes) -> list[Chunk]:
    """Decode one event, or a whole JSON answer: an object or an array of them. Raise ValueError if it is neither."""
    try:
        return [_STRICT.decode(payload).chunk()]
    except msgspec.ValidationError:
        return _read_oddly(payload)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read_oddly(payload: str | bytes) -> list[Chunk]:
    try:
        try:
            decoded = _LAX.decode(payload)
        except msgspec.ValidationError:
            decoded = _decode_rest(_filled(_VALUE.decode(payload)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return [envelope.chunk() for envelope in decoded] if isinstance(decoded, list) else [decoded.chunk()]


def _decode_rest(value: Any) -> Envelope | list[Envelope]:
    try:
        return _LAX.decode(_encode(value))
    except msgspec.ValidationError:
        return _LAX.decode(_encode(_needed(value)))


_VALUE: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
_UNNEEDED: Final = frozenset({"usageMetadata", "modelVersion", "responseId"})
_LISTS: Final = frozenset({"candidates", "parts"})
_LEADING: Final = frozenset({"response", "content"})
_encode: Final = msgspec.json.Encoder().encode


def _filled(value: Any) -> Any:
    """Give chunks without the nulls that stand in place of a candidate or a part."""
    if isinstance(value, list):
        return [_filled(one) for one in cast(list[object], value)]
    if not isinstance(value, dict):
        return value
    members = cast(dict[str, object], value)
    return {name: _filled_member(name, one) for name, one in members.items()}


def _filled_member(name: str, value: object) -> Any:
    if name in _LISTS and isinstance(value, list):
        return [_filled(one) for one in cast(list[object], value) if one is not None]
    return _filled(value) if name in _LEADING else value


def _needed(value: Any) -> Any:
    """Give chunks without what an answer can be read without: one that spells it otherwise loses that only."""
    if isinstance(value, list):
        return [_needed(one) for one in cast(list[object], value)]
    if not isinstance(value, dict):
        return value
    members = {name: one for name, one in cast(dict[str, object], value).items() if name not in _UNNEEDED}
    return members | {"response": _needed(members["response"])} if "response" in members else members


class _Inner(Struct, gc=False):
    response: Raw = NULL


_INNER: Final[msgspec.json.Decoder[_Inner | list[Raw]]] = msgspec.json.Decoder(_Inner | list[Raw])


def read_native(payload: str | bytes) -> list[Raw]:
    """Take each chunk out of its envelope, byte for byte; `read_chunks` of the same payload gives as many."""
    found = _INNER.decode(payload)
    if isinstance(found, list):
        return [one for raw in found for one in read_native(bytes(raw))]
    bare = payload.encode() if isinstance(payload, str) else payload
    return [Raw(bare.strip()) if bytes(found.response) == b"null" else found.response]


class _Source(Struct, gc=False):
    uri: str | None = None
    title: str | None = None


class _Picture(Struct, gc=False, rename="camel"):
    """A picture that was found; its own address is of no use without the page that shows it."""

    source_uri: str | None = None
    image_uri: str | None = None
    title: str | None = None


class _Found(Struct, gc=False, rename="camel"):
    web: _Source | None = None
    retrieved_context: _Source | None = None
    maps: _Source | None = None
    image: _Picture | None = None


class _Segment(Struct, gc=False, rename="camel"):
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class _Support(Struct, gc=False, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Grounding(Struct, gc=False, rename="camel"):
    grounding_chunks: list[_Found] | None = None
    grounding_supports: list[_Support] | None = None


class _Recited(Struct, gc=False, rename="camel"):
    uri: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Recitation(Struct, gc=False, rename="camel"):
    """`citations` is the name at Vertex AI and Code Assist, the other one that of the Gemini API."""

    citations: list[_Recited] | None = None
    citation_sources: list[_Recited] | None = None


class _Page(Struct, gc=False, rename="camel"):
    retrieved_url: str | None = None
    url_retrieval_status: str | None = None


class _Fetched(Struct, gc=False, rename="camel"):
    url_metadata: list[_Page] | None = None


_GOT: Final = "URL_RETRIEVAL_STATUS_SUCCESS"

_GROUNDING: Final = msgspec.json.Decoder(_Grounding, strict=False)
_RECITATION: Final = msgspec.json.Decoder(_Recitation, strict=False)
_FETCHED: Final = msgspec.json.Decoder(_Fetched, strict=False)


def read_grounding(grounding: Raw) -> list[ir.CitationDelta]:
    """Read `groundingMetadata`: a citation for each supported segment, else one for each source."""
    found = read(grounding, _GROUNDING)
    if found is None:
        return []
    sources = [
        chunk.web or chunk.retrieved_context or chunk.maps or _shown(chunk.image)
        for chunk in found.grounding_chunks or ()
    ]
    citations = [
        _cite(sources[index], support.segment or _Segment())
        for support in found.grounding_supports or ()
        for index in support.grounding_chunk_indices or ()
        if 0 <= index < len(sources) and sources[index].uri
    ]
    return citations or [_cite(source, _Segment()) for source in sources if source.uri]


def _shown(image: _Picture | None) -> _Source:
    return _Source() if image is None else _Source(image.source_uri or image.image_uri, image.title)


def read_recited(metadata: Raw) -> list[ir.CitationDelta]:
    """Read `citationMetadata`: the works that the answer repeats."""
    found = read(metadata, _RECITATION)
    if found is None:
        return []
    return [
        _cite(_Source(one.uri, one.title), _Segment(one.start_index, one.end_index))
        for one in found.citations or found.citation_sources or ()
        if one.uri
    ]


def read_fetched(metadata: Raw) -> list[ir.CitationDelta]:
    """Read `urlContextMetadata`: the pages that were fetched, without a place in the text."""
    found = read(metadata, _FETCHED)
    pages = (found.url_metadata if found is not None else None) or ()
    urls = dict.fromkeys(page.retrieved_url for page in pages if page.url_retrieval_status == _GOT)
    return [_cite(_Source(url), _Segment()) for url in urls if url]


def _cite(source: _Source, segment: _Segment) -> ir.CitationDelta:
    start, end = segment.start_index or 0, segment.end_index
    known = end is not None and 0 <= start <= end
    return ir.CitationDelta(
        url=source.uri or "",
        title=source.title or "",
        start=start if known else None,  # Google counts UTF-8 bytes too
        end=end if known else None,
        text=segment.text or "",
    )


def epoch(timestamp: str | None) -> float | None:
    """Read an RFC 3339 timestamp as Unix seconds; None for anything else."""
    if not timestamp:
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
