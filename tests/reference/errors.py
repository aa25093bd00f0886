"""Every error: its code and status, how each dialect spells it, and what it means, as its class says."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any, Final

from gateway import errors
from gateway.errors import GatewayError
from gateway.refusal import codec

from .tables import table

__all__ = ["written"]

_INTRO: Final = """\
# Error codes

Every error has the form of the caller's dialect, whichever layer it comes from; [errors](../errors.md) shows examples.

| dialect | where the code is |
| --- | --- |
| OpenAI | `error.code`; `error.type` is the word below |
| Anthropic | not in the response: `error.type` is the word below |
| Gemini | `reason` of the `ErrorInfo` in `error.details`, in capitals; `error.status` is the word below |
| none (paths of no dialect) | `error.code` |

Two more specific codes replace those of the table: `insufficient_quota` (429) if the credit or the budget of the
upstream's account is used up (also the `error.type` in OpenAI's dialects), and `moderation_blocked` (400) if an image
is withheld. An upstream of the caller's own dialect may use other words, which are passed on.
"""
_BRANCHES: Final = {
    "The request must change": errors.CallerError,
    "The upstream failed": errors.UpstreamError,
    "The gateway cannot serve": errors.ServiceError,
}
_HEAD: Final = ("code", "status", "OpenAI", "Anthropic", "Gemini", "means")


def written() -> str:
    """Write the page."""
    parts = [_INTRO]
    for title, branch in _BRANCHES.items():
        parts += [f"## {title}\n", table(_HEAD, map(_row, _leaves(branch))) + "\n"]
    return "\n".join(parts)


def _leaves(branch: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Give the classes that are raised, in the order of the file."""
    for _, kind in sorted(
        inspect.getmembers(errors, inspect.isclass), key=lambda item: inspect.getsourcelines(item[1])[1]
    ):
        if issubclass(kind, branch) and kind is not branch:
            yield kind


def _row(kind: type[GatewayError]) -> tuple[str, ...]:
    error = kind("-")
    openai, anthropic, gemini = (_body(name, error) for name in ("openai-chat", "anthropic", "gemini"))
    status = str(kind.status)
    if anthropic[0] != kind.status:
        status += f" ({anthropic[0]} for Anthropic)"
    words = openai[1]["type"], anthropic[1]["type"], gemini[1]["status"]
    code = f"`{kind.code}`" if kind.code else ""
    return code, status, *(f"`{word}`" for word in words), inspect.getdoc(kind) or ""


def _body(dialect: Any, error: GatewayError) -> tuple[int, dict[str, Any]]:
    status, body = codec(dialect).write_error(error, "req_1")
    said: dict[str, Any] = json.loads(body)["error"]
    return status, said
