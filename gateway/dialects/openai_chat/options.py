"""Sampling, reasoning and output form of Chat Completions → the neutral form."""

from collections.abc import Callable
from typing import Any, Final, get_args

from msgspec import UNSET

from gateway import ir
from gateway.errors import InvalidRequest

from . import wire

__all__ = ["read_output", "read_reasoning", "read_sampling"]

_NOTHING: Final = (None, None, None, None)


def read_sampling(body: wire.Body) -> ir.Sampling:
    """Read how the answer is drawn."""
    stop = (body.stop,) if isinstance(body.stop, str) else body.stop or ()
    return ir.Sampling(
        max_tokens=body.max_completion_tokens or body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k if body.top_k and body.top_k > 0 else None,  # 0 and -1 switch it off on some servers
        seed=body.seed,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        stop=tuple(word for word in stop if word),
        n=body.n if body.n != 1 else None,
    )


def read_reasoning(body: wire.Body) -> ir.Reasoning:
    """Read the first of the four spellings that says how much; any of them asks to see the thoughts or not to."""
    config = _google_config(body)
    given = (body.reasoning_effort, body.reasoning, body.thinking, config)
    if given == _NOTHING:
        return ir.Reasoning()
    amount = ir.Reasoning()
    for control in given:
        if control is not None and amount.mode == "unset":
            amount = _AMOUNTS[type(control)](control)
    hidden = (
        amount.mode == "off"
        or (body.reasoning is not None and body.reasoning.exclude)
        or (body.thinking is not None and body.thinking.display == "omitted")
        or (config is not None and config.include_thoughts is False)
    )
    return ir.Reasoning(mode=amount.mode, level=amount.level, budget=amount.budget, visible=not hidden)


def _google_config(body: wire.Body) -> wire.ThinkingConfig | None:
    options = body.google or (body.extra_body.google if body.extra_body else None)
    return options.thinking_config if options else None


def _by_level(level: str) -> ir.Reasoning:
    if level == "none":
        return ir.Reasoning(mode="off")
    return ir.Reasoning(mode="auto") if level == "auto" else ir.Reasoning(mode="level", level=level)


def _by_budget(budget: int) -> ir.Reasoning:
    if budget == 0:
        return ir.Reasoning(mode="off")
    return ir.Reasoning(mode="auto") if budget < 0 else ir.Reasoning(mode="budget", budget=budget)


def _router(control: wire.Reasoning) -> ir.Reasoning:
    if control.enabled is False:
        return ir.Reasoning(mode="off")
    if control.effort is not None:
        return _by_level(control.effort)
    if control.max_tokens is not None:
        return _by_budget(control.max_tokens)
    return ir.Reasoning(mode="auto" if control.enabled else "unset")


def _anthropic(control: wire.Thinking) -> ir.Reasoning:
    if control.type == "disabled":
        return ir.Reasoning(mode="off")
    if control.type == "enabled" and control.budget_tokens is not None:
        return _by_budget(control.budget_tokens)
    return ir.Reasoning(mode="auto")


def _google(control: wire.ThinkingConfig) -> ir.Reasoning:
    if control.level is not None:
        level = control.level.lower()
        if level not in _LEVELS:
            param = "extra_body.google.thinking_config.thinking_level"
            raise InvalidRequest(f"{param}: {control.level!r} is none of {', '.join(_LEVELS)}", param=param)
        return _by_level(level)
    return ir.Reasoning() if control.budget is None else _by_budget(control.budget)


_LEVELS: Final[tuple[str, ...]] = get_args(wire.Effort)
_AMOUNTS: Final[dict[type, Callable[[Any], ir.Reasoning]]] = {
    str: _by_level,
    wire.Reasoning: _router,
    wire.Thinking: _anthropic,
    wire.ThinkingConfig: _google,
}


def read_output(body: wire.Body) -> ir.Output:
    """Read the form of the answer."""
    form = body.response_format
    if form is None or form.type == "text":
        return ir.Output()
    if form.type == "json_object":
        return ir.Output(kind="json")
    schema = form.json_schema
    if schema is None:
        param = "response_format.json_schema"
        raise InvalidRequest(f"{param}: required, but missing", param=param)
    if schema.schema is UNSET or bytes(schema.schema) == b"null":
        return ir.Output(kind="json", name=schema.name)
    return ir.Output(kind="schema", schema=schema.schema, name=schema.name, strict=schema.strict)
