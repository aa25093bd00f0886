"""Sampling, reasoning and output form of Chat Completions → the neutral form."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, get_args

from gateway import ir
from gateway.errors import InvalidRequest

from . import wire
from .tools import schema_of

__all__ = ["by_level", "googled", "output_of", "read_output", "read_reasoning", "read_sampling"]

_Control = str | wire.Reasoning | wire.Thinking | wire.ThinkingConfig
_Amount = tuple[ir.Reasoning, Sequence[str]]  # and the fields beside it that say nothing then

_SHOWN: Final[dict[type, str]] = {
    wire.Reasoning: "exclude",
    wire.Thinking: "display",
    wire.ThinkingConfig: "include_thoughts",
}
_UNSAID: Final = (ir.Reasoning(), "")
_FREE: Final = ir.Output()
_DISPLAYS: Final = (None, "summarized", "omitted")
_JSON_SCHEMA: Final = "response_format.json_schema"
_spellings: Final = attrgetter("reasoning_effort", "reasoning", "thinking", "google", "extra_body")


def read_sampling(body: wire.Body, losses: list[ir.Loss]) -> ir.Sampling:
    """Read how the answer is drawn."""
    if body.max_tokens and body.max_completion_tokens:
        losses.append(ir.Loss("max_tokens", "max_completion_tokens already says it", "hint"))
    stop = (body.stop,) if isinstance(body.stop, str) else body.stop
    return ir.Sampling(
        max_tokens=body.max_completion_tokens or body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k if body.top_k and body.top_k > 0 else None,  # 0 and -1 switch it off on some servers
        seed=body.seed,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        stop=tuple(filter(None, stop)) if stop else (),
        n=body.n if body.n != 1 else None,
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
    )


def read_reasoning(body: wire.Body, losses: list[ir.Loss]) -> tuple[ir.Reasoning, str]:
    """Read the first of the spellings that says how much, and give its path; any of them may hide the thoughts."""
    if not any(_spellings(body)):
        return _UNSAID
    given = {path: control for path, control in _controls(body) if control is not None}
    amount, said = ir.Reasoning(), ""
    for path, control in given.items():
        read, unread = _AMOUNTS[type(control)](control)
        losses += [ir.Loss(f"{path}.{field}", "ignored beside the others", "hint") for field in unread]
        if amount.mode == "unset":
            amount, said = read, path
        elif read.mode != "unset":
            losses.append(ir.Loss(path, f"{said} already says it", "hint"))
    if not given:
        return amount, said
    if amount.mode == "off":
        losses += [ir.Loss(place, "there is nothing to show: thinking is off", "hint") for place in _showing(given)]
    hidden = amount.mode == "off" or any(_hides(control) for control in given.values())
    return ir.Reasoning(mode=amount.mode, level=amount.level, budget=amount.budget, visible=not hidden), said


def _controls(body: wire.Body) -> Iterator[tuple[str, _Control | None]]:
    yield "reasoning_effort", body.reasoning_effort
    yield "reasoning", body.reasoning
    yield "thinking", body.thinking
    for path, options in googled(body):
        if options.cached_content:
            place = f"{path}.cached_content"
            raise InvalidRequest(
                f"{place}: content cached at Google cannot be used from here; send it whole", param=place
            )
        yield f"{path}.thinking_config", options.thinking_config


def googled(body: wire.Body) -> Iterator[tuple[str, wire.GoogleOptions]]:
    """Give what is said in Google's own words, and where it stands."""
    if body.google is not None:
        yield "google", body.google
    if body.extra_body is not None and body.extra_body.google is not None:
        yield "extra_body.google", body.extra_body.google


def _showing(given: Mapping[str, _Control]) -> Iterator[str]:
    """Give the paths that say whether the thoughts are to be shown."""
    for path, control in given.items():
        field = _SHOWN.get(type(control))
        if field is not None and getattr(control, field) is not None:
            yield f"{path}.{field}"


def _hides(control: _Control) -> bool:
    match control:
        case wire.Reasoning():
            return bool(control.exclude)
        case wire.Thinking():
            return control.display == "omitted"
        case wire.ThinkingConfig():
            return control.include_thoughts is False
        case _:
            return False


def by_level(level: str) -> ir.Reasoning:
    """Read an effort."""
    if level == "none":
        return ir.Reasoning(mode="off")
    return ir.Reasoning(mode="auto") if level == "auto" else ir.Reasoning(mode="level", level=level)


def _by_effort(level: str) -> _Amount:
    return by_level(level), ()


def _by_budget(budget: int) -> ir.Reasoning:
    if budget == 0:
        return ir.Reasoning(mode="off")
    return ir.Reasoning(mode="auto") if budget < 0 else ir.Reasoning(mode="budget", budget=budget)


def _router(control: wire.Reasoning) -> _Amount:
    effort, budget = control.effort, control.max_tokens
    unread = [field for field, value in (("effort", effort), ("max_tokens", budget)) if value is not None]
    if control.enabled is False:
        return ir.Reasoning(mode="off"), unread
    if effort is not None:
        return by_level(effort), unread[1:]
    if budget is not None:
        return _by_budget(budget), ()
    return ir.Reasoning(mode="auto" if control.enabled else "unset"), ()


def _anthropic(control: wire.Thinking) -> _Amount:
    budget = control.budget_tokens
    unread = [] if control.display in _DISPLAYS else ["display"]
    if control.type == "enabled" and budget is not None:
        return _by_budget(budget), unread
    unread += [] if budget is None else ["budget_tokens"]
    return ir.Reasoning(mode="off" if control.type == "disabled" else "auto"), unread


def _google(control: wire.ThinkingConfig) -> _Amount:
    if control.level is None:
        return (ir.Reasoning() if control.budget is None else _by_budget(control.budget)), ()
    level = control.level.lower()
    if level not in _LEVELS:
        param = "extra_body.google.thinking_config.thinking_level"
        raise InvalidRequest(f"{param}: {control.level!r} is not one of {', '.join(_LEVELS)}", param=param)
    return by_level(level), () if control.budget is None else ("thinking_budget",)


_LEVELS: Final[tuple[str, ...]] = get_args(wire.Effort)
_AMOUNTS: Final[dict[type, Callable[[Any], _Amount]]] = {
    str: _by_effort,
    wire.Reasoning: _router,
    wire.Thinking: _anthropic,
    wire.ThinkingConfig: _google,
}


def read_output(body: wire.Body, losses: list[ir.Loss]) -> ir.Output:
    """Read the form of the answer."""
    form = body.response_format
    if form is None:
        return _FREE
    schema = form.json_schema
    if form.type != "json_schema":
        if schema is not None:
            losses.append(ir.Loss(_JSON_SCHEMA, f"ignored beside {form.type}", "hint"))
        return ir.Output(kind="json" if form.type == "json_object" else "text")
    if schema is None:
        raise InvalidRequest(f"{_JSON_SCHEMA}: required, but missing", param=_JSON_SCHEMA)
    return output_of(schema, f"{_JSON_SCHEMA}.schema")


def output_of(schema: wire.JSONSchema, path: str) -> ir.Output:
    """Read an answer by schema, which stands at the path."""
    given = schema_of(schema.schema, path)
    return ir.Output(
        kind="json" if given is None else "schema",
        schema=given,
        name=schema.name,
        description=schema.description or None,
        strict=schema.strict,
    )
