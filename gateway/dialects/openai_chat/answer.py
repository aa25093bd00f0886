"""What streamed and whole answers have in common: their wire structs, and the words for what is in a reply."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.logprobs import write_logprobs
from gateway.dialects.places import Places
from gateway.dialects.shown import data_url

from .tools import LEGACY

__all__ = [
    "FINISH",
    "Annotation",
    "Call",
    "ExtraContent",
    "Function",
    "Logprobs",
    "Manner",
    "Message",
    "MessageSignature",
    "Picture",
    "Usage",
    "annotation",
    "call",
    "completion_id",
    "finish_reason",
    "free_text",
    "logprobs",
    "manner",
    "refusal",
    "signed",
    "tier",
    "usage",
]

FINISH: Final[dict[ir.FinishReason, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "tool_calls": "stop",  # said without a call; with one, see finish_reason()
    "pause": "stop",
    "length": "length",
    "context_window": "length",
    "content_filter": "content_filter",
}
# Gemini's pause cuts the answer; Anthropic's hands the turn back. A model that refuses comes to its end
_NATIVE: Final[dict[tuple[ir.FinishReason, str | None], str]] = {
    ("pause", "CONTINUATION"): "length",
    ("content_filter", "stop"): "stop",
    ("content_filter", "completed"): "stop",
}
_OWN: Final = ("stop", "completed")  # a filter, too, may say why, but not in words of the answer
_NONE: Final[frozenset[str]] = frozenset()
_TIERS: Final = ("flex", "priority", "fast")
_WITHHELD: Final = "The answer was withheld by a content filter."
_WRAPPING: Final = '{"input":"'
_BROKEN_OFF: Final = re.compile(
    r"""\s*\{\s*"input"\s*:\s*"((?:[^"\\]|\\(?:u[0-9A-Fa-f]{4}|[^u]))*)(?:\\(?:u[0-9A-Fa-f]{0,3})?|".*)?""", re.DOTALL
)
_NOTHING: Final = re.compile(r"\s*\{\s*\}\s*")
_ESCAPE: Final = len(r"\ud83d")


class Function(Struct, gc=False, kw_only=True):
    """A called function; in a stream the name comes once."""

    name: str | UnsetType = UNSET
    arguments: str = ""


class Custom(Struct, gc=False):
    """A called free-form tool."""

    name: str
    input: str


class Google(Struct, gc=False):
    """The thought signature where Google's own compatibility layer puts it."""

    thought_signature: str


class Thought(Struct, gc=False, omit_defaults=True):
    """A signed block of thoughts; `calls`: how many calls stand before it."""

    thinking: str
    signature: str
    calls: int = 0


class Kept(Struct, gc=False):
    """Thoughts as they were signed: the Node SDK's streams keep only the last piece of `reasoning_content`.

    `thoughts`: what the signature beside them is for; `blocks`: where there are several, each with its own.
    """

    thoughts: str | UnsetType = UNSET
    blocks: list[Thought] | UnsetType = UNSET


class ExtraContent(Struct, gc=False):
    """The envelope around it."""

    google: Google | UnsetType = UNSET
    gateway: Kept | UnsetType = UNSET


class Call(Struct, gc=False, kw_only=True):
    """One tool call; `index` only in streams."""

    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: Function | UnsetType = UNSET
    custom: Custom | UnsetType = UNSET
    extra_content: ExtraContent | UnsetType = UNSET


class Citation(Struct, gc=False, kw_only=True):
    """A source; the indices count characters of the content."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(Struct, gc=False):
    """What hangs on the content."""

    url_citation: Citation
    type: str = "url_citation"


class Logprobs(Struct, gc=False):
    """How likely the tokens of the content were."""

    content: list[dict[str, object]]
    refusal: None = None


class PictureURL(Struct, gc=False):
    """A data URL."""

    url: str


class Picture(Struct, gc=False):
    """A picture beside the content."""

    image_url: PictureURL
    index: int
    type: str = "image_url"


class Message(Struct, gc=False, kw_only=True):
    """A message, or in a stream what is new of it."""

    role: str | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    function_call: Function | UnsetType = UNSET
    tool_calls: list[Call] | UnsetType = UNSET
    annotations: list[Annotation] | UnsetType = UNSET
    images: list[Picture] | UnsetType = UNSET
    extra_content: ExtraContent | UnsetType = UNSET


class PromptDetails(Struct, gc=False):
    """Of the prompt's tokens."""

    cached_tokens: int
    cache_write_tokens: int


class CompletionDetails(Struct, gc=False):
    """Of the answer's tokens."""

    reasoning_tokens: int


class Usage(Struct, gc=False, kw_only=True):
    """Tokens: the prompt's include cached ones, the answer's include reasoning."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Manner(Struct, gc=False, frozen=True, kw_only=True):
    """How this caller wants to be answered.

    `legacy`: it sent `functions`, so it reads `function_call`. `beside`: pictures beside the content, not in it.
    `plain`: it reads no calls but those of functions.
    """

    thoughts: bool
    legacy: bool
    beside: bool
    sealed: bool
    free_form: frozenset[str]
    plain: bool


def manner(answering: Answering) -> Manner:
    """Read from the request how to answer it."""
    tools = answering.request.tools
    return Manner(
        thoughts=answering.request.reasoning.visible is not False,
        legacy=bool(tools) and tools[0].path.startswith(LEGACY),
        beside=answering.images == "images",
        sealed=answering.sealed,
        free_form=frozenset(tool.name for tool in tools if tool.free_form) if tools else _NONE,
        plain=answering.request.mixed,
    )


def completion_id(answering: Answering) -> str:
    """Give the answer's id."""
    return f"chatcmpl-{answering.id}"


def tier(request: ir.Request, count: ir.Usage) -> str | UnsetType:
    """Give the service tier that has served who chose one: no other dialect has these, but OpenAI's servers do."""
    if "service_tier" not in request.extras:
        return UNSET
    return count.tier if count.tier in _TIERS else "default"


def finish_reason(finish: ir.Finished, calls: int, how: Manner) -> str:
    """Give the finish reason; a call makes a stop `tool_calls`, whatever the upstream says."""
    word = _NATIVE.get((finish.reason, finish.native), FINISH[finish.reason])
    if word == "stop" and calls:
        return "function_call" if how.legacy else "tool_calls"
    return word


def logprobs(tokens: Iterable[ir.Logprob]) -> Logprobs:
    """Write how likely they were."""
    return Logprobs(write_logprobs(tokens))


def refusal(finish: ir.Finished, *, said: bool) -> str | None:
    """Give the words in which a model refuses, and those for an answer that a filter left empty."""
    own = finish.native in _OWN and finish.explanation
    withheld = finish.reason == "content_filter" and (own or not said)
    return (finish.explanation or _WITHHELD) if withheld else None


def usage(counted: ir.Usage) -> Usage:
    """Give the tokens."""
    return Usage(
        prompt_tokens=counted.input,
        completion_tokens=counted.output,
        total_tokens=counted.input + counted.output,
        prompt_tokens_details=PromptDetails(counted.cache_read, counted.cache_write),
        completion_tokens_details=CompletionDetails(counted.reasoning),
    )


def call(made: ir.ToolCall, how: Manner, index: int | UnsetType = UNSET) -> Call:
    """Give one whole call; a free-form tool's input is unwrapped."""
    arguments = bytes(made.arguments).decode()
    extra = signed(made.signature, how)
    if made.name in how.free_form and how.plain:
        arguments = free_text(arguments)
    elif made.name in how.free_form:
        custom = Custom(made.name, free_text(arguments))
        return Call(index=index, id=made.id, type="custom", custom=custom, extra_content=extra)
    function = Function(name=made.name, arguments=arguments)
    return Call(index=index, id=made.id, type="function", function=function, extra_content=extra)


class _FreeForm(Struct, gc=False):
    input: str


def free_text(arguments: str) -> str:
    """Unwrap what a free-form tool is called with, cut or not; what is not wrapped is itself, and `{}` no text."""
    try:
        return msgspec.json.decode(arguments, type=_FreeForm).input
    except msgspec.ValidationError:
        return "" if _NOTHING.fullmatch(arguments) else arguments
    except msgspec.DecodeError:
        return _begun(arguments)


def _begun(arguments: str) -> str:
    """Give the text within a wrapping that breaks off; it may do so in the midst of an escape."""
    found = _BROKEN_OFF.fullmatch(arguments)
    if found is None:
        return "" if _WRAPPING.startswith(re.sub(r"\s", "", arguments)) else arguments
    for escaped in (found[1], found[1][:-_ESCAPE]):  # the first half of a pair is no character
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(f'"{escaped}"', type=str)
    return arguments


def signed(signature: ir.Signature | None, how: Manner) -> ExtraContent | UnsetType:
    """Give the field that carries a signature through the caller's hands."""
    if signature is None or not how.sealed:
        return UNSET
    return ExtraContent(Google(ir.seal(signature)))


class MessageSignature:
    """Choose what a message carries: it has room for one signature, and clients join two of them into rubbish.

    The last one of text, else that of the thoughts when they were a single block and are shown: what comes back is one
    text, and a signature fits only its own. Several blocks that are shown are carried whole, beside that text.
    """

    def __init__(self, how: Manner) -> None:
        self._how = how
        self._text: ir.Signature | None = None
        self._thoughts: list[tuple[ir.Signature | None, Sequence[str], int]] = []
        self._pieces: list[str] = []  # of the block of thoughts that is open

    def piece(self, thought: str) -> None:
        """Note a piece of thoughts that goes out by itself."""
        self._pieces.append(thought)

    def text(self, signature: ir.Signature | None) -> None:
        """Note a text block's end."""
        self._text = signature or self._text

    def thinking(self, signature: ir.Signature | None, calls: int) -> None:
        """Note a thinking block's end; `calls`: how many calls stand before it."""
        if self._how.thoughts:
            self._thoughts.append((signature, self._pieces, calls))
            self._pieces = []

    def chosen(self) -> ExtraContent | UnsetType:
        """Give the field for the message."""
        if self._text is None and not self._thoughts:
            return UNSET
        if self._text is not None or len(self._thoughts) != 1:
            extra = signed(self._text, self._how)
            return self._blocks() if extra is UNSET else extra
        thought, pieces, _ = self._thoughts[0]
        extra = signed(thought, self._how)
        if extra is not UNSET and thought is not None and thought.issuer != "gemini" and len(pieces) > 1:
            extra.gateway = Kept("".join(pieces))
        return extra

    def _blocks(self) -> ExtraContent | UnsetType:
        blocks = [
            Thought("".join(pieces), ir.seal(signature), calls)
            for signature, pieces, calls in self._thoughts
            if signature is not None and signature.issuer != "gemini" and self._how.sealed
        ]
        return ExtraContent(gateway=Kept(blocks=blocks)) if blocks else UNSET


def picture(media_type: str, data: str, index: int) -> Picture:
    """Give a picture to stand beside the content."""
    return Picture(PictureURL(data_url(media_type, data)), index)


def annotation(source: ir.CitationDelta, text: Places, before: int) -> Annotation:
    """Give a source's place in the content: `text` is the cited block, after `before` characters."""
    start = text.to_characters(max(source.start or 0, 0))
    end = text.length if source.end is None else max(start, text.to_characters(max(source.end, 0)))
    place = Citation(start_index=before + start, end_index=before + end, title=source.title, url=source.url)
    return Annotation(place)
