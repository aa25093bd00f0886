"""Read a Messages request, or one for its token count."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import limit_depth
from gateway.dialects.known import decode_open, read_outline
from gateway.dialects.marks import marks_of
from gateway.dialects.place import Place
from gateway.dialects.raw import NO_LIST
from gateway.errors import InvalidRequest

from . import wire
from .blocks import read_system, read_turn
from .directed import Change, Placed, direct
from .tools import change_tools, read_choice, read_tools

__all__ = ["read_request", "read_unread"]

# Without them the answer would be another one, or to another question
_REFUSED: Final = {
    "thread": "threads are not stored here; send the whole conversation in messages",
    "mcp_servers": "MCP servers are not called from here; run them in the client",
    "compaction": "compaction is not available here; ask for a summary in messages",
}
# Known, and of use to Anthropic's own servers only
_HINTS: Final = (
    "betas",
    "billing_policy",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "service_tier",
    "speed",
    "user_profile_id",
    "workspace_id",
)
# How an Anthropic caller calls what the neutral form has another name for; thinking is told apart below.
_PATHS: Final = {
    "stop": "stop_sequences",
    "schema": "output_config.format.schema",
    "response_format": "output_config.format",
    "display": "thinking.display",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
    "session": "metadata.user_id",
}
_FREE: Final = ir.Output()
_Effort = tuple[wire.Effort, str] | None  # with its path
_Conversation = tuple[tuple[ir.Text, ...], tuple[ir.Turn, ...], _Effort]
_MARK: Final = b'"cache_control"'
_BILLING: Final = "x-anthropic-billing-header:"  # Claude Code's; its value breaks prompt caches


def read_request(body: bytes) -> ir.Request:
    """Read a request; raise InvalidRequest with the path of what is wrong."""
    place = Place()
    request, others = decode_open(body, wire.Request, _HINTS, place, flat=True)
    extras = _extras(others, place) if others else others
    said, changes = _said(request, place)
    system, turns, effort = said
    tools = read_tools(request.tools, place.at("tools")) if request.tools else ()
    if changes:
        tools = change_tools(tools, changes)
    choice = request.tool_choice
    user = request.metadata.user_id if request.metadata else None
    asked = ir.Request(
        model=request.model,
        system=system,
        turns=turns,
        tools=tools,
        tool_choice=None if choice is None else read_choice(choice, tools, place.at("tool_choice")),
        sampling=ir.Sampling(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k if request.top_k and request.top_k > 0 else None,  # else it says nothing
            stop=tuple(filter(None, request.stop_sequences)) if request.stop_sequences else (),
        ),
        reasoning=_reasoning(request, effort, place),
        output=_output(request, place),
        stream=request.stream,
        include_usage=True,
        user=user,
        # Claude Code's user_id names its session; another one would tie all of a user's talks together
        session=user if user and "session" in user else None,
        dialect="anthropic",
        losses=tuple(place.losses),
        paths=_paths(request, effort),
    )
    if extras:  # one more name in the call above would cost each request more than this
        asked = replace(asked, extras=extras)
    return replace(asked, marks=marks_of(tools, system, turns)) if _MARK in body else asked


class _Unread(Struct):
    messages: list[Raw]  # without them it is refused, whatever else may be new to us
    model: str | None = None
    stream: bool | None = None


_UNREAD: Final = msgspec.json.Decoder(_Unread)


def read_unread(body: bytes, refusal: InvalidRequest) -> ir.Request:
    """Read of a body what the way upstream needs."""
    given = read_outline(body, _UNREAD, refusal)
    if not given.model:
        raise refusal
    return ir.Request(
        model=given.model,
        turns=(),
        stream=given.stream,
        include_usage=True,
        native=ir.Native(dialect="anthropic", body=Raw(body), refusal=refusal),
    )


def _extras(others: dict[str, Raw], place: Place) -> dict[str, Raw]:
    extras: dict[str, Raw] = {}
    for name, raw in others.items():
        limit_depth(raw)
        if name in _HINTS:
            place.lose(name, "only Anthropic's own servers support it")
        elif name not in _REFUSED:
            extras[name] = raw
        elif raw != NO_LIST:
            raise place.refuse(_REFUSED[name], name)
    return extras


def _said(request: wire.Request, place: Place) -> tuple[_Conversation, Sequence[Change]]:
    """Read the conversation, and what it changes of the tools."""
    before = len(place.losses)
    try:
        return _conversation(enumerate(request.messages), request, place), ()
    except InvalidRequest:
        del place.losses[before:]
        directed = direct(request.messages, place)
        if directed is None:
            raise
    return _conversation(directed.messages, request, place), directed.changes


def _conversation(messages: Iterable[Placed], request: wire.Request, place: Place) -> _Conversation:
    """Read who said what, and the effort: that of the request, or what the system set since."""
    system = list(read_system(request.system, place.at("system"))) if request.system else []
    if system and isinstance(request.system, list) and system[0].text.startswith(_BILLING):
        del system[0]
        place.lose("system[0]", "a billing line that only Anthropic's own servers read")
    turns: list[ir.Turn] = []
    effort = _effort(request.output_config, "output_config")
    last_of_user: int | None = None
    for index, message in messages:
        content = "" if message.content is None and message.role == "assistant" else message.content
        if message.role == "system":
            effort = _effort(message.output_config, f"messages[{index}].output_config") or effort
            cleared = False  # the model is no longer shown it
            if message.clear_at == "next_user_message":
                last_of_user = _last_of_user(request.messages) if last_of_user is None else last_of_user
                cleared = index < last_of_user
            if cleared or (not content and message.output_config is not None):
                _pass_over(content)
                continue
        elif message.clear_at is not None or message.output_config is not None:
            name = "output_config" if message.clear_at is None else "clear_at"
            place.at(f"messages[{index}]").lose(name, "only system messages can have one")
        if content is None:
            raise place.at(f"messages[{index}]").refuse("required, but missing", "content")
        # words alone have nothing in them whose place could matter
        at = place if isinstance(content, str) else place.at(f"messages[{index}].content")
        if message.role == "system" and not turns:
            system += read_system(content, at)
        else:
            turns.append(read_turn(message.role, content, at))
    if not turns:
        raise place.refuse("has nothing but system messages", "messages")
    return tuple(system), tuple(turns), effort


def _pass_over(content: wire.Content) -> None:
    for raw in content if isinstance(content, list) else ():
        limit_depth(raw)


def _last_of_user(messages: list[wire.Message]) -> int:
    return max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)


def _effort(config: wire.OutputConfig | wire.TurnConfig | None, path: str) -> _Effort:
    return (config.effort, f"{path}.effort") if config is not None and config.effort is not None else None


def _reasoning(request: wire.Request, effort: _Effort, place: Place) -> ir.Reasoning:
    thinking = request.thinking
    level, path = effort or (None, "")
    if level and thinking and thinking.type in ("enabled", "disabled"):
        place.lose(path, f"thinking is {thinking.type}")
    if thinking is not None and thinking.budget_tokens is not None and thinking.type != "enabled":
        place.lose("thinking.budget_tokens", f"thinking is {thinking.type}")
    if thinking is None:
        return ir.Reasoning(mode="level" if level else "unset", level=level, visible=False)
    if thinking.type == "disabled":
        if thinking.display is not None:
            place.lose("thinking.display", "thinking is disabled")
        return ir.Reasoning(mode="off", visible=False)
    if thinking.type == "between_tools":
        place.lose("thinking.type", "the model decides whether it also thinks before its first call")
    visible, display = thinking.display != "omitted", thinking.display
    if thinking.type == "enabled" and thinking.budget_tokens is not None:
        budget = thinking.budget_tokens
        return ir.Reasoning(mode="budget", budget=budget, visible=visible, display=display)
    return ir.Reasoning(mode="level" if level else "auto", level=level, visible=visible, display=display)


def _by_effort(thinking: wire.Thinking | None) -> bool:
    """Tell whether the effort, if there is one, says how much to think."""
    return thinking is None or (
        thinking.type != "disabled" and (thinking.type != "enabled" or not thinking.budget_tokens)
    )


def _output(request: wire.Request, place: Place) -> ir.Output:
    form, older = request.output_config and request.output_config.format, request.output_format
    if form and older:
        place.lose("output_format", "output_config.format already says it")
    form = form or older
    if form is None:
        return _FREE
    if not bytes(form.schema).startswith(b"{"):
        at = place.at("output_format" if form is older else "output_config.format")
        raise at.refuse("must be a JSON Schema, an object", "schema")
    limit_depth(form.schema)
    return ir.Output(kind="schema", schema=form.schema)


def _paths(request: wire.Request, effort: _Effort) -> dict[str, str]:
    config = request.output_config
    paths = _PATHS
    if effort is not None and _by_effort(request.thinking):
        paths = paths | {"thinking": effort[1]}
    if request.output_format is not None and (config is None or config.format is None):
        paths = paths | {"schema": "output_format.schema", "response_format": "output_format"}
    return paths
