"""The neutral form of a request: what every dialect is read into and written from.

Absent is None here (a dialect that tells null from absent does so in its own wire structs).
JSON that nobody needs to look into (tool arguments, schemas) stays `Raw`.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Raw, Struct

from gateway.errors import GatewayError

from .signature import Signature

__all__ = [
    "Grammar",
    "Logprob",
    "Loss",
    "Mark",
    "Media",
    "Native",
    "Opaque",
    "Option",
    "OptionName",
    "Output",
    "Part",
    "Reasoning",
    "Request",
    "Sampling",
    "Severity",
    "Text",
    "Thinking",
    "Thread",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolResult",
    "Turn",
]

Severity = Literal["hint", "change", "content"]
OptionName = Literal["allowed_domains", "blocked_domains", "max_uses", "search_context_size", "user_location"]


class Loss(Struct, gc=False, frozen=True):
    """One thing that the far side cannot carry.

    `path`: where it stood in the caller's request, such as `messages[2].content[0].cache_control`.
    `severity`: hint (the answer stays valid), change (it may differ), content (something said is gone).
    """

    path: str
    reason: str
    severity: Severity


class Mark(Struct, gc=False, frozen=True, kw_only=True):
    """How far a prompt may be cached: up to the part or the tool that has it.

    `path`: where it stood. `ttl`: for how long at least, as Anthropic and OpenAI say it; None = as the upstream likes.
    """

    path: str
    ttl: Literal["5m", "30m", "1h", "12h"] | None = None


class Logprob(Struct, gc=False, frozen=True):
    """How likely a token of an answer was: the natural logarithm of it.

    `utf8`: its bytes, None = those of `token`. `top`: what was likeliest in its place, the likeliest first.
    """

    token: str
    logprob: float
    utf8: tuple[int, ...] | None = None
    top: tuple["Logprob", ...] = ()


class Text(Struct, gc=False, frozen=True, tag="text", kw_only=True):
    """Words. `signature`: what a Gemini model attached to its own text; `logprobs`: of an answer, if it tells them."""

    text: str
    signature: Signature | None = None
    mark: Mark | None = None
    logprobs: tuple[Logprob, ...] = ()


class Media(Struct, gc=False, frozen=True, tag="media", kw_only=True):
    """An image, document or sound: base64 `data`, or a `url` for upstreams that fetch.

    `media_type` is normalised: lower case, no parameters, image/jpeg not image/jpg.
    `detail`: low | high | auto | original, as OpenAI callers say it; `detail_path`: where it stood. `path`: where the
    data or the address stood, for errors.
    """

    media_type: str
    data: str | None = None
    url: str | None = None
    filename: str | None = None
    detail: str | None = None
    detail_path: str = ""
    path: str = ""
    signature: Signature | None = None
    mark: Mark | None = None


class Thinking(Struct, gc=False, frozen=True, tag="thinking", kw_only=True):
    """A model's thoughts. `redacted`: the sealed form that only its issuer can read."""

    text: str
    signature: Signature | None = None
    redacted: str | None = None


class ToolCall(Struct, gc=False, frozen=True, tag="tool_call", kw_only=True):
    """A model's call of a tool. `arguments` is always one JSON object."""

    id: str
    name: str
    arguments: Raw
    signature: Signature | None = None
    mark: Mark | None = None


class Opaque(Struct, gc=False, frozen=True, tag="opaque", kw_only=True):
    """A block that only its own dialect knows, kept whole. `path`: where it stood."""

    dialect: str
    kind: str
    value: Raw
    path: str = ""


class ToolResult(Struct, gc=False, frozen=True, tag="tool_result", kw_only=True):
    """What a tool gave back. `name` is filled from the call when the caller did not send it."""

    id: str
    parts: tuple[Text | Media, ...] = ()
    name: str | None = None
    is_error: bool = False
    path: str = ""
    mark: Mark | None = None


Part = Text | Media | Thinking | ToolCall | ToolResult | Opaque


class Turn(Struct, gc=False, frozen=True, kw_only=True):
    """One message. Role `system` only in mid-conversation: what leads goes to `Request.system`.

    `places`: for each part, where its thoughts and its signature stood, if it has any; () when no part has.
    """

    role: Literal["user", "assistant", "system"]
    parts: tuple[Part, ...]
    places: tuple[tuple[str, ...], ...] = ()


class Grammar(Struct, gc=False, frozen=True, kw_only=True):
    """What the text for a free-form tool must be. `syntax`: lark or regex. `path`: where it stood."""

    definition: str
    syntax: str
    path: str = ""


class Option(Struct, gc=False, frozen=True, kw_only=True):
    """What the caller says of a service of the upstream. `at`: where it stood below its tool.

    `value`, JSON: of the domains, a list of names; of `user_location`, an object of city, region, country, timezone;
    of `search_context_size`, low, medium or high; of `max_uses`, a number.
    """

    name: OptionName
    value: Raw
    at: str


class Tool(Struct, gc=False, frozen=True, kw_only=True):
    """A function the model may call. `schema`: JSON Schema as the caller wrote it; None = no parameters.

    `builtin`: not a function but a service of the upstream (`web_search`, `web_fetch`, `code_execution`),
    with its `options`.
    `free_form`: it takes plain text, which travels as the one argument `input`; `grammar`: of that text.
    `path`: where it stood in the request, such as `tools[3]`; `schema_path`: where its schema stands below that.
    `namespace`: the caller's (namespace, name), of which `name` is made; calls go back under these.
    """

    name: str
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    builtin: str | None = None
    options: tuple[Option, ...] = ()
    free_form: bool = False
    path: str = ""
    schema_path: str = ""
    namespace: tuple[str, str] | None = None
    grammar: Grammar | None = None
    mark: Mark | None = None


class ToolChoice(Struct, gc=False, frozen=True, kw_only=True):
    """auto, none, required (any tool), named (the one in `names`); `names` also narrows auto and required."""

    mode: Literal["auto", "none", "required", "named"]
    names: tuple[str, ...] = ()
    parallel: bool | None = None

    def left_out(self, tools: Iterable[Tool]) -> frozenset[str]:
        """Give the names of these tools that it leaves out, where it is narrowed to others."""
        if not self.names or self.mode not in ("auto", "required"):
            return frozenset()
        return frozenset(tool.name for tool in tools).difference(self.names)


class Sampling(Struct, gc=False, frozen=True, kw_only=True):
    """How the answer is drawn. `max_tokens` counts thoughts too.

    `logprobs`: it is to tell how likely each of its tokens was, and so many others in its place; None = it need not.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    n: int | None = None
    logprobs: int | None = None


class Reasoning(Struct, gc=False, frozen=True, kw_only=True):
    """How much the model may think.

    `mode`: unset (the caller said nothing), off, auto (`budget` -1: in so many words), level (`level`), budget
    (`budget` tokens).
    `visible`: whether the caller wants to read the thoughts; None = said nothing.
    `include`: whether the upstream is to send them; None = as `visible`.
    `display`: omitted = an Anthropic caller wants thinking blocks without their words, for the signatures.
    """

    mode: Literal["unset", "off", "auto", "level", "budget"] = "unset"
    level: str | None = None
    budget: int | None = None
    visible: bool | None = None
    include: bool | None = None
    display: Literal["summarized", "omitted", "updates"] | None = None


class Shape(Struct, gc=False, frozen=True, kw_only=True):
    """How pictures of an answer are to be: `ratio`, such as 16:9, and `size`, such as 2K."""

    ratio: str | None = None
    size: str | None = None
    path: str


class Output(Struct, gc=False, frozen=True, kw_only=True):
    """The form of the answer: free text, any JSON, or JSON by `schema`, with what OpenAI callers say of that.

    `modalities`: text, image; () = as the model likes. `shape`: of its pictures; None = as the model likes.
    """

    kind: Literal["text", "json", "schema"] = "text"
    modalities: tuple[str, ...] = ()
    shape: Shape | None = None
    schema: Raw | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Native(Struct, gc=False, frozen=True, kw_only=True):
    """The caller's own request object, byte for byte, for an upstream that speaks `dialect` too.

    `only`: what no other dialect can carry; None = nothing. `refusal`: why the reader of the dialect could not read it,
    so that the rest of the request is empty; None = it is read.
    """

    dialect: str
    body: Raw
    only: Loss | None = None
    refusal: GatewayError | None = None


class Thread(Struct, gc=False, frozen=True, kw_only=True):
    """What OpenAI Responses adds: a conversation that the server keeps.

    `items`: this request's own input, as items, raw. `previous`: the id of the response that it goes on from. `store`:
    whether the answer is kept. `echo`: the fields that the Response object repeats, raw. `before`: what was said
    before, as items, once it is read. `kept_at`: the upstream that keeps `previous`, too, under its id.
    `references`: where items are only named; `filled`: they stand in `items` now. `background`: the caller does not
    wait for the answer, and asks for it later.
    """

    items: tuple[Raw, ...] = ()
    before: tuple[Raw, ...] = ()
    kept_at: str = ""
    references: tuple[str, ...] = ()
    filled: bool = False
    background: bool = False
    previous: str | None = None
    store: bool = True
    echo: dict[str, Raw] = {}


class Request(Struct, gc=False, frozen=True, kw_only=True):
    """One request for an answer, in no dialect.

    `user`: who the caller says the end user is. `session`: a conversation key the caller gave, if any.
    `extras`: unknown top-level fields, raw, for an upstream of the same `dialect`.
    `stream`: None = the caller left it out. `losses`: what the reader could not put into this form.
    `paths`: how the caller calls an option, by its name here, if it is another; also `thinking`, the `schema` of the
    output, the `filename` of media.
    `marks`: all of them, in the order of tools, system and turns. `filled`: what of `sampling` the caller did not say.
    `betas`: what an Anthropic caller opts into by `anthropic-beta`.
    `native`: set where the upstream may get the caller's own words instead of a translation. `thread`: set by a
    dialect whose conversations the server keeps. `room`: what the context leaves for the answer, in tokens, as far as
    the upstream has said. `mixed`: the caller's words have not the form of the dialect in which it is answered.
    `silent`: no answer is wanted, only the prompt in the upstream's cache. `counted`: the estimate of its tokens, where
    it has so much in it that what is done to it would hold the event loop, and is done in a thread; 0 = it has not.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    sampling: Sampling = Sampling()
    reasoning: Reasoning = Reasoning()
    output: Output = Output()
    stream: bool | None = None
    include_usage: bool = False
    user: str | None = None
    session: str | None = None
    dialect: str = ""
    extras: dict[str, Raw] = {}
    losses: tuple[Loss, ...] = ()
    paths: dict[str, str] = {}
    betas: tuple[str, ...] = ()
    native: Native | None = None
    thread: Thread | None = None
    marks: tuple[Mark, ...] = ()
    filled: frozenset[str] = frozenset()
    room: int | None = None
    mixed: bool = False
    silent: bool = False
    counted: int = 0

    def within(self, limit: int | None) -> int | None:
        """Give how long the answer may be at most, of a model with this limit; None = nobody has said."""
        return limit if self.room is None or (limit is not None and limit < self.room) else self.room

    def lost(self, losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
        """Add the `losses` on the way upstream to those of the reader; nobody misses what was filled in."""
        whole = self.losses + losses
        if not self.filled:
            return whole
        paths = {self.paths.get(name, name) for name in self.filled}
        return tuple(Loss(one.path, one.reason, "hint") if one.path in paths else one for one in whole)
