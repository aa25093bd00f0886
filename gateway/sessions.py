"""Which conversation a request belongs to: prompt caches hold as long as it stays with one account and one id.

    prompt_cache_key, sessionId, Claude Code's metadata.user_id   `Request.session`, as the codecs read it
    headers                                                       `Call.session`, by the table below
    else                                                          the end user and the first words of the conversation

A caller's name for its end user is no conversation: it only tells apart two that begin with the same words. One that
goes on by `previous_response_id` has its first words in front of it again.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from gateway import ir
from gateway.upstream import Call

__all__ = ["conversation", "named"]

_HEADERS: Final = (
    b"x-claude-code-session-id",  # Claude Code
    b"session_id",  # Codex
    b"session-id",  # Codex, newer
    b"x-session-affinity",  # opencode
    b"x-opencode-session",
    b"x-session-id",  # what others agree on
)


def named(headers: Mapping[bytes, bytes]) -> str:
    """Give what the headers call the conversation, "" when they do not."""
    for name in _HEADERS:
        if name in headers:
            return headers[name].decode("latin-1")
    return ""


def conversation(call: Call) -> bytes:
    """Give the same 32 bytes for every request of a conversation, and for no other caller's."""
    request = call.request
    said = request.session or call.session
    if not said:
        first = _first_text(request)
        said = f"{request.user}\0{first}" if request.user else first
    return sha256(f"{call.principal}\0{said}".encode("utf-8", "surrogatepass")).digest()


def _first_text(request: ir.Request) -> str:
    for turn in request.turns:
        if turn.role == "user":
            for part in turn.parts:
                if isinstance(part, ir.Text):
                    return part.text
    return ""
