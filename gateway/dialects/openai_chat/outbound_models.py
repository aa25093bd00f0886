"""What models take of Chat Completions, read off their names, and how much they are told to think.

OpenAI's own refuse what they do not know: before GPT-5.1 none can be kept from thinking, only later ones think `xhigh`,
from GPT-5.6 on also `max`, and what thinks is not told how to draw its answer. Of other models nothing is known: they
get what the caller said.
"""

import re
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from gateway import ir
from gateway.dialects.gemini.thinking import BUDGETS, nearest
from gateway.dialects.outbound import NOT_SUPPORTED, OpenAITarget

__all__ = ["Abilities", "abilities_of", "effort_of", "named_effort"]

_MIDDLE: Final = ("low", "medium", "high")
_RESTING: Final = ("none", *_MIDDLE)


class Abilities(Struct, frozen=True, kw_only=True):
    """What one model takes.

    `efforts`: the values of `reasoning_effort`, None = nobody knows. `draws`: whether it may be told how to draw.
    `rests`: whether it can be kept from thinking, None = nobody knows. `stops`: stop sequences; `parallel`:
    `parallel_tool_calls`; `free_form`: tools that take plain text; `subsets`: `allowed_tools`; `marks`: marks of what
    is to be cached.
    """

    efforts: tuple[str, ...] | None = None
    draws: Literal["always", "unless it thinks", "never"] = "always"
    rests: bool | None = None
    stops: bool = True
    parallel: bool = True
    free_form: bool = False
    subsets: bool = False
    marks: bool = False

    def is_fixed(self, effort: str | None) -> bool:
        """Tell whether the model draws as it likes at this effort, and does not tell how; None is its own: none."""
        return self.draws == "never" or (self.draws == "unless it thinks" and effort not in (None, "none"))


def _thinker(*efforts: str, marks: bool = False) -> Abilities:
    draws: Literal["unless it thinks", "never"] = "unless it thinks" if "none" in efforts else "never"
    return Abilities(efforts=efforts, draws=draws, stops=False, free_form=True, subsets=True, marks=marks)


_UNKNOWN: Final = Abilities()
# The first pattern found in the name holds.
_MODELS: Final = (
    (r"gpt-oss", Abilities(efforts=_MIDDLE)),
    (r"o[134](?![a-z0-9])", Abilities(efforts=_MIDDLE, draws="never", stops=False, parallel=False, subsets=True)),
    (r"gpt-5(?:\.\d+)?-chat", Abilities(efforts=(), free_form=True, subsets=True)),
    (r"gpt-5-pro", _thinker("high")),
    (r"gpt-5-codex", _thinker(*_MIDDLE)),
    (r"gpt-5(?![.\d])", _thinker("minimal", *_MIDDLE)),
    (r"gpt-5\.1(?!\d)(?!-codex-max)", _thinker("none", *_MIDDLE)),
    (r"gpt-5\.[1-5](?!\d)", _thinker("none", *_MIDDLE, "xhigh")),
    (r"gpt-(?:[5-9]|1\d)(?!\d)", _thinker("none", *_MIDDLE, "xhigh", "max", marks=True)),
    (r"(?:chat)?gpt-", Abilities(efforts=(), subsets=True)),
    (r"(?:thinking|reasoner|deepseek-r1|qwq|kimi-k2\.7-code|kimi-k3)", Abilities(rests=False)),
    # of others, which vLLM, SGLang, Ollama, Groq, Cerebras and DeepInfra serve: `none` is what keeps them from thinking
    (
        r"(?:qwen-?3(?!.*(?:coder|instruct))|glm-(?:4[.p][5-9]|5)|deepseek-v(?:3[.p]|[4-9])|gemma-?4)",
        Abilities(rests=True),
    ),
)
_COMPILED: Final = tuple((re.compile(rf"(?<![a-z0-9]){pattern}"), abilities) for pattern, abilities in _MODELS)


@lru_cache(maxsize=256)
def abilities_of(model: str) -> Abilities:
    """Tell what a model takes."""
    name = model.lower()
    return next((abilities for pattern, abilities in _COMPILED if pattern.search(name)), _UNKNOWN)


def effort_of(
    reasoning: ir.Reasoning, abilities: Abilities, *, plain: bool, rests: bool = True, named: tuple[str, ...] = ()
) -> tuple[str | None, str]:
    """Give the `reasoning_effort` to send, and what of the wish it does not say.

    `plain`: the caller said it as this dialect does, so a model of which nothing is known gets it as it is. `rests`:
    whether it may be asked not to think. `named`: the values that the model has named when it refused one.
    """
    wanted = _wanted(reasoning)
    if reasoning.mode == "unset":
        return None, ""
    if wanted is None:
        return None, "the model decides how much it thinks"
    efforts = named or abilities.efforts
    if efforts is None:
        efforts = (wanted,) if plain else _RESTING if abilities.rests else _MIDDLE
    if not efforts:
        return None, "this model does not support effort"
    if wanted == "none" and not (rests and wanted in efforts):
        return None, "this model cannot be told not to think"
    chosen = wanted if wanted in efforts else nearest(wanted, tuple(one for one in efforts if one != "none"))
    exact = chosen == wanted and reasoning.mode != "budget"
    return chosen, "" if exact else f"the nearest value that this model accepts is {chosen}"


def named_effort(reasoning: ir.Reasoning, target: OpenAITarget) -> tuple[str | None, str]:
    """Give the effort to send to a model that has named those it takes; None: none at all, and why."""
    effort, reason = effort_of(reasoning, abilities_of(target.model), plain=True, named=target.efforts)
    return effort, reason or ("" if effort else NOT_SUPPORTED)


def _wanted(reasoning: ir.Reasoning) -> str | None:
    """Give the level that is asked for; None leaves it to the model."""
    if reasoning.mode == "off":
        return "none"
    if reasoning.mode == "level":
        return reasoning.level if reasoning.level in BUDGETS else None
    budget = reasoning.budget
    if reasoning.mode != "budget" or budget is None or budget < 0:
        return None
    return next((level for level in ("none", "minimal", *_MIDDLE) if budget <= BUDGETS[level]), "xhigh")
