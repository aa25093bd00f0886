"""Write a neutral request as a body for OpenAI Responses, and for every server that is compatible with it.

The body is built, never copied, apart from the options of a caller that speaks this dialect too. Answers are always
streamed and never stored there: who keeps a conversation is this gateway, and thoughts come back sealed. What has no
place is told in `OpenAIWritten.losses`, by the caller's own names.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.emulated import IN_WORDS, unknown
from gateway.dialects.gemini.leftover import spelt
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.logprobs import INCLUDE, asked
from gateway.dialects.openai_chat.call_ids import NUMBERED
from gateway.dialects.openai_chat.outbound_marking import lost_marks, marks_for
from gateway.dialects.openai_chat.outbound_models import abilities_of, effort_of
from gateway.dialects.openai_chat.outbound_request import IN_JSON, OPENAI, in_words, names_of, short
from gateway.dialects.openai_chat.outbound_tools import forcible, is_strict
from gateway.dialects.outbound import SYSTEM_ITEMS, TEXT_ONLY, WHOLE_ITEMS, OpenAITarget, OpenAIWritten
from gateway.dialects.outbound_schema import MENDED, mended
from gateway.dialects.raw import FIELDS, NULL
from gateway.errors import InvalidRequest

from .complete import complete
from .edits_items import developed
from .outbound_items import ItemWriter
from .outbound_parts import JSON, ContentWriter
from .outbound_tools import ToolWriter

__all__ = ["write_request"]

_SEALED: Final = "reasoning.encrypted_content"
_PRINTED: Final = "code_interpreter_call.outputs"
_LEAST_OUTPUT: Final = 16  # tokens; less is refused
_SCHEMA: Final = "response_format.json_schema"
_ANSWER: Final = "answer"  # what a schema without a name is called
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DRAWING: Final = ("temperature", "top_p")
# Chat Completions has them, this API does not; the value that says nothing.
_NOT_HERE: Final = {"top_k": None, "seed": None, "presence_penalty": 0, "frequency_penalty": 0}
# Options of Chat Completions that this API has too, by the same name.
_CACHED: Final = "prompt_cache_options"
_SHARED: Final = frozenset({"metadata", "moderation", _CACHED, "prompt_cache_retention", "service_tier"})
_MARKED: Final = b'"explicit"'  # only what is marked is cached, and marks are not carried
# What a caller of this dialect may say, and the gateway says itself.
_OURS: Final = frozenset({"background", "conversation", "include", "previous_response_id", "store", "stream"})
_encode: Final = msgspec.json.Encoder().encode


def write_request(request: ir.Request, target: OpenAITarget) -> OpenAIWritten:
    """Write a request for one target; raise InvalidRequest for what cannot be carried."""
    return _Writer(request, target).write()


class _Writer:
    """One request on its way, and what got lost."""

    def __init__(self, request: ir.Request, target: OpenAITarget) -> None:
        self.request = request
        self.target = target
        self.own = request.thread is not None
        self.abilities = abilities_of(target.model)
        self.reasons = target.reasoning and self.abilities.efforts != ()
        self.losses: list[ir.Loss] = []
        self.names = NameMap(names_of(request))
        self.tools = ToolWriter(request, target, self.names, self.losses)
        self.words = in_words(request, target, self.abilities)
        self.marks = marks_for(request, target, chat=False)
        self.led = self.marks is not None and any(text.mark for text in request.system)  # by a message, which is marked

    def write(self) -> OpenAIWritten:
        tools = self.tools.write()
        effort = self._effort()
        fixed = self.abilities.is_fixed(effort)
        fields: JSON = {
            "model": self.target.model,
            "instructions": "" if self.led else "\n\n".join(block.text for block in self.request.system if block.text),
            "input": self._input(),
            **tools,
            "max_output_tokens": self._max_tokens(),
            **self._drawing(fixed=fixed),
            "reasoning": self._reasoning(effort),
            **self._included(fixed=fixed),
            "text": self._text(),
            **self._identity(),
        }
        body = {name: value for name, value in fields.items() if value not in (None, "", {})}
        body |= {"store": False, "stream": True}
        upstream = self.names.upstream
        return OpenAIWritten(
            body=body | self._extras(body),
            names=self.names,
            custom=frozenset(map(upstream, self.tools.custom)),
            wrapped=frozenset(map(upstream, self.tools.wrapped)),
            namespaces=self.tools.namespaces,
            losses=(*lost_marks(self.request, self.marks), *(spelt(loss, self.request.paths) for loss in self.losses)),
        )

    def _lose(self, name: str, reason: str, severity: ir.Severity = "change") -> None:
        self.losses.append(ir.Loss(name, reason, severity))

    def _refused(self, name: str, reason: str) -> InvalidRequest:
        path = self.request.paths.get(name, name)
        return InvalidRequest(f"{path}: {reason}", param=path)

    def _echoed(self, name: str) -> dict[str, Raw]:
        """Give the members of an option as a caller of this dialect wrote them."""
        thread = self.request.thread
        raw = thread.echo.get(name, NULL) if thread is not None else NULL
        return {} if raw == NULL else FIELDS.decode(raw)

    # conversation

    def _input(self) -> list[object]:
        content = ContentWriter(self.request.paths, self.losses, self.marks)
        tools, own = self.tools, not self.target.only_functions
        counts = NUMBERED in self.target.demands
        writer = ItemWriter(self.names, tools.custom, tools.namespaces, content, self.losses, own=own, counts=counts)
        items: list[object] = [*writer.write(self.request.turns, trusted=self.target.signatures and self.reasons)]
        if not items:
            raise self._refused("messages", "has nothing that the model could read")
        if self.led:
            said = [content.write(text) for text in self.request.system if text.text]
            items.insert(0, {"type": "message", "role": "system", "content": said})
        output = self.request.output
        if self.words:
            items.insert(0, _instruction(self.words))
        elif output.kind != "text" and output.schema is None and b"json" not in _encode(items).lower():
            items.insert(0, _instruction(IN_JSON))  # else JSON mode is refused
        if SYSTEM_ITEMS in self.target.refused:
            items = [developed(Raw(_encode(item))) for item in items]
        if WHOLE_ITEMS in self.target.refused:
            items = [complete(place, Raw(_encode(item))) for place, item in enumerate(items)]
        return items

    # limits, sampling, thinking

    def _max_tokens(self) -> int | None:
        sampling = self.request.sampling
        if sampling.n is not None and sampling.n > 1:
            raise self._refused("n", "this upstream gives one response per request")
        wanted, limit = sampling.max_tokens, self.target.max_output
        if wanted is None:
            return None
        given = max(wanted, _LEAST_OUTPUT)
        given = given if limit is None else min(given, limit)
        if given > wanted:
            self._lose("max_tokens", f"raised to {given}, this upstream's minimum", "hint")
        elif given < wanted:
            self._lose("max_tokens", f"cut to the model's limit of {given}", "hint")
        return given

    def _drawing(self, *, fixed: bool) -> JSON:
        sampling = self.request.sampling
        for name, default in _NOT_HERE.items():
            if (value := getattr(sampling, name)) is not None and value != default:
                self._lose(name, "this upstream does not support it")
            elif value is not None:
                self._lose(name, "this upstream does not support it", "hint")
        if any(sampling.stop):
            self._lose("stop", "this upstream has no stop sequences")
        fields: JSON = {}
        for name in _DRAWING:
            value = getattr(sampling, name)
            if fixed and value not in (None, 1):
                self._lose(name, "this model accepts only its default while it thinks")
            elif value is not None:
                fields[name] = value
        return fields

    def _included(self, *, fixed: bool) -> JSON:
        """Ask for what seals the thoughts, for what code printed, and for how likely the tokens are."""
        wanted = [_SEALED] if self.reasons and self.target.signatures else []
        wanted += [_PRINTED] if any(tool.builtin == "code_execution" for tool in self.request.tools) else []
        names = asked(self.request.sampling)
        told = self.target.logprobs and not fixed
        for name in () if told else names:
            self._lose(name, "this model does not report it")
        if not (told and names):
            return {"include": wanted or None}
        return {"include": [*wanted, INCLUDE], "top_logprobs": self.request.sampling.logprobs or None}

    def _effort(self) -> str | None:
        reasoning = self.request.reasoning
        plain = self.own or self.request.dialect in OPENAI
        target = self.target
        effort, reason = effort_of(reasoning, self.abilities, plain=plain, rests=target.rests, named=target.efforts)
        if not self.reasons and reasoning.mode != "unset":
            effort, reason = None, "this model does not support effort"
        if reason:
            self._lose("thinking", reason, "hint")
        return effort

    def _reasoning(self, effort: str | None) -> JSON:
        """Ask for thoughts as they are wanted; what else the caller says of them goes along."""
        if not self.reasons:
            return {}
        reasoning, said = self.request.reasoning, self._echoed("reasoning")
        shown = reasoning.visible if reasoning.include is None else reasoning.include
        named = (said.get(name, NULL) for name in ("summary", "generate_summary"))
        summary = next((one for one in named if one != NULL), "auto")
        fields: JSON = {name: said[name] for name in ("mode", "context") if said.get(name, NULL) != NULL}
        if effort is not None:
            fields["effort"] = effort
        if shown and reasoning.mode != "off" and self.target.summaries:
            fields["summary"] = summary
        elif shown and reasoning.mode != "off":
            self._lose("thinking", "this upstream does not show its thoughts", "hint")
        return fields

    # form of the answer

    def _text(self) -> JSON:
        output = self.request.output
        if output.modalities and "image" in output.modalities:
            self._lose("modalities", TEXT_ONLY)
        if output.shape is not None:
            self._lose(output.shape.path, TEXT_ONLY)
        if self.words:
            self._lose("response_format", IN_WORDS)
        held = output.kind != "text" and not self.words
        fields: JSON = {"format": self._format(output)} if held else {}
        verbosity = self.request.extras.get("verbosity")
        if verbosity is None:
            return fields
        if "verbosity" in self.target.refused:
            self._lose("verbosity", "this model accepts only its default", "change")
            return fields
        return fields | {"verbosity": verbosity}

    def _format(self, output: ir.Output) -> JSON:
        if output.schema is None:
            for name in ("name", "description", "strict"):
                if getattr(output, name) is not None:
                    self._lose(f"{_SCHEMA}.{name}", "there is no schema", "hint")
            return {"type": "json_object"}
        schema = forcible(mended(output.schema), strict=output.strict)
        if schema != output.schema:
            self._lose("schema", MENDED, "hint")
        form: JSON = {"type": "json_schema", "name": self._schema_name(output.name), "schema": schema}
        if output.strict and not is_strict(schema):
            self._lose(f"{_SCHEMA}.strict", "the schema allows what strict responses do not support", "hint")
        elif output.strict is not None:
            form["strict"] = output.strict
        return form if output.description is None else form | {"description": output.description}

    def _schema_name(self, given: str | None) -> str:
        if not given or _NAME.fullmatch(given):
            return given or _ANSWER
        self._lose(f"{_SCHEMA}.name", "names are up to 64 letters, digits, - and _ here", "hint")
        return _ANSWER

    # who asks, and the rest

    def _identity(self) -> JSON:
        user, session = self.request.user, self.request.session
        named = "safety_identifier" if self.request.paths.get("user") == "safety_identifier" else "user"
        fields: JSON = {} if user is None else {named: short(user)}
        return fields if session is None else fields | {"prompt_cache_key": short(session)}

    def _extras(self, body: JSON) -> JSON:
        """Give the fields that go along as they came."""
        kept: JSON = {}
        for name, value in self.request.extras.items():
            if name == "verbosity":
                continue
            unmarked = self.request.marks and self.marks is None and not self.own
            if name == _CACHED and unmarked and _MARKED in bytes(value):
                self._lose(name, "only what is marked would be cached, and marks are not carried", "hint")
                continue
            if name not in body and name not in _OURS and (self.own or name in _SHARED):
                kept[name] = value
            else:
                self.losses.append(unknown(name, value))
        return kept


def _instruction(text: str) -> JSON:
    return {"type": "message", "role": "system", "content": [{"type": "input_text", "text": text}]}
