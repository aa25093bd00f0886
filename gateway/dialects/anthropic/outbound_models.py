"""The model list of Anthropic: `GET /v1/models`, page by page."""

from typing import Final

import msgspec
from msgspec import Struct

from gateway.dialects.raw import require
from gateway.upstream import ModelInfo

from .outbound_target import EFFORTS

__all__ = ["Abilities", "Page", "read_page"]


class Abilities(Struct, frozen=True, kw_only=True):
    """What a model says it takes; None = it does not say. See AnthropicTarget.

    `budgets`: thinking by a budget.
    """

    adaptive: bool | None = None
    budgets: bool | None = None
    rests: bool | None = None
    between: bool | None = None
    efforts: tuple[str, ...] | None = None
    structured: bool | None = None


class Page(Struct, frozen=True, kw_only=True):
    """One page. `next`: the `after_id` of the next one, None = this is the last."""

    models: dict[str, ModelInfo]
    abilities: dict[str, Abilities] = {}
    next: str | None = None


class _Support(Struct, frozen=True):
    supported: bool | None = None


class _Types(Struct, frozen=True):
    adaptive: _Support = _Support()
    enabled: _Support = _Support()
    disabled: _Support = _Support()
    between_tools: _Support = _Support()


class _Thinking(Struct, frozen=True):
    supported: bool | None = None
    types: _Types = _Types()


class _Effort(Struct, frozen=True):
    supported: bool | None = None
    low: _Support | None = None
    medium: _Support | None = None
    high: _Support | None = None
    xhigh: _Support | None = None
    max: _Support | None = None


class _Capabilities(Struct, frozen=True):
    thinking: _Thinking = _Thinking()
    effort: _Effort = _Effort()
    structured_outputs: _Support = _Support()


class _Listed(Struct):
    id: str = ""
    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: _Capabilities | None = None


class _List(Struct):
    data: list[_Listed] | None = None
    has_more: bool | None = None
    last_id: str | None = None


_LIST: Final = msgspec.json.Decoder(_List, strict=False)


def read_page(body: bytes) -> Page:
    """Read one page; raise ValueError."""
    page = require(body, _LIST)
    listed = [one for one in page.data or () if one.id]
    last = page.last_id or (listed[-1].id if listed else None)
    return Page(
        models={one.id: _info(one) for one in listed},
        abilities={one.id: _abilities(one.capabilities) for one in listed if one.capabilities is not None},
        next=last if page.has_more and listed else None,
    )


def _info(listed: _Listed) -> ModelInfo:
    return ModelInfo(
        id=listed.id,
        display_name=listed.display_name,
        max_input=listed.max_input_tokens or None,
        max_output=listed.max_tokens or None,
        thinking=listed.capabilities.thinking.supported if listed.capabilities is not None else None,
    )


def _abilities(given: _Capabilities) -> Abilities:
    types = given.thinking.types
    return Abilities(
        adaptive=types.adaptive.supported,
        budgets=types.enabled.supported,
        rests=types.disabled.supported,
        between=types.between_tools.supported,
        efforts=_efforts(given.effort),
        structured=given.structured_outputs.supported,
    )


def _efforts(effort: _Effort) -> tuple[str, ...] | None:
    if effort.supported is None:
        return None
    levels: tuple[_Support | None, ...] = (effort.low, effort.medium, effort.high, effort.xhigh, effort.max)
    return tuple(name for name, level in zip(EFFORTS, levels, strict=True) if level is not None and level.supported)
