"""Thinking: how each model thinks, what it leaves no room for, and what of it must come back.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking
"""

from __future__ import annotations

from tests.fakes.anthropic_api_asked import Asked, blocks
from tests.fakes.anthropic_api_errors import DOCS, bad

__all__ = ["begins_the_loop", "leaves_room", "not_last", "passed_back", "possible", "sampled_plainly"]

THOUGHTS = ("thinking", "redacted_thinking")
LEAST_TOP_P = 0.95
INTERLEAVED = "interleaved-thinking-2025-05-14"
CONSIDER = f"{DOCS}#important-considerations-when-using-extended-thinking"

_REFUSED = {
    "enabled": (
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.'
    ),
    "adaptive": "adaptive thinking is not supported on this model",
    "disabled": (
        '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.'
    ),
    "between_tools": '"thinking.type.between_tools" is not supported for this model.',
}
_BETWEEN = (
    'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": "disabled"}. '
    "The model does not think before responding. The short updates it writes between tool calls come back as thinking "
    "blocks."
)


def possible(asked: Asked) -> None:
    """The model thinks as it is asked to."""
    if not asked.thinking or asked.model.thinks_by(asked.thinking):
        return
    if asked.thinking == "disabled" and asked.model.thinks_by("between_tools"):
        raise bad("", _BETWEEN)
    if asked.model.echoes:
        raise bad("", "invalid thinking: only type=enabled is allowed for this model")
    raise bad("", _REFUSED[asked.thinking])


def leaves_room(asked: Asked) -> None:
    """The budget is below the output limit, unless the model may think between calls."""
    interleaved = INTERLEAVED in asked.betas and asked.tools
    if asked.thinking != "enabled" or asked.counting or interleaved:
        return
    if asked.body["max_tokens"] <= asked.body["thinking"]["budget_tokens"]:
        raise bad(
            "",
            f"`max_tokens` must be greater than `thinking.budget_tokens`. {DOCS}#max-tokens-and-context-window-size",
        )


def sampled_plainly(asked: Asked) -> None:
    """Thoughts are not sampled by the caller."""
    if not asked.thinks:
        return
    if asked.body.get("temperature", 1) != 1:
        raise bad("", f"`temperature` may only be set to 1 when thinking is enabled. {CONSIDER}")
    if asked.body.get("top_p", 1) < LEAST_TOP_P:
        raise bad("", f"`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled. {CONSIDER}")
    if "top_k" in asked.body:
        raise bad("", f"`top_k` must be unset when thinking is enabled. {CONSIDER}")


def begins_the_loop(asked: Asked) -> None:
    """With a budget, what the model says since the user spoke begins with a thought."""
    if asked.thinking != "enabled" or asked.model.echoes:
        return
    said = next(((place, message) for place, message in asked.loop if message["role"] == "assistant"), None)
    if said is None or not blocks(said[1]):
        return
    found = blocks(said[1])[0]["type"]
    if found not in THOUGHTS:
        raise bad(
            f"messages.{said[0]}.content.0.type",
            f"Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final "
            "`assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and "
            "`tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid this "
            f"requirement, disable `thinking`. {DOCS}",
        )


def not_last(asked: Asked) -> None:
    """Something follows a thought."""
    for place, message in enumerate(asked.messages):
        content = blocks(message)
        if content and content[-1]["type"] in THOUGHTS:
            kind = content[-1]["type"]
            raise bad(f"messages.{place}", f"The final block in an assistant message cannot be `{kind}`.")


def passed_back(asked: Asked) -> None:
    """A model of another vendor, which thinks unless it is told not to, has its thoughts back."""
    if asked.thinking == "disabled":
        return
    for place, message in enumerate(asked.messages):
        if message["role"] != "assistant":
            continue
        thoughts = [block["thinking"] for block in blocks(message) if block["type"] == "thinking"]
        calls = any(block["type"] == "tool_use" for block in blocks(message))
        if asked.model.echoes == "all" and not thoughts:
            raise bad("", "The `content[].thinking` in the thinking mode must be passed back to the API.")
        if asked.model.echoes == "calls" and calls and not any(thoughts):
            raise bad(
                "",
                f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {place}",
            )
