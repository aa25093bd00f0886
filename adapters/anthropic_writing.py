"""How a request is written for Claude, as far as is known of what a model takes and what was refused.

A model's name says most of it (`anthropic_models`); refusals say the rest, and the request is written anew without
what they are about. The same for Anthropic's own API and for Claude at a cloud.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from gateway import ir
from gateway.adapters.amendments import without_force
from gateway.adapters.anthropic_models import Traits, traits_of
from gateway.adapters.failures import Cause
from gateway.adapters.latest import Latest
from gateway.adapters.levels import efforts_of
from gateway.config import TranslateConfig
from gateway.dialects.anthropic.edits import Own, pass_through
from gateway.dialects.anthropic.edits_refused import RESHAPED
from gateway.dialects.anthropic.outbound_models import Abilities
from gateway.dialects.anthropic.outbound_request import AnthropicWritten, write_request
from gateway.dialects.anthropic.outbound_target import (
    EFFORTS,
    MIDDLE_EFFORTS,
    NO_THINKING,
    NOT_STRICT,
    PLAIN,
    SERVICES,
    AnthropicTarget,
)
from gateway.dialects.anthropic.outbound_thinking import plan
from gateway.dialects.anthropic.unknown import Path, unknown_field, without_field
from gateway.dialects.anthropic.unknown import lost as lost_with
from gateway.dialects.renaming import counts_calls
from gateway.upstream import ModelInfo

__all__ = ["MOST_UNKNOWN", "Learnt", "Writer"]

MOST_UNKNOWN: Final = 16  # fields of one model, and of one request
_LONGER: Final = "output-"  # betas with which an answer may be longer than a list says
_UNNAMED: Final = "invalid beta flag"
# what Amazon Bedrock documents, and takes from Claude Code
_AT_BEDROCK: Final = (
    "claude-code-",
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "dev-full-thinking-",
    "effort-",
    "fallback-credit-",
    "interleaved-thinking-",
    "output-128k-",
    "token-efficient-tools-",
    "tool-examples-",
    "tool-search-tool-",
)
_LIMIT: Final = re.compile(r"(?:max_tokens: \d{1,12} > |greater than max_model_len=)(\d{1,12})")
_FORMLESS: Final = frozenset[Cause](("structured", "output_config"))
_EFFORTLESS: Final = frozenset[Cause](("effort", "output_config"))
_NO_THOUGHTS: Final = ir.Reasoning(mode="off", visible=False)
_NEITHER: Final = frozenset[Cause](("adaptive", "budget"))
_RESTLESS: Final = frozenset[Cause](("stopping", "between"))
_WAYS: Final = _NEITHER | _RESTLESS  # in which a model may be told how much to think


class Learnt:
    """What the upstream has told: what models take, how long their answers may be, and which betas it does not know.

    `efforts`: of models that have named them in a refusal.
    """

    def __init__(self) -> None:
        self.abilities: Mapping[str, Abilities] = {}
        self.limits = Latest[str, int]()
        self.efforts = Latest[str, tuple[str, ...]]()
        self.betas: frozenset[str] = frozenset()
        self.unknown = Latest[str, tuple[Path, ...]]()

    def limit(self, model: str, said: str) -> None:
        """Take the limit that a refusal names."""
        found = _LIMIT.search(said)
        if found is not None:
            self.limits[model] = int(found[1])

    def level(self, model: str, said: str) -> None:
        """Take the efforts that a refusal names."""
        named = efforts_of(said)
        efforts = tuple(effort for effort in EFFORTS if effort in named)
        if efforts:
            self.efforts[model] = efforts

    def field(self, model: str, said: str) -> bool:
        """Take the field that a refusal names; False when it can only be the caller's to leave out."""
        path, known = unknown_field(said), self.unknown.get(model, ())
        if path is not None and path not in known:
            self.unknown[model] = known = (*known, path)[-MOST_UNKNOWN:]
        return path in known

    def unlearn(self, model: str, cause: Cause, said: str) -> None:
        """Forget what a refusal has named that was about something else."""
        if cause == "limit":
            self.limits.pop(model, None)
        if cause == "effort_value":
            self.efforts.pop(model, None)
        if cause == "unknown":
            self.unknown[model] = tuple(path for path in self.unknown.get(model, ()) if path != unknown_field(said))

    def refused(self, said: str, sent: tuple[str, ...]) -> bool:
        """Take the betas that a refusal is about; False when it is about none that was sent.

        Amazon Bedrock names none: then all go that it does not list, and those, too, where a model takes none of them.
        """
        named = frozenset(_named(sent, said))
        if not named and _UNNAMED in said.lower():
            named = frozenset(beta for beta in sent if not beta.startswith(_AT_BEDROCK)) or frozenset(sent)
        self.betas |= named
        return bool(named)


def _named(betas: tuple[str, ...], said: str) -> Iterator[str]:
    """Give those that a refusal names; the name of one may stand within another's."""
    for beta in sorted(betas, key=len, reverse=True):
        if beta in said:
            said = said.replace(beta, " ")
            yield beta


class Writer:
    """Writes requests for one upstream. `info`: what is known of a model. `services`: its built-in tools."""

    def __init__(
        self,
        info: Callable[[str], ModelInfo],
        translate: TranslateConfig,
        learnt: Learnt,
        *,
        services: frozenset[str] = SERVICES,
    ) -> None:
        self._info = info
        self._translate = translate
        self._learnt = learnt
        self._services = services

    def __call__(self, request: ir.Request, causes: frozenset[Cause]) -> AnthropicWritten:
        """Write a request without what these causes are about."""
        target = self._target(request, causes)
        if request.native is not None:
            own = Own(
                model=target.model,
                max_output=target.max_output,
                forced=target.forced,
                sampling=target.sampling,
                both_samplings=target.both_samplings,
                thinking_conflict=target.thinking_conflict,
                refused=causes,
                unknown=self._learnt.unknown.get(target.model, ()),
                thinking=plan(_asked(request, causes)[0], target) if causes & _WAYS else None,
            )
            if self._learnt.efforts:
                own = self._told(own)
            return pass_through(request, request.native.body, own)
        if not causes:
            return write_request(request, target)
        asked, lost = _asked(request, causes)
        written = write_request(asked, target)
        body: object = written.body
        places: list[str] = []
        for path in self._learnt.unknown.get(target.model, ()):
            body = without_field(body, path, "", places)
        return replace(written, body=body, losses=(*written.losses, *lost, *lost_with(places)))

    def _target(self, request: ir.Request, causes: frozenset[Cause]) -> AnthropicTarget:
        traits = traits_of(request.model).told(self._learnt.abilities.get(request.model))
        return AnthropicTarget(
            model=request.model,
            max_output=request.within(self._max_output(request)),
            adaptive="budget" in causes or (traits.adaptive and "adaptive" not in causes),
            efforts=self._efforts(traits, request.model, causes) if causes or self._learnt.efforts else traits.efforts,
            rests=traits.rests and causes.isdisjoint(_RESTLESS),
            between=traits.between or "between" in causes,
            forced=traits.forced,
            sampling=traits.sampling and "drawing" not in causes,
            both_samplings=traits.both and "both" not in causes,
            echoes="echoes" in causes,
            signatures=self._translate.signatures != "off" and "signatures" not in causes,
            system_turns=traits.system_turns and "system_turns" not in causes,
            counted=counts_calls(request.model) and PLAIN not in causes,
            thinking_conflict=self._translate.thinking_conflict,
            structured=traits.structured and not causes & _FORMLESS,
            services=self._services,
        )

    def _max_output(self, request: ir.Request) -> int | None:
        learnt = self._learnt.limits.get(request.model)
        if learnt is not None:
            return learnt
        longer = any(beta.startswith(_LONGER) for beta in request.betas)
        return None if longer else self._info(request.model).max_output

    def _told(self, own: Own) -> Own:
        named = self._learnt.efforts.get(own.model)
        return own if named is None else replace(own, efforts=named, refused={*own.refused, "effort_value"})

    def _efforts(self, traits: Traits, model: str, causes: frozenset[Cause]) -> tuple[str, ...]:
        if causes & _EFFORTLESS:
            return ()
        named = self._learnt.efforts.get(model, ())
        return named or (MIDDLE_EFFORTS if "effort_value" in causes else traits.efforts)


def _asked(request: ir.Request, causes: frozenset[Cause]) -> tuple[ir.Request, tuple[ir.Loss, ...]]:
    """Give the request without what the codec could not leave out, and what is lost by that."""
    lost: list[ir.Loss] = []
    if "thinking" in causes or causes >= _NEITHER:
        if request.reasoning.mode not in ("unset", "off"):
            lost.append(ir.Loss(request.paths.get("thinking", "thinking"), NO_THINKING, "change"))
        request = replace(request, reasoning=_NO_THOUGHTS)
    if "choice" in causes:
        request, unforced = without_force(request)
        lost += unforced
    if "strictness" in causes and any(tool.strict for tool in request.tools):
        lost += (ir.Loss(_strict(tool), NOT_STRICT, "hint") for tool in request.tools if tool.strict)
        request = replace(request, tools=tuple(replace(tool, strict=None) for tool in request.tools))
    for cause, (rewrite, words) in RESHAPED.items():
        if cause not in causes:
            continue
        tools = tuple(replace(tool, schema=rewrite(tool.schema)) if tool.schema else tool for tool in request.tools)
        changed = (old for old, new in zip(request.tools, tools, strict=True) if old.schema != new.schema)
        lost += (ir.Loss(f"{tool.path}.{tool.schema_path}".rstrip("."), words, "hint") for tool in changed)
        request = replace(request, tools=tools)
    return request, tuple(lost)


def _strict(tool: ir.Tool) -> str:
    """Say where a tool's `strict` stood: beside its schema."""
    return ".".join(filter(None, (tool.path, tool.schema_path.rpartition(".")[0], "strict")))
