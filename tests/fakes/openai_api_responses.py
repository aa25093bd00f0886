"""What `POST /v1/responses` refuses of a body, in the order in which it looks.

Encrypted reasoning is taken only as it was issued; the id of an item is looked up, so one that was not stored is 404.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.fakes.openai_api_errors import bad, listing, unsupported_parameter, unsupported_value
from tests.fakes.openai_api_items import FIELDS
from tests.fakes.openai_api_kept import Kept
from tests.fakes.openai_api_models import Model
from tests.fakes.openai_api_schemas import function_schema, response_schema
from tests.fakes.openai_api_shapes import missing, obj

__all__ = ["Wanted", "judge"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """One body, and whom it asks. `before`: the conversation of `previous_response_id`."""

    body: Json
    model: Model
    kept: Kept
    before: list[Json]

    @cached_property
    def input(self) -> list[Json]:
        """Give the input as items."""
        given = self.body.get("input") or []
        return [{"role": "user", "content": given}] if isinstance(given, str) else given

    @property
    def items(self) -> list[Json]:
        """Give the whole conversation; what is only named, as it was kept."""
        return [*self.before, *map(self.kept.meant, self.input)]

    @property
    def tools(self) -> list[Json]:
        """Give the tools."""
        return self.body.get("tools") or []


def judge(wanted: Wanted) -> None:
    """Raise what OpenAI would say of a body."""
    for check in _CHECKS:
        check(wanted)


def _shaped(wanted: Wanted) -> None:
    obj({}, FIELDS)(wanted.body, "")


def _input_given(wanted: Wanted) -> None:
    if not any(wanted.body.get(name) for name in ("input", "previous_response_id", "prompt", "conversation")):
        raise bad(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
            code="missing_required_parameter",
        )


_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "reasoning": "rs",
}


def _ids_fit(wanted: Wanted) -> None:
    for place, item in enumerate(wanted.input):
        prefix = _PREFIXES.get(item.get("type", "message"))
        given = item.get("id")
        if prefix and given and not given.startswith(prefix):
            path = f"input[{place}].id"
            raise bad(
                f"Invalid '{path}': '{given}'. Expected an ID that begins with '{prefix}'.",
                param=path,
                code="invalid_value",
            )


def _media_whole(wanted: Wanted) -> None:
    for place, item in enumerate(wanted.input):
        content = item.get("content") or item.get("output")
        for at, part in enumerate(content if isinstance(content, list) else []):
            path = f"input[{place}].{'content' if 'content' in item else 'output'}[{at}]"
            if part.get("type") == "input_image" and not (part.get("image_url") or part.get("file_id")):
                raise missing(f"{path}.image_url")
            if part.get("type") == "input_file" and "file_data" in part and not part.get("filename"):
                raise missing(f"{path}.filename")


def _reasoning_ours(wanted: Wanted) -> None:
    """Encrypted content is what was issued; without it the item must be stored."""
    for item in wanted.input:
        if item.get("type") != "reasoning":
            continue
        sealed = item.get("encrypted_content")
        if sealed is not None:
            if sealed not in wanted.kept.sealed:
                raise bad(
                    f"The encrypted content {sealed[:4]}... could not be verified. Reason: Encrypted content could not "
                    "be decrypted or parsed.",
                    code="invalid_encrypted_content",
                )
        elif item.get("id") not in wanted.kept.items:
            raise _not_kept(item.get("id", ""))


def _references_kept(wanted: Wanted) -> None:
    for item in wanted.input:
        if item.get("type") == "item_reference" and item["id"] not in wanted.kept.items:
            raise _not_kept(item["id"])


def _not_kept(name: str) -> Exception:
    return bad(
        f"Item with id '{name}' not found. Items are not persisted when `store` is set to false. Try again with "
        "`store` set to true, or remove this item from your input.",
        param="input",
        status=404,
    )


def _reasoning_leads(wanted: Wanted) -> None:
    """A reasoning item is of use only before what it led to."""
    items = wanted.items
    for place, item in enumerate(items):
        after = items[place + 1] if place + 1 < len(items) else {}
        if item.get("type") == "reasoning" and (not after or after.get("role") in ("user", "system", "developer")):
            raise bad(
                f"Item '{item.get('id', '')}' of type 'reasoning' was provided without its required following item.",
                param="input",
            )


def _reasoning_is_there(wanted: Wanted) -> None:
    """What is known to have come of reasoning stands behind it."""
    there: set[str] = set()
    for item in wanted.items:
        ident = item.get("id", "")
        there |= {ident, wanted.kept.sealed.get(item.get("encrypted_content") or "", "")}
        thought = wanted.kept.led.get(ident)
        if thought is not None and thought not in there:
            kind = item.get("type", "message")
            raise bad(
                f"Item '{ident}' of type '{kind}' was provided without its required 'reasoning' item: '{thought}'.",
                param="input",
            )


_CALLS = {"function_call": "function call", "custom_tool_call": "custom tool call"}


def _calls_answered(wanted: Wanted) -> None:
    """Every call has its output somewhere behind it, and every output its call before it."""
    open_calls: dict[str, str] = {}
    for item in wanted.items:
        kind = item.get("type", "message")
        if kind in _CALLS:
            open_calls[item["call_id"]] = kind
        elif kind.removesuffix("_output") in _CALLS:
            if item["call_id"] not in open_calls:
                named = _CALLS[kind.removesuffix("_output")]
                raise bad(f"No tool call found for {named} output with call_id {item['call_id']}.", param="input")
            open_calls[item["call_id"]] = ""
    for name, kind in open_calls.items():
        if kind:
            raise bad(f"No tool output found for {_CALLS[kind]} {name}.", param="input")


def _schemas(wanted: Wanted) -> None:
    for place, tool in enumerate(wanted.tools):
        inner = enumerate(tool["tools"]) if tool["type"] == "namespace" else ((None, tool),)
        for at, one in inner:
            path = f"tools[{place}].parameters" if at is None else f"tools[{place}].tools[{at}].parameters"
            if one["type"] == "function":
                # left out: strict where the schema lets itself be forced
                function_schema(one["name"], one.get("parameters"), path, strict=bool(one.get("strict")))


def _names_unique(wanted: Wanted) -> None:
    names = [tool["name"] for tool in wanted.tools if tool["type"] in ("function", "custom", "namespace")]
    for name in names:
        if names.count(name) > 1:
            raise bad(f"Duplicate tool names: {name}.", param="tools")


def _choice_declared(wanted: Wanted) -> None:
    choice = wanted.body.get("tool_choice")
    if choice == "required" and not wanted.tools:
        raise bad("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice", code=None)
    if not isinstance(choice, dict):
        return
    chosen = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    declared = {(tool["type"], tool.get("name")) for tool in wanted.tools}
    for one in chosen:
        if (one.get("type"), one.get("name")) not in declared:
            name = one.get("name") or one.get("type")
            raise bad(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")


def _format_usable(wanted: Wanted) -> None:
    form = (wanted.body.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] == "json_object" and "json" not in f"{wanted.items}{wanted.body.get('instructions')}".lower():
        raise bad(
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'.",
            param="input",
        )
    if form["type"] == "json_schema":
        response_schema(form["name"], form["schema"], "text.format.schema", strict=bool(form.get("strict")))


def _stream_options(wanted: Wanted) -> None:
    if wanted.body.get("stream_options") is not None and not wanted.body.get("stream"):
        raise bad("The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options")


def _served_here(wanted: Wanted) -> None:
    if wanted.model.use != "answers" or wanted.model.hears:
        raise bad(f"The requested model '{wanted.model.name}' cannot be used with the Responses API.", param="model")


def _reasoning_rules(wanted: Wanted) -> None:
    body, model = wanted.body, wanted.model
    reasoning = body.get("reasoning") or {}
    if not model.reasons:
        for name in ("effort", "summary"):
            if reasoning.get(name) is not None:
                raise unsupported_parameter(f"reasoning.{name}")
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            raise bad("Encrypted content is not supported with this model.", param="include")
        return
    for name in ("temperature", "top_p", "top_logprobs"):
        if body.get(name) not in (None, 1):
            raise unsupported_parameter(name)
    effort = reasoning.get("effort")
    if effort is not None and effort not in model.efforts:
        raise unsupported_value("reasoning.effort", effort, f"Supported values are: {listing(list(model.efforts))}.")


def _verbosity(wanted: Wanted) -> None:
    given = (wanted.body.get("text") or {}).get("verbosity")
    if given not in (None, "medium") and not wanted.model.verbose:
        raise unsupported_value("text.verbosity", given, "Supported values are: 'medium'.")


def _output_in_range(wanted: Wanted) -> None:
    limit, most = wanted.body.get("max_output_tokens"), wanted.model.max_output
    if limit is not None and limit > most:
        raise bad(
            f"Invalid 'max_output_tokens': integer above maximum value. Expected a value <= {most}, but got {limit} "
            "instead.",
            param="max_output_tokens",
            code="integer_above_max_value",
        )


def _not_served(wanted: Wanted) -> None:
    for name in ("conversation", "prompt"):
        if wanted.body.get(name):
            raise bad(f"fake: {name} is not served", param=name)


def _background_stored(wanted: Wanted) -> None:
    if wanted.body.get("background") and wanted.body.get("store") is False:
        raise bad("Background responses require 'store' to be true.", param="background")


_CHECKS: tuple[Callable[[Wanted], None], ...] = (
    _shaped,
    _input_given,
    _not_served,
    _background_stored,
    _served_here,
    _ids_fit,
    _media_whole,
    _reasoning_ours,
    _references_kept,
    _reasoning_leads,
    _reasoning_is_there,
    _calls_answered,
    _schemas,
    _names_unique,
    _choice_declared,
    _format_usable,
    _stream_options,
    _reasoning_rules,
    _verbosity,
    _output_in_range,
)
