"""Claude by name: what each model takes of a request, how much, and the list that is shipped.

Up to 4.5 Claude thinks by a budget, from 4.6 on as much as it finds right, Fable, Mythos and Opus 5.5 always, and
Sonnet 5.5 at least between its calls. Since Fable 5.1 these cannot be forced to call a tool. From 4.1 on Claude takes a
temperature or a `top_p`, not both, and from 4.7 on neither. Opus 4.8 was the first to take instructions in
mid-conversation. What is not so at some server is learnt from its refusals.

Clouds and routers put a name of their own before Claude's, or write its version with a dot:
`us.anthropic.claude-opus-4-8`, `anthropic/claude-opus-4.8`.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.dialects.anthropic.outbound_models import Abilities
from gateway.dialects.anthropic.outbound_target import EFFORTS
from gateway.upstream import ModelInfo

__all__ = ["SHIPPED", "Traits", "described", "traits_of"]


class Traits(Struct, frozen=True, kw_only=True):
    """What one model takes.

    `adaptive`: thinking without a budget, by one of the `efforts`; `rests`: it can be kept from thinking; `between`:
    but for what it thinks between calls. `forced`: to call a tool. `sampling`: a temperature and its like; `both`: it
    and `top_p` together. `system_turns`: instructions in mid-conversation. `structured`: an answer by a schema.
    """

    adaptive: bool = False
    efforts: tuple[str, ...] = EFFORTS
    rests: bool = True
    between: bool = False
    forced: bool = True
    sampling: bool = True
    both: bool = False
    system_turns: bool = False
    structured: bool = True

    def told(self, said: Abilities | None) -> "Traits":
        """Believe what a list says of the model."""
        if said is None:
            return self
        named = {name: getattr(said, name) for name in _TOLD}
        return replace(self, **{name: value for name, value in named.items() if value is not None})


_TOLD: Final = ("adaptive", "rests", "between", "efforts", "structured")
_OLDEST: Final = Traits(both=True, structured=False)
_FOUR_7: Final = Traits(adaptive=True, sampling=False)
_LATEST: Final = replace(_FOUR_7, system_turns=True)
_ALWAYS: Final = replace(_LATEST, rests=False)
_UNFORCED: Final = replace(_ALWAYS, forced=False)
_UNKNOWN: Final = Traits(both=True)  # no Claude: another vendor's model behind the same API
# The first pattern that fits holds.
_TRAITS: Final[tuple[tuple[str, Traits], ...]] = (
    ("claude-3*", _OLDEST),
    ("claude-*-4-0", _OLDEST),
    ("claude-*-4-20*", _OLDEST),
    ("claude-*-4@*", _OLDEST),
    ("claude-*-4", _OLDEST),
    ("claude-*-4-[15]*", Traits()),
    ("claude-*-4-6*", Traits(adaptive=True, efforts=("low", "medium", "high", "max"))),
    ("claude-*-4-7*", _FOUR_7),
    ("claude-mythos-preview*", _FOUR_7),
    ("claude-fable-5-[1-9]", _UNFORCED),
    ("claude-mythos-5-[1-9]", _UNFORCED),
    ("claude-fable-*", _ALWAYS),
    ("claude-mythos-*", _ALWAYS),
    ("claude-opus-5-5*", _UNFORCED),
    ("claude-sonnet-5-5*", replace(_UNFORCED, between=True)),
    ("claude-*", _LATEST),
)
# pattern: tokens in, tokens out
_LIMITS: Final[tuple[tuple[str, tuple[int, int]], ...]] = (
    ("claude-3-haiku*", (200_000, 4_096)),
    ("claude-3-5*", (200_000, 8_192)),
    ("claude-3-7*", (200_000, 64_000)),
    ("claude-opus-4-6*", (200_000, 128_000)),
    ("claude-*-4-[56]*", (200_000, 64_000)),
    ("claude-opus-4*-20*", (200_000, 32_000)),
    ("claude-opus-4-[01]*", (200_000, 32_000)),
    ("claude-sonnet-4-0", (200_000, 64_000)),
    ("claude-sonnet-4-20*", (200_000, 64_000)),
)


_CLAUDE: Final = "claude"
_DOT: Final = re.compile(r"(?<=\d)\.(?=\d)")


def _plain(model: str) -> str:
    """Give the name as Anthropic writes it."""
    name = model.lower()
    return _DOT.sub("-", name[max(name.find(_CLAUDE), 0) :])


@lru_cache(maxsize=256)
def traits_of(model: str) -> Traits:
    """Tell what a model takes."""
    name = _plain(model)
    return next((traits for pattern, traits in _TRAITS if fnmatchcase(name, pattern)), _UNKNOWN)


def described(info: ModelInfo) -> ModelInfo:
    """Fill in the limits that a list leaves out."""
    name = _plain(info.id)
    limits = next((limits for pattern, limits in _LIMITS if fnmatchcase(name, pattern)), (None, None))
    return replace(info, max_input=info.max_input or limits[0], max_output=info.max_output or limits[1])


SHIPPED: Final[Mapping[str, ModelInfo]] = {
    name: described(ModelInfo(id=name, thinking=True))
    for name in (
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-fable-5-2",
        "claude-mythos-5-2",
        "claude-fable-5-1",
        "claude-mythos-5-1",
        "claude-opus-5",
        "claude-sonnet-5",
        "claude-fable-5",
        "claude-mythos-5",
        "claude-opus-4-8",
        "claude-opus-4-7",
        "claude-opus-4-6",
        "claude-sonnet-4-6",
        "claude-opus-4-5",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
    )
}
