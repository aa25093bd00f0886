"""Sampling, reasoning and output form of Responses → the neutral form."""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.logprobs import INCLUDE
from gateway.dialects.openai_chat.options import by_level, output_of
from gateway.dialects.openai_chat.wire import JSONSchema, given
from gateway.dialects.place import Place

from . import wire
from .answer import SOURCES

__all__ = ["read_output", "read_reasoning", "read_sampling", "updated"]

_ENCRYPTED: Final = "reasoning.encrypted_content"
_ABSENT: Final = (None, UNSET)


def read_sampling(body: wire.Body, place: Place) -> ir.Sampling:
    """Read how the answer is drawn."""
    told = INCLUDE in (body.include or ())
    if body.top_logprobs and not told:
        place.lose("top_logprobs", f"ignored without {INCLUDE} in include")
    return ir.Sampling(
        max_tokens=body.max_output_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        logprobs=(body.top_logprobs or 0) if told else None,
    )


def read_reasoning(body: wire.Body, place: Place) -> ir.Reasoning:
    """Read how much to think: thoughts are shown as a summary only."""
    _lose_included(body.include or (), place.at("include"))
    control, at = body.reasoning or wire.Reasoning(), place.at("reasoning")
    amount = by_level(control.effort) if control.effort else ir.Reasoning()
    shown = _shown(control, at)
    _lose_unread(control, at)
    if amount.mode == "off":
        if shown:
            at.lose(_summary(control), "there is nothing to show: thinking is off")
        return replace(amount, visible=False)
    return replace(amount, visible=shown)


def _lose_included(include: Sequence[str], place: Place) -> None:
    for index, what in enumerate(include):
        if what not in (_ENCRYPTED, INCLUDE, SOURCES):
            place.item(index).lose("", "responses here have nothing of this kind")


def _shown(control: wire.Reasoning, place: Place) -> bool:
    if control.summary is not None and control.generate_summary is not None:
        place.lose("generate_summary", "summary already says it")
    return _wants_thoughts(control)


def _wants_thoughts(control: wire.Reasoning) -> bool:
    wanted = control.summary or control.generate_summary
    return wanted is not None and wanted != "none"


def _summary(control: wire.Reasoning) -> str:
    """Name the field that says how thoughts are shown; it has two names."""
    return "generate_summary" if control.summary is None else "summary"


def _lose_unread(control: wire.Reasoning, place: Place) -> None:
    field = _summary(control)
    if getattr(control, field) not in (None, "none", "auto"):
        place.lose(field, "the upstream decides the length of a summary")
    if control.mode not in (None, "standard"):
        place.lose("mode", "there is no equivalent", "change")
    if control.context not in (None, "auto"):
        place.lose("context", "the upstream decides which thoughts it reads again")


def read_output(body: wire.Body, place: Place) -> ir.Output:
    """Read the form of the answer."""
    form = body.text.format if body.text is not None else None
    return ir.Output() if form is None else _output(form, place.at("text").at("format"))


def updated(
    reasoning: ir.Reasoning, output: ir.Output, updates: Sequence[tuple[wire.Update, Place]], control: wire.Reasoning
) -> tuple[ir.Reasoning, ir.Output]:
    """Give the settings that hold at the end of a conversation; `control`: what the request says of its thoughts."""
    for update, place in updates:
        if update.reasoning is not None and update.reasoning.effort:
            amount = by_level(update.reasoning.effort)
            reasoning = replace(amount, visible=amount.mode != "off" and _wants_thoughts(control))
        if update.text is not None and update.text.format is not None:
            output = _output(update.text.format, place.at("text").at("format"))
    return reasoning, output


def _output(form: wire.Format, at: Place) -> ir.Output:
    if form.type == "json_schema":
        if not given(form.schema):
            raise at.refuse("required, but missing", "schema")
        schema = JSONSchema(name=form.name, description=form.description, schema=form.schema, strict=form.strict)
        return output_of(schema, f"{at.path}.schema")
    for key in ("name", "description", "schema", "strict"):
        if getattr(form, key) not in _ABSENT:
            at.lose(key, f"ignored beside {form.type}")
    return ir.Output(kind="json" if form.type == "json_object" else "text")
