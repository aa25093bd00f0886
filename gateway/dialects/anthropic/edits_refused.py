"""What an Anthropic caller says as its model takes it, where the model behind the name has refused the caller's way."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words, mended
from gateway.dialects.gemini.thinking import nearest
from gateway.dialects.moonshot_schema import PLAIN, plain
from gateway.dialects.patterns import PATTERNS, readable
from gateway.dialects.raw import FIELDS, NULL, TEXT, Fields, name_of, read

from .outbound_target import EFFORTS, MIDDLE_EFFORTS, NO_THINKING, NOT_STRICT
from .outbound_thinking import NEAREST, Thinking
from .unknown import Path, lost, without_field

__all__ = ["RESHAPED", "bared", "loosened", "reshaped", "rethought", "shortened", "untyped"]


class _Target(Protocol):
    @property
    def max_output(self) -> int | None: ...

    @property
    def refused(self) -> Collection[str]: ...

    @property
    def unknown(self) -> Collection[Path]: ...

    @property
    def efforts(self) -> tuple[str, ...]: ...

    @property
    def thinking(self) -> Thinking | None: ...


_Words = Words[_Target]

_INT: Final = msgspec.json.Decoder(int)

_THINKING: Final = "thinking"
_CONFIG: Final = "output_config"
_EFFORT: Final = "effort"
_EFFORTLESS: Final = frozenset({"effort", "output_config", "idle_effort"})
_STRICT: Final = "strict"
_SCHEMA: Final = "input_schema"
_TYPE, _CUSTOM = "type", "custom"
_NO_TYPE: Final = "this upstream knows such tools without a type only"
_REFUSED_AS: Final = {"enabled": {"budget"}, "adaptive": {"adaptive"}, "disabled": {"stopping", "between"}}  # type: causes
# How the schemas of tools are rewritten, by the cause of a refusal, and what is lost by that.
RESHAPED: Final[Mapping[str, tuple[Callable[[Raw], Raw], str]]] = {
    "patterns": (readable, PATTERNS),
    "plain_schemas": (plain, PLAIN),
}
_CUT: Final = "cut to the model's limit of {}"
_SAID_OTHERWISE: Final = "this model has another way to set how much it thinks"
_NO_EFFORT: Final = "this model does not support effort"


def shortened(words: _Words) -> None:
    """Keep the limit of the answer to that of the model."""
    most, wanted = words.target.max_output, words.get("max_tokens", _INT)
    if most is not None and wanted is not None and wanted > most:
        words.put("max_tokens", most)
        words.lose("max_tokens", _CUT.format(most))


def rethought(words: _Words) -> None:
    """Say in this model's way how much it is to think, and how much effort it is to make."""
    thinking = words.get(_THINKING, FIELDS) or {}
    planned = words.target.thinking
    kind = read(thinking.get("type", NULL), TEXT) or ""
    if planned is None or _REFUSED_AS.get(kind, set()).isdisjoint(words.target.refused):
        _made(words, None)
        return
    if planned.config is None:
        words.drop(_THINKING)
    else:
        words.put(_THINKING, planned.config)
    if planned.on or kind == "disabled":
        words.lose(_THINKING, _SAID_OTHERWISE)
    else:
        words.lose(_THINKING, NO_THINKING, "change")
    _made(words, planned.effort)


def _made(words: _Words, planned: str | None) -> None:
    """Write the effort. `planned`: that of a caller who has none."""
    config, refused = words.get(_CONFIG, FIELDS) or {}, words.target.refused
    given = read(config.get(_EFFORT, NULL), TEXT)
    effort = given or planned
    if not _EFFORTLESS.isdisjoint(refused):
        effort = None
    elif effort in EFFORTS and "effort_value" in refused:
        effort = nearest(effort, words.target.efforts or MIDDLE_EFFORTS)
    if effort == given:
        return
    if given is not None:
        words.lose(f"{_CONFIG}.{_EFFORT}", _NO_EFFORT if effort is None else NEAREST.format(effort))
    others: dict[str, object] = {name: value for name, value in config.items() if name != _EFFORT}
    if effort is not None:
        others[_EFFORT] = effort
    if others:
        words.put(_CONFIG, others)
    else:
        words.drop(_CONFIG)


def loosened(words: _Words) -> None:
    """Let tools be called with anything."""

    def mend(place: int, tool: Fields) -> Fields:
        if _STRICT not in tool:
            return tool
        words.lose(f"tools[{place}].{_STRICT}", NOT_STRICT)
        return {name: value for name, value in tool.items() if name != _STRICT}

    _mend_tools(words, mend)


def untyped(words: _Words) -> None:
    """Leave out the type of tools that the caller runs: without one they are that, too."""

    def mend(place: int, tool: Fields) -> Fields:
        if name_of(tool, _TYPE) != _CUSTOM:
            return tool
        words.lose(f"tools[{place}].{_TYPE}", _NO_TYPE)
        return {name: value for name, value in tool.items() if name != _TYPE}

    _mend_tools(words, mend)


def reshaped(cause: str) -> Callable[[_Words], None]:
    """Give what rewrites the schemas of tools for one cause of a refusal."""
    rewrite, lost = RESHAPED[cause]

    def reshape(words: _Words) -> None:
        def mend(place: int, tool: Fields) -> Fields:
            schema = tool.get(_SCHEMA, NULL)
            written = schema if schema == NULL else rewrite(schema)
            if written == schema:
                return tool
            words.lose(f"tools[{place}].{_SCHEMA}", lost)
            return {**tool, _SCHEMA: written}

        _mend_tools(words, mend)

    return reshape


def _mend_tools(words: _Words, mend: Callable[[int, Fields], Fields]) -> None:
    after = mended(words.many("tools"), mend)
    if after is not None:
        words.put("tools", after)


def bared(words: _Words) -> None:
    """Leave out the fields that this server does not know."""
    for path in words.target.unknown:
        name, places = path[0], list[str]()
        if not words.has(name):
            continue
        if len(path) == 1:
            words.drop(name)
            places.append(name)
        else:
            whole = msgspec.json.decode(words.fields[name])
            after = without_field(whole, path[1:], name, places)
            if places:
                words.put(name, after)
        words.losses += lost(places)
