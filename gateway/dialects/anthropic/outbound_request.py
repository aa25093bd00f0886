"""Write a neutral request as a body for Anthropic Messages.

The body is built, never copied, so that no field of the caller's dialect slips through. Answers are always streamed.
What has no place is told in `AnthropicWritten.losses`, by the caller's own names.
"""

from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Final

from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.emulated import ANSWER, ANSWERS, IN_WORDS, json_instruction, unknown
from gateway.dialects.gemini.leftover import spelt
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.request import NOT_BESIDE_THINKING, beside_each_other, beside_thinking
from gateway.dialects.gemini.schema_facets import is_list
from gateway.dialects.logprobs import asked
from gateway.dialects.openai_chat.outbound_request import names_of
from gateway.dialects.outbound_marks import ANTHROPIC, Marks
from gateway.dialects.rewriting import leads_to_objects
from gateway.errors import InvalidRequest
from gateway.upstream import Edit

from .outbound_caching import cached, wants_cache
from .outbound_messages import Conversation, leads_with_thoughts
from .outbound_parts import JSON
from .outbound_schema import Strict, parameters, strict
from .outbound_target import UNLED, AnthropicTarget
from .outbound_thinking import Thinking, plan
from .outbound_tools import Tools, forced, write_tools

__all__ = ["AnthropicTarget", "AnthropicWritten", "write_request"]

_MAX_USER: Final = 256
_SCHEMA: Final = "response_format.json_schema"
_DRAWING: Final = ("temperature", "top_p", "top_k")
_drawn: Final = attrgetter(*_DRAWING)
_DEFAULTS: Final = {"temperature": 1, "top_p": 1}
# Other services have them, this one has not; the value that says nothing.
_NOT_HERE: Final = {"seed": None, "presence_penalty": 0, "frequency_penalty": 0}
_MOST_HEAT: Final = 1
_MARKED: Final = "this upstream has no keys: what it is to cache is marked"
_EITHER: Final = "this model accepts either temperature or top_p"
_DRAWS_NOTHING: Final = "this model does not generate images"

_Taken = Callable[[str, float], bool]


class AnthropicWritten(Struct, frozen=True, kw_only=True):
    """A request ready to be encoded, and what the reader of its answer must know.

    `betas`: what `anthropic-beta` must name for it. `wrapped`: the upstream names of free-form tools, written as tools
    with one property `input`. `answer`: the tool whose input is the answer's text, "" = none. `native`: the caller's
    own words, which go on in the place of `body`.
    """

    body: dict[str, object]
    names: NameMap
    betas: tuple[str, ...] = ()
    wrapped: frozenset[str] = frozenset()
    answer: str = ""
    native: Raw | None = None
    edits: tuple[Edit, ...] = ()
    losses: tuple[ir.Loss, ...] = ()


def write_request(request: ir.Request, target: AnthropicTarget) -> AnthropicWritten:
    """Write a request for one target; raise InvalidRequest for what cannot be carried."""
    return _Writer(request, target).write()


class _Writer:
    """One request on its way, and what got lost. `caches`: what is to be cached is marked."""

    caches = False

    def __init__(self, request: ir.Request, target: AnthropicTarget) -> None:
        self.request = request
        self.target = target
        self.losses: list[ir.Loss] = [unknown(name, value) for name, value in request.extras.items()]
        self.names = NameMap(names_of(request))
        self.marks = Marks(request, ANTHROPIC)
        self.system = [self.marks.on(_words(text.text), text.mark) for text in request.system if text.text.strip()]
        self.answer = ""

    def write(self) -> AnthropicWritten:
        sampling = self.request.sampling
        if sampling.n is not None and sampling.n > 1:
            raise self._refused("n", "this upstream gives one response per request")
        for name in asked(sampling):
            self._lose(name, "there is no equivalent")
        thinking, messages = self._conversation()
        form = self._form(thinking)
        tools = self._tools(thinking)
        fields: JSON = {
            "model": self.target.model,
            "max_tokens": thinking.max_tokens,
            "system": self.system,
            "messages": messages,
            **tools.fields,
            "thinking": thinking.config,
            "output_config": ({"effort": thinking.effort} if thinking.effort else {}) | form,
            **self._sampling(thinking),
            "stop_sequences": self._stops(),
            "metadata": self._identity(),
        }
        self._modalities()
        body: JSON = {name: value for name, value in fields.items() if value not in (None, [], {})}
        if self.caches:
            body = cached(body)
        return AnthropicWritten(
            body=body | {"stream": True},
            names=self.names,
            betas=(thinking.beta,) if thinking.beta else (),
            wrapped=tools.wrapped,
            answer=self.answer,
            losses=(*(spelt(loss, self.request.paths) for loss in self.losses), *self.marks.lost()),
        )

    def _lose(self, name: str, reason: str, severity: ir.Severity = "change") -> None:
        self.losses.append(ir.Loss(name, reason, severity))

    def _refused(self, name: str, reason: str) -> InvalidRequest:
        path = self.request.paths.get(name, name)
        return InvalidRequest(f"{path}: {reason}", param=path)

    # conversation and thinking depend on each other

    def _conversation(self) -> tuple[Thinking, list[dict[str, object]]]:
        asked = self.request.reasoning.include is None  # else it is the configuration that wants thoughts
        # by a budget, the caller's choice of a tool excludes them
        excluded = forced(self.request) and not asked and not self.target.adaptive
        thinking = plan(self.request, self.target, thoughts=not excluded)
        messages, system, lost = self._written(thinking)
        if thinking.budgeted and not leads_with_thoughts(messages):
            # By a budget Claude wants its thoughts before the calls of the current loop, and they are gone.
            thinking = plan(self.request, self.target, thoughts=False)
            self._lose("thinking", UNLED, "change" if asked else "hint")
            messages, system, lost = self._written(thinking)
        if not messages:
            raise self._refused("messages", "has nothing that the model could read")
        self.losses += [*thinking.losses, *lost]
        self.system += map(_words, system)
        return thinking, messages

    def _written(self, thinking: Thinking) -> tuple[list[dict[str, object]], list[str], list[ir.Loss]]:
        losses: list[ir.Loss] = []
        thoughts = thinking.on or (self.target.adaptive and thinking.config is None)
        marks, target = self.marks, self.target
        echoes = target.echoes and (thinking.config is None or thinking.on)
        conversation = Conversation(self.request, target, self.names, marks, losses, thoughts=thoughts, echoes=echoes)
        messages = conversation.messages(thinks=thinking.on)
        return messages, conversation.system, losses

    # form of the answer

    def _form(self, thinking: Thinking) -> JSON:
        output = self.request.output
        for name in ("name", "description", "strict"):
            if getattr(output, name):
                self._lose(f"{_SCHEMA}.{name}", "responses follow a schema without it here", "hint")
        if output.kind == "text":
            return {}
        held = strict(output.schema) if output.schema is not None and self.target.structured else None
        if held is not None:
            self._lose_keywords(held)
            return {"format": {"type": "json_schema", "schema": held.schema}}
        if self._answers_by_tool(thinking):
            self.answer = ANSWER
            self._lose("response_format", "emulated: the response is a call of a tool with this schema")
        else:
            self._lose("response_format", IN_WORDS)
            self.system.append(_words(json_instruction(output.schema)))
        return {}

    def _lose_keywords(self, held: Strict) -> None:
        for dropped in held.dropped:
            self._lose(f"response_format.{dropped.path}", "moved into the description", "hint")

    def _answers_by_tool(self, thinking: Thinking) -> bool:
        """Tell whether a tool that must be called can stand for an answer by the schema."""
        schema = self.request.output.schema
        if schema is None or thinking.budgeted or not self.target.forced:
            return False
        if forced(self.request) or self.names.known(ANSWER):
            return False
        return leads_to_objects(schema)

    # tools

    def _tools(self, thinking: Thinking) -> Tools:
        tools = write_tools(self.request, self.target, self.names, self.marks, self.losses, thinks=thinking.budgeted)
        schema = self.request.output.schema
        if not self.answer or schema is None:
            return tools
        declared = tools.fields.get("tools") if self.request.tools else None
        others = declared if is_list(declared) else []
        answer = {"name": self.answer, "description": ANSWERS, "input_schema": parameters(schema)}
        choice = self.request.tool_choice
        free = bool(others) and (choice is None or choice.mode == "auto")
        chosen: JSON = {"type": "any"} if free else {"type": "tool", "name": self.answer}
        if not free or (choice is not None and choice.parallel is False):
            chosen["disable_parallel_tool_use"] = True
        return Tools(fields={"tools": [*others, answer], "tool_choice": chosen}, wrapped=tools.wrapped)

    # how the answer is drawn, and where it stops

    def _sampling(self, thinking: Thinking) -> JSON:
        sampling = self.request.sampling
        for name, default in _NOT_HERE.items():
            if (value := getattr(sampling, name)) is not None:
                self._lose(name, "Claude does not support it", "hint" if value == default else "change")
        values = zip(_DRAWING, _drawn(sampling), strict=True)
        given: dict[str, float] = {name: value for name, value in values if value is not None}
        if not self.target.sampling:
            given = self._without(given, _never, "this model accepts only its default")
        elif thinking.on:
            given = self._without(given, beside_thinking, NOT_BESIDE_THINKING)
        if not self.target.both_samplings and given.keys() >= {"temperature", "top_p"}:
            left_out = beside_each_other(given["temperature"], given["top_p"], self.request.filled)
            given = self._without(given, lambda name, _: name != left_out, _EITHER)
        if given.get("temperature", 0) > _MOST_HEAT:
            given["temperature"] = _MOST_HEAT
            self._lose("temperature", f"Claude's maximum is {_MOST_HEAT}")
        return {**given}

    def _without(self, given: dict[str, float], taken: _Taken, reason: str) -> dict[str, float]:
        for name, value in given.items():
            if not taken(name, value):
                self._lose(name, reason, "hint" if value == _DEFAULTS.get(name) else "change")
        return {name: value for name, value in given.items() if taken(name, value)}

    def _stops(self) -> list[str]:
        stops = self.request.sampling.stop
        kept = [stop for stop in stops if stop.strip()]
        if len(kept) < len([stop for stop in stops if stop]):
            self._lose("stop", "Claude does not accept stop sequences of whitespace")
        return kept

    # who asks, and the rest

    def _identity(self) -> JSON:
        """Tell who the user is; an e-mail address, which is refused, and a long name by their hash."""
        user, session = self.request.user, self.request.session
        if session is not None and session != user:
            self.caches = wants_cache(self.request, self.target)
            self._lose("session", _MARKED if self.caches else "this upstream has no sessions", "hint")
        if user is None:
            return {}
        plain = len(user) <= _MAX_USER and "@" not in user
        return {"user_id": user if plain else sha256(user.encode()).hexdigest()}

    def _modalities(self) -> None:
        if any(one != "text" for one in self.request.output.modalities):
            self._lose("modalities", _DRAWS_NOTHING)
        if (shape := self.request.output.shape) is not None:
            self._lose(shape.path, _DRAWS_NOTHING)


def _never(_name: str, _value: float) -> bool:
    return False


def _words(text: str) -> JSON:
    return {"type": "text", "text": text}
