"""Limits of a request: how long, how sampled, how stopped, how cached, in which form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.anthropic_api_asked import Asked, blocks
from tests.fakes.anthropic_api_counting import input_tokens
from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_schemas import strict_schema
from tests.fakes.anthropic_api_shapes import Betas, joined, word

__all__ = [
    "display",
    "effort_possible",
    "few_cache_marks",
    "fits",
    "format_possible",
    "output_within_limit",
    "sampling_possible",
    "stops_say_something",
]

Json = dict[str, Any]

MOST_MARKS = 4
UPDATES = "thinking-display-updates-2026-08-18"


def display(value: Any, path: str, betas: Betas) -> None:
    """Take how thoughts are shown; updates are a beta."""
    word("summarized", "omitted", *(["updates"] if UPDATES in betas else []))(value, path, betas)


def output_within_limit(asked: Asked) -> None:
    """The output limit is one that the model has."""
    limit, most = asked.body.get("max_tokens", 0), asked.model.max_output
    if limit > most:
        raise bad(
            "max_tokens",
            f"{limit} > {most}, which is the maximum allowed number of output tokens for {asked.model.name}",
        )


def sampling_possible(asked: Asked) -> None:
    """The newest models are not sampled by the caller; the others take temperature or top_p."""
    if asked.model.sampling == "none":
        for name, usual in (("temperature", 1), ("top_p", None), ("top_k", None)):
            if name in asked.body and asked.body[name] != usual:
                raise bad("", f"`{name}` is deprecated for this model.")
    elif asked.body.keys() >= {"temperature", "top_p"}:
        raise bad("", "`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def stops_say_something(asked: Asked) -> None:
    """A stop sequence is more than space."""
    if any(not one.strip() for one in asked.body.get("stop_sequences") or []):
        raise bad("stop_sequences", "each stop sequence must contain non-whitespace")


def effort_possible(asked: Asked) -> None:
    """The effort is one of the model's, and a high one thinks."""
    effort = asked.config.get("effort")
    if effort is None:
        return
    if not asked.model.efforts:
        raise bad("", "This model does not support the effort parameter.")
    if effort not in asked.model.efforts:
        levels = ", ".join(sorted(asked.model.efforts))
        raise bad("", f"This model does not support effort level '{effort}'. Supported levels: {levels}.")
    if effort in {"xhigh", "max"} and asked.thinking in {"disabled", "between_tools"} and asked.model.inline_system:
        raise bad(
            "",
            f"output_config.effort '{effort}' is not supported when thinking is disabled on this model. Use effort "
            "'high' or below, or enable thinking.",
        )


def format_possible(asked: Asked) -> None:
    """The form of an answer is a schema that can be enforced."""
    for path, form in (
        ("output_config.format.schema", asked.config.get("format")),
        ("output_format.schema", asked.body.get("output_format")),
    ):
        if form is not None:
            strict_schema(form["schema"], path)
            _uncited(asked, path.rpartition(".")[0])


def _uncited(asked: Asked, path: str) -> None:
    documents = [block for message in asked.messages for block in blocks(message) if block["type"] == "document"]
    if any((document.get("citations") or {}).get("enabled") for document in documents):
        raise bad(path, "citations cannot be enabled when an output format is specified")


def few_cache_marks(asked: Asked) -> None:
    """There are at most four marks, and those that last longer come first."""
    marks = list(_marks(asked))
    if len(marks) > MOST_MARKS:
        raise bad("", f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found {len(marks)}.")
    short = False
    for path, mark in marks:
        if mark.get("ttl") == "1h" and short:
            raise bad(
                f"{path}.cache_control.ttl",
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks "
                "are processed in the following order: `tools`, `system`, `messages`.",
            )
        short = short or mark.get("ttl", "5m") == "5m"


def _marks(asked: Asked) -> Iterator[tuple[str, Json]]:
    yield from _marked(asked.tools, "tools")
    yield from _marked(asked.body.get("system"), "system")
    for place, message in enumerate(asked.messages):
        yield from _marked(message.get("content"), f"messages.{place}.content")
    if asked.body.get("cache_control"):
        yield "", asked.body["cache_control"]


def _marked(value: Any, path: str) -> Iterator[tuple[str, Json]]:
    for place, block in enumerate(value if isinstance(value, list) else []):
        if isinstance(block, dict):
            if block.get("cache_control"):
                yield joined(path, place), block["cache_control"]
            yield from _marked(block.get("content"), f"{path}.{place}.content")


def fits(asked: Asked) -> None:
    """The prompt is no longer than the model's window."""
    counted, most = input_tokens(asked.body), asked.model.max_input
    if counted > most:
        raise bad("", f"prompt is too long: {counted} tokens > {most} maximum")
