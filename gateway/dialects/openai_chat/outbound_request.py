"""Write a neutral request as a body for OpenAI Chat Completions, and for every server that is compatible with it.

The body is built, never copied, apart from the unknown fields of a caller that speaks this dialect too. Answers are
always streamed, with their tokens. What has no place is told in `OpenAIWritten.losses`, by the caller's own names.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from gateway import ir
from gateway.dialects.emulated import IN_WORDS, json_instruction
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.schema_facets import is_list
from gateway.dialects.logprobs import asked
from gateway.dialects.outbound import DRAWING, TEXT_ONLY, OpenAITarget, OpenAIWritten
from gateway.dialects.outbound_schema import MENDED, mended
from gateway.dialects.rewriting import is_of_objects
from gateway.errors import InvalidRequest

from .demanded import demands_of, equipped, met
from .outbound_marking import lost_marks, marks_for
from .outbound_messages import Conversation
from .outbound_models import Abilities, abilities_of, effort_of
from .outbound_tools import Tools, forcible, is_strict, write_tools

__all__ = ["CUT", "IN_JSON", "OPENAI", "in_words", "names_of", "short", "write_request"]

_DIALECT: Final = "openai-chat"
_MAX_STOPS: Final = 4
_MAX_USER: Final = 64
_SCHEMA: Final = "response_format.json_schema"
_ANSWER: Final = "answer"  # what a schema without a name is called
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
IN_JSON: Final = "Answer in JSON."
CUT: Final = "cut to the model's limit of {}"
OPENAI: Final = frozenset({"openai-chat", "openai-responses"})  # whose callers know what its models take
# Fields that Responses has too, and that mean the same there.
_CACHED: Final = "prompt_cache_options"
_SHARED: Final = frozenset({"moderation", "prompt_cache_retention", "service_tier", "verbosity"})
# what Responses alone has of them
_THEIRS: Final = {
    "service_tier": (b'"ultrafast"', "Chat Completions has no such tier"),
    _CACHED: (b'"12h"', "Chat Completions caches for 30 minutes"),
}


def write_request(request: ir.Request, target: OpenAITarget) -> OpenAIWritten:
    """Write a request for one target; raise InvalidRequest for what cannot be carried."""
    return _Writer(request, target).write()


class _Writer:
    """One request on its way, and what got lost."""

    def __init__(self, request: ir.Request, target: OpenAITarget) -> None:
        self.request = request
        self.target = target
        self.plain = request.dialect == _DIALECT
        self.abilities = abilities = abilities_of(target.model)
        off = request.reasoning.mode == "off" and abilities.efforts is None and abilities.rests is not False
        self.quiet: Mapping[str, object] = target.quiet if off else {}
        self.losses: list[ir.Loss] = []
        self.names = NameMap(names_of(request))
        self.words = in_words(request, target, self.abilities)
        self.marks = marks_for(request, target, chat=True)

    def write(self) -> OpenAIWritten:
        tools = self._tools()
        effort = self._effort()
        body: dict[str, object] = {
            "model": self.target.model,
            "messages": self._messages(tools),
            **tools.fields,
            **self._limits(),
            **self._drawing(effort),
            **self._output(),
            **self._identity(),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if effort is not None:
            body["reasoning_effort"] = effort
        elif self.quiet:
            body |= self.quiet
        return OpenAIWritten(
            body=body | self._extras(body),
            names=self.names,
            custom=tools.custom,
            wrapped=tools.wrapped,
            namespaces={
                self.names.upstream(tool.name): tool.namespace for tool in self.request.tools if tool.namespace
            },
            choices=self.request.sampling.n or 1,
            losses=(*lost_marks(self.request, self.marks), *self.losses),
        )

    def _tools(self) -> Tools:
        tools = write_tools(self.request, self.names, self.abilities, self.losses)
        given = tools.fields.get("tools")
        if is_list(given):
            tools.fields["tools"] = equipped(given, self.target.demands, lambda lost: self._lose("tools", lost, "hint"))
        return tools

    def _path(self, name: str) -> str:
        """Give the caller's name for an option, or for what is in one."""
        paths = self.request.paths
        head, dot, rest = name.rpartition(".")
        return paths.get(name) or (f"{paths[head]}{dot}{rest}" if head in paths else name)

    def _lose(self, name: str, reason: str, severity: ir.Severity = "change") -> None:
        self.losses.append(ir.Loss(self._path(name), reason, severity))

    def _refused(self, name: str, reason: str) -> InvalidRequest:
        path = self._path(name)
        return InvalidRequest(f"{path}: {reason}", param=path)

    # conversation

    def _messages(self, tools: Tools) -> Sequence[Mapping[str, object]]:
        messages = Conversation(self.request, self.names, tools.custom, self.losses, self.target, self.marks).messages()
        if not messages:
            raise self._refused("messages", "has nothing that the model could read")
        if self.request.output.kind == "json" and not (self.words or any(map(_says_json, messages))):
            messages.insert(0, {"role": "system", "content": IN_JSON})  # else OpenAI refuses JSON mode
        if self.words:
            messages.insert(0, {"role": "system", "content": self.words})
        demands = demands_of(self.target)
        return met(messages, demands, self._told) if demands else messages

    def _told(self, _: int, reason: str, severity: ir.Severity) -> None:
        self.losses.append(ir.Loss("messages", reason, severity))

    # limits, sampling, thinking

    def _limits(self) -> dict[str, object]:
        sampling = self.request.sampling
        fields: dict[str, object] = {"n": sampling.n} if (sampling.n or 1) > 1 else {}
        wanted, limit = sampling.max_tokens, self.target.max_output
        if wanted is not None:
            fields[self.target.max_tokens_field] = wanted if limit is None else min(wanted, limit)
            if limit is not None and limit < wanted:
                self._lose("max_tokens", CUT.format(limit), "hint")
        elif self.request.room is not None:
            fields[self.target.max_tokens_field] = self.request.room
        return fields | self._stops()

    def _stops(self) -> dict[str, object]:
        stops = [stop for stop in self.request.sampling.stop if stop]
        if stops and not self.abilities.stops:
            self._lose("stop", "this model does not support stop sequences")
            return {}
        if len(stops) > _MAX_STOPS:
            raise self._refused("stop", f"this upstream accepts up to {_MAX_STOPS} stop sequences")
        return {"stop": stops} if stops else {}

    def _drawing(self, effort: str | None) -> dict[str, object]:
        sampling, fixed = self.request.sampling, self.abilities.is_fixed(effort)
        fields: dict[str, object] = {} if sampling.seed is None else {"seed": sampling.seed}
        if sampling.top_k is not None:
            self._lose("top_k", "this upstream does not support it")
        for name, default in DRAWING.items():
            value = getattr(sampling, name)
            if value is not None and fixed and value != default:
                self._lose(name, "this model accepts only its default while it thinks")
            elif value is not None:
                fields[name] = value
        return fields | self._logprobs(fixed=fixed)

    def _logprobs(self, *, fixed: bool) -> dict[str, object]:
        names, others = asked(self.request.sampling), self.request.sampling.logprobs
        if fixed or not self.target.logprobs:
            for name in names:
                self._lose(name, "this model does not report it")
            return {}
        return dict(zip(names, (True, others), strict=False))

    def _effort(self) -> str | None:
        if self.quiet:
            return None
        plain = self.plain or self.request.thread is not None
        target = self.target
        effort, reason = effort_of(
            self.request.reasoning, self.abilities, plain=plain, rests=target.rests, named=target.efforts
        )
        if not self.target.reasoning and self.request.reasoning.mode != "unset":
            effort, reason = None, "this model does not support effort"
        if reason:
            self._lose("thinking", reason, "hint")
        return effort

    # form of the answer

    def _modalities(self) -> dict[str, object]:
        output = self.request.output
        wanted, shape = output.modalities, output.shape
        if not wanted and shape is None:
            return {}
        if self.target.draws:
            fields: dict[str, object] = {"modalities": list(wanted)} if wanted else {}
            said = {} if shape is None else {"aspect_ratio": shape.ratio, "image_size": shape.size}
            return fields | ({"image_config": {name: one for name, one in said.items() if one}} if said else {})
        if "image" in wanted:
            self._lose("modalities", TEXT_ONLY)
        if shape is not None:
            self._lose(shape.path, TEXT_ONLY)
        return {}

    def _output(self) -> dict[str, object]:
        output = self.request.output
        fields: dict[str, object] = self._modalities()
        if output.kind == "text":
            return fields
        if self.words:
            self._lose("response_format", IN_WORDS)
            is_object = output.schema is not None and is_of_objects(output.schema)
            held = is_object and not _is_formless(self.request, self.target)
            return fields | {"response_format": {"type": "json_object"}} if held else fields
        if output.schema is None:
            for name in ("name", "description", "strict"):
                if getattr(output, name) is not None:
                    self._lose(f"{_SCHEMA}.{name}", "there is no schema", "hint")
            return fields | {"response_format": {"type": "json_object"}}
        schema = forcible(mended(output.schema), strict=output.strict)
        if schema != output.schema:
            self._lose("schema", MENDED, "hint")
        form: dict[str, object] = {"name": self._schema_name(output.name), "schema": schema}
        if output.description is not None:
            form["description"] = output.description
        if output.strict and not is_strict(schema):
            self._lose(f"{_SCHEMA}.strict", "the schema allows what strict responses do not support", "hint")
        elif output.strict is not None:
            form["strict"] = output.strict
        return fields | {"response_format": {"type": "json_schema", "json_schema": form}}

    def _schema_name(self, given: str | None) -> str:
        if not given or _NAME.fullmatch(given):
            return given or _ANSWER
        self._lose(f"{_SCHEMA}.name", "names are up to 64 letters, digits, - and _ here", "hint")
        return _ANSWER

    # who asks, and the rest

    def _identity(self) -> dict[str, object]:
        user, session = self.request.user, self.request.session
        fields: dict[str, object] = {}
        if user is not None:
            named = "safety_identifier" if self._path("user") == "safety_identifier" else "user"
            fields[named] = short(user)
        if session is not None and self._path("session") == "prompt_cache_key":
            fields["prompt_cache_key"] = short(session)
        elif session is not None and session != user:
            self._lose("session", "this upstream has no sessions", "hint")
        return fields

    def _extras(self, body: dict[str, object]) -> dict[str, object]:
        """Give the fields that go along as they came."""
        kept: dict[str, object] = {}
        for name, value in self.request.extras.items():
            theirs, reason = _THEIRS.get(name, (b"", ""))
            shared = name in _SHARED or (name == _CACHED and self.abilities.marks and self.target.marks)
            if name in body or not (self.plain or shared):
                self._lose(name, "this upstream does not support it", "hint")
            elif not self.plain and theirs and theirs in bytes(value):
                self._lose(name, reason, "hint")
            else:
                kept[name] = value
        return kept


def in_words(request: ir.Request, target: OpenAITarget, abilities: Abilities) -> str:
    """Give the instruction that stands for a form; "" where answers are held to it.

    OpenAI holds its own models to objects only. Its callers know that, those of Gemini ask for lists; what models of
    others take is not known until they refuse it, nor which model has which name at Azure.
    """
    schema = request.output.schema
    if request.output.kind != "text" and _is_formless(request, target):
        return json_instruction(schema)
    if schema is None:
        return ""
    if not target.schemas:
        return json_instruction(schema)
    if request.dialect in OPENAI or (abilities.efforts is None and not target.objects):
        return ""
    return "" if is_of_objects(mended(schema)) else json_instruction(schema)


def _is_formless(request: ir.Request, target: OpenAITarget) -> bool:
    """Tell whether no form of the answer may be asked for: some servers have that or tools."""
    return bool(request.tools) and not target.forms


def names_of(request: ir.Request) -> set[str]:
    """Give the names of all functions that are declared or called."""
    declared = {tool.name for tool in request.tools if tool.builtin is None}
    return declared | {part.name for turn in request.turns for part in turn.parts if isinstance(part, ir.ToolCall)}


def _says_json(message: Mapping[str, object]) -> bool:
    return "json" in str(message["content"]).lower()


def short(name: str) -> str:
    """Give a name as long as it may be: a longer one by its hash, which stays the same."""
    return name if len(name) <= _MAX_USER else sha256(name.encode()).hexdigest()
