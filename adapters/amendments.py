"""What an upstream names in a 400 is rewritten, or left out, and the request is sent once more.

400 ─► Failure(cause) ─► Draft.amend ─► the body without that ─► the same credential

A model, a server and the route to it differ in what they take of a request; none of it can be known beforehand, and it
changes by the month. A caller's own words are amended as far as the edits of its dialect go, and in strict mode nothing
may be lost.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final, Generic, Protocol, TypeVar, get_args

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.echoes import lasting
from gateway.adapters.failures import Cause, Failure, OfModel
from gateway.adapters.latest import Latest
from gateway.adapters.levels import LEVELS
from gateway.adapters.room import room_of
from gateway.dialects.gemini.request import GeminiTarget
from gateway.upstream import Edit

__all__ = [
    "COMPLEX",
    "REFUSED",
    "SCHEMAS",
    "SIGNED",
    "TWOFOLD",
    "UNANSWERED",
    "UNPAID",
    "Draft",
    "Lacks",
    "Write",
    "Written",
    "without",
    "without_force",
]


class Written(Protocol):
    """A request as a codec has written it. `native`: the caller's own words, in the place of `body`."""

    @property
    def body(self) -> Mapping[str, object]:
        """Give the body, not yet encoded."""
        ...

    @property
    def native(self) -> Raw | None:
        """Give the caller's own words, if these go on."""
        ...

    @property
    def losses(self) -> tuple[ir.Loss, ...]:
        """Give what does not go on."""
        ...

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Give what is written otherwise in the caller's own words."""
        ...


_W = TypeVar("_W", bound=Written)

Write = Callable[[ir.Request, frozenset[Cause]], _W]  # without what these causes are about

_400: Final = frozenset({400})
_402: Final = frozenset({402})
_412: Final = frozenset({412})
_429: Final = frozenset({429})
_LIMITING: Final = frozenset({403, 429})
_BROKE: Final = frozenset({400, 401, 403, 429, 500})
_BAD: Final = frozenset({400, 422})
_NOT_FORCED: Final = "this model cannot think while a tool call is forced: the call was made optional"
_encode: Final = msgspec.json.Encoder().encode

# How a request is written for Google once a cause is known.
_CHANGES: Final[Mapping[Cause, Mapping[str, bool]]] = {
    "schemas": {"json_schemas": False},  # in the server's own form of a schema
    "states": {"json_schemas": False},  # which says in words how much there may be of something
    "choices": {"choices": False},  # in words too
    "signatures": {"refused": True},  # without what was signed; calls of Gemini's with the sentinel
    "unsigned": {"sentinels": True},  # with the sentinel on the calls of an older Gemini too
    "unsigned_parts": {"unsigned": False},  # with the user showing what it has said and drawn
    "thinking": {"thinks": False},  # Claude without thinking: its thoughts are gone from the conversation
    "level": {"levels": False},  # with a budget in its place
    "penalties": {"penalties": False},
    "begun": {"begun": False},  # with a request to go on behind the answer that a caller has begun
    "logprobs": {"logprobs": False},
    "ids": {"ids": False},
    "instructions": {"instructions": False},  # with the user's words
    "json_mode": {"json_mode": False},  # asked for in words
    "thinking_config": {"thinking_config": False},
}
# What else to leave out where a cause, as it stands, changes nothing or has not been enough.
_FURTHER: Final[Mapping[Cause, Cause]] = {
    "unsigned": "signatures",
    "drawing_thinking": "drawing",
    "states": "choices",
    "incomplete": "kinds",
    "kinds": "services",
    "spelling": "thoughts",  # a message may have a member of the same name
}
Words = tuple[tuple[frozenset[int], str, Cause], ...]
# Words of a 400, as `Causes` compares them: in lower case, without quotation marks.
SIGNED: Final[Words] = (
    (_400, "missing a thought_signature", "unsigned"),
    (_400, "missing a thought signature", "unsigned"),
    (_400, "thought_signature", "signatures"),
    (_400, "thought signature", "signatures"),
    (_400, "thoughtsignature", "signatures"),
    (_400, "invalid signature", "signatures"),
    (_400, "signature: field required", "signatures"),
    (_400, "thinking: field required", "signatures"),  # of Claude, whoever serves it: what is signed has no words
    (_400, "must contain thinking", "signatures"),
)
# Of calls without results, and results without calls, also where Google speaks OpenAI's API.
UNANSWERED: Final[Words] = (
    (_400, "number of function response parts", "unanswered"),
    (_400, "function response turn comes immediately", "unanswered"),
    (_400, "function call turn comes immediately", "unanswered"),
    (_400, "multiturn requests begin with a user turn", "unanswered"),
)
# Of an account with Google that has no money left, also where it speaks OpenAI's API.
UNPAID: Final[Words] = (
    (_429, "prepayment credits", "quota"),
    (_429, "monthly spending cap", "quota"),
)
# Of a model that many ask for at the time, whoever asks: no limit of the key.
_BUSY: Final = (
    "overloaded",  # Moonshot, Volcengine
    "capacity exceeded",  # Mistral
    "capacity temporarily exceeded",  # Cloudflare
    "model busy",  # DeepInfra
    "experiencing high traffic",  # Cerebras
    "temporarily rate-limited upstream",  # OpenRouter
)
# Of servers that have OpenAI's API and Anthropic's.
TWOFOLD: Final[Words] = (
    (_402, "can only afford", "funds"),  # OpenRouter
    (_402, "prompt tokens limit exceeded", "scope"),  # OpenRouter: a shorter one is paid for
    (_BROKE, "insufficient balance", "quota"),  # MiniMax, Zhipu
    (_BROKE, "额度已用尽", "quota"),  # new-api, one-api: of the key
    (_BROKE, "额度不足", "quota"),  # of the account
    (_BROKE, "budget has been exceeded", "quota"),  # LiteLLM
    (_LIMITING, "usage limit", "quota"),  # Z.ai, MiniMax, Kimi, Ollama: of some hours, a week or a month
    (_LIMITING, "limit exhausted", "quota"),  # Z.ai
    (_429, "使用上限", "quota"),  # Zhipu
    (_412, "is suspended", "quota"),  # Fireworks: bills that are not paid
    *((_429, words, "capacity") for words in _BUSY),
    (_BAD, "must be passed back to the api", "echoes"),  # DeepSeek, Xiaomi: its thoughts
    (_BAD, "reasoning_content is missing", "echoes"),  # Moonshot
    (_BAD, "does not support this tool_choice", "choice"),  # DeepSeek, which thinks unless told otherwise
    (_BAD, "tool_choice parameter does not support", "choice"),  # Qwen
    (_BAD, "is incompatible with thinking enabled", "choice"),  # Moonshot
    (_BAD, "tool results tool id(", "unanswered"),  # MiniMax: not found
    (_BAD, "tool call result does not follow tool call", "unanswered"),  # MiniMax
    *((_BAD, f"effort {level} is not supported by model", "effort_value") for level in LEVELS),  # GitHub
    (_BAD, "does not support reasoning effort", "effort"),
    (_BAD, "moonshot flavored json schema", "plain_schemas"),
    (_BAD, "function.parameters.type is required", "plain_schemas"),  # Moonshot, of the root
    (_BAD, "type tool and any are not supported", "choice"),  # Anthropic
    (_BAD, "cannot be greater than max_model_len", "limit"),  # vLLM
    (_BAD, "which is the maximum allowed number of output tokens", "limit"),  # Anthropic
)
REFUSED: Final[Words] = (
    (_400, "expected thinking or redacted_thinking", "thinking"),
    (_400, "image part is missing a thought_signature", "unsigned_parts"),
    (_400, "text part is missing a thought_signature", "unsigned_parts"),
    *SIGNED,
    *UNANSWERED,
    (_400, "contents.parts must not be empty", "blanks"),
    (_400, "must include at least one parts field", "blanks"),  # Vertex AI
    (_400, "thinking_level", "level"),
    (_400, "thinking level", "level"),
    (_400, "thinkinglevel", "level"),
    (_400, "penalty is not enabled", "penalties"),
    (_400, "ending with a model turn", "begun"),
    (_400, "logprobs is not enabled", "logprobs"),
    (_400, "logprobs is not supported", "logprobs"),
    (_400, "developer instruction is not enabled", "instructions"),
    (_400, "json mode is not enabled", "json_mode"),
    (_400, "thinking is not enabled", "thinking_config"),
    (_400, "thinking is not supported", "thinking_config"),
    (_400, "thinking budget is not supported", "thinking_config"),
    (_400, "include_thoughts is only enabled", "thinking_config"),
)
SCHEMAS: Final[Words] = tuple(
    (_400, name, "schemas")
    for name in ("parametersjsonschema", "parameters_json_schema", "responsejsonschema", "response_json_schema")
)
# Of schemas that are too much together. Google says the latter of other requests too, so these words come last.
COMPLEX: Final[Words] = (
    (_400, "too many states for serving", "states"),
    (_400, "request contains an invalid argument", "states"),
)

_UNKNOWN: Final = "unknown name"  # proto JSON: the server does not know the field, whatever the model
_OF_MODEL: Final[frozenset[Cause]] = frozenset(get_args(OfModel))
_OF_SHAPE: Final[frozenset[Cause]] = frozenset({"states", "choices"})  # what a model does not take of these schemas
_SHAPES: Final = 256
_SHORTER: Final[frozenset[Cause]] = frozenset({"room", "funds"})
_AGAIN: Final[frozenset[Cause]] = frozenset({"unknown"})  # each time about something else
_WHILE_IT_THINKS: Final[frozenset[Cause]] = frozenset({"drawing", "logprobs"})  # and may take while it does not
_AT_REST: Final[frozenset[Cause]] = frozenset({"effort_value"})  # of which there is one then
_AS_IT_THINKS: Final = _WHILE_IT_THINKS | _AT_REST
_NONE: Final[frozenset[Cause]] = frozenset()


class Lacks:
    """What an upstream has been seen not to take from anybody, so that it is not tried with every request."""

    def __init__(self) -> None:
        self._server = _NONE
        self._models = Latest[tuple[str, str], frozenset[Cause]]()  # "" = however it thinks
        self._shapes: deque[tuple[str, str]] = deque()  # the places in it that are about schemas

    def of(self, request: ir.Request) -> frozenset[Cause]:
        """Give what need not be tried with a model, as it is asked to think."""
        if not self._models:
            return self._server
        model, known = request.model, self._models.get
        found = self._server | known((model, ""), _NONE) | known((model, _asked(request.reasoning)), _NONE)
        return found | known((model, _shape(request)), _NONE) if self._shapes else found

    def note(self, request: ir.Request, cause: Cause, said: str) -> None:
        """Remember a refusal if it holds for others too. `said`: its words."""
        refused: frozenset[Cause] = frozenset((cause,))
        if _UNKNOWN in said.lower():
            self._server |= refused
        elif (place := _place(request, cause)) is not None:
            self._models[place] = self._models.get(place, _NONE) | refused
        elif cause in _OF_SHAPE:
            self._note_shape((request.model, _shape(request)), refused)

    def unlearn(self, request: ir.Request, cause: Cause, said: str) -> None:
        """Forget a refusal that was about something else."""
        if _UNKNOWN in said.lower():
            self._server -= {cause}
        elif (place := _place(request, cause)) is not None and place in self._models:
            self._models[place] -= {cause}

    def forget(self, request: ir.Request) -> None:
        """Forget what its schemas were taken for: without that it is refused all the same."""
        place = request.model, _shape(request)
        if self._models.pop(place, None) is not None:
            self._shapes.remove(place)

    def _note_shape(self, place: tuple[str, str], refused: frozenset[Cause]) -> None:
        known = self._models.get(place)
        self._models[place] = (known or _NONE) | refused
        if known is None:
            self._shapes.append(place)
        if len(self._shapes) > _SHAPES:
            self._models.pop(self._shapes.popleft(), None)


def _place(request: ir.Request, cause: Cause) -> tuple[str, str] | None:
    """Give what a refusal holds for; None where it is about one request."""
    if cause in _OF_MODEL or (cause in _AT_REST and request.reasoning.mode == "off"):
        return request.model, _asked(request.reasoning) if cause in _AS_IT_THINKS else ""
    return None


def _asked(reasoning: ir.Reasoning) -> str:
    """Tell whether a model is to think, is not, or does as it does."""
    return reasoning.mode if reasoning.mode in ("unset", "off") else "on"


def _shape(request: ir.Request) -> str:
    """Tell the schemas of a request from those of others."""
    schemas = (request.output.schema, *(tool.schema for tool in request.tools))
    return str(hash(tuple(bytes(schema or b"") for schema in schemas)))


class Draft(Generic[_W]):
    """One request as it is written for one upstream. `written` changes with each amendment."""

    _said = ""  # the refusal that it was amended for last
    _noted: tuple[tuple[ir.Request, Cause], ...] = ()  # what was remembered for it

    def __init__(self, request: ir.Request, write: Write[_W], lacks: Lacks, *, strict: bool) -> None:
        self._request = request
        self._write = write
        self._lacks = lacks
        self._strict = strict
        self._without = lacks.of(request)
        self.written = write(request, self._without)

    def amend(self, failure: Failure) -> bool:
        """Write the request without what was refused, once for each cause; False when that is no way out."""
        cause = failure.cause
        if cause in _OF_SHAPE and cause in self._without:
            self._lacks.forget(self._request)
        while not self._amended(cause, failure.error.message, teaches=not failure.repeats):
            if cause not in _FURTHER:
                return False
            cause = _FURTHER[cause]
        return True

    def unlearn(self, said: str) -> bool:
        """Forget what was remembered for a refusal that comes again; False where it does not."""
        if lasting(said) != self._said:
            return False
        for request, cause in self._noted:
            self._lacks.unlearn(request, cause, said)
        return True

    def _amended(self, cause: Cause, said: str, *, teaches: bool) -> bool:
        if cause in self._without and cause not in _AGAIN:
            return False
        refused: frozenset[Cause] = frozenset((cause,))
        amended = self._without | refused
        request = replace(self._request, room=room_of(said)) if cause in _SHORTER else self._request
        written = self._write(request, amended)
        if self._strict and any(loss.severity != "hint" for loss in request.lost(written.losses)):
            return False
        if _sent(written) == _sent(self.written):
            return False  # what was refused stands elsewhere
        if teaches:
            self._lacks.note(request, cause, said)
            before, self._said = self._said, lasting(said)
            self._noted = (*(self._noted if before == self._said else ()), (request, cause))
        self._request, self._without, self.written = request, amended, written
        return True


def _sent(written: Written) -> bytes:
    return bytes(written.native) if written.native is not None else _encode(written.body)


def without(target: GeminiTarget, causes: Collection[Cause]) -> GeminiTarget:
    """Describe a target that does not take what these causes are about."""
    if not causes:
        return target
    changes = {name: value for cause in causes for name, value in _CHANGES.get(cause, {}).items()}
    return replace(target, **changes)


def without_force(request: ir.Request) -> tuple[ir.Request, tuple[ir.Loss, ...]]:
    """Leave it to the model whether it calls a tool, and tell what is lost by that."""
    choice = request.tool_choice
    if choice is None or choice.mode not in ("required", "named"):
        return request, ()
    lost = ir.Loss(request.paths.get("tool_choice", "tool_choice"), _NOT_FORCED, "change")
    return replace(request, tool_choice=replace(choice, mode="auto", names=())), (lost,)
