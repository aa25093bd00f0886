"""The betas that there are; each platform knows its own, and refuses what it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fakes.anthropic_api_errors import bad
from tests.fakes.v1internal_record import Record

__all__ = ["KNOWN", "ON_VERTEX", "betas_of"]

# what Vertex takes: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude
ON_VERTEX = frozenset(
    {
        "claude-code-20250219",
        "compact-2026-01-12",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "model-context-window-exceeded-2025-08-26",
        "output-128k-2025-02-19",
        "output-300k-2026-03-24",
        "thinking-display-updates-2026-08-18",
        "thinking-token-count-2026-05-13",
        "token-efficient-tools-2025-02-19",
        "tool-search-tool-2025-10-19",
        "web-search-2025-03-05",
    }
)
# a count on Vertex does not take these
NOT_COUNTED = frozenset({"tool-search-tool-2025-10-19", "web-search-2025-03-05"})
# the types of the official SDK, and what the service's own clients send
KNOWN = ON_VERTEX | {
    "advanced-tool-use-2025-11-20",
    "advisor-tool-2026-03-01",
    "agent-memory-2026-07-22",
    "cache-diagnosis-2026-04-07",
    "code-execution-2025-05-22",
    "code-execution-2025-08-25",
    "compact-2026-09-04",
    "computer-use-2024-10-22",
    "dev-full-thinking-2025-05-14",
    "extended-cache-ttl-2025-04-11",
    "fallback-credit-2026-06-01",
    "fallback-credit-2026-07-01",
    "fast-mode-2026-02-01",
    "files-api-2025-04-14",
    "inline-tools-2026-09-15",
    "mcp-client-2025-04-04",
    "mcp-client-2025-11-20",
    "mcp-client-2026-09-15",
    "message-batches-2024-09-24",
    "message-threads-2026-08-12",
    "mid-conversation-output-config-2026-07-01",
    "mid-conversation-system-2026-04-07",
    "mid-conversation-system-clear-at-2026-08-21",
    "mid-conversation-tool-changes-2026-07-01",
    "oauth-2025-04-20",
    "pdfs-2024-09-25",
    "per-turn-control-2026-07-01",
    "prompt-caching-2024-07-31",
    "prompt-caching-scope-2026-01-05",
    "redact-thinking-2026-02-12",
    "server-side-fallback-2026-06-01",
    "server-side-fallback-2026-07-01",
    "skills-2025-10-02",
    "structured-outputs-2025-11-13",
    "structured-outputs-2025-12-15",
    "task-budgets-2026-03-13",
    "thinking-binding-controls-2026-08-01",
    "token-counting-2024-11-01",
    "tool-examples-2025-10-29",
    "user-profiles-2026-03-24",
    "user-profiles-2026-08-18",
    "user-profiles-2026-09-04",
    "user-profiles-billing-2026-10-01",
    "web-fetch-2025-09-10",
}
DOCS = "Please consult our documentation at platform.claude.com/docs or try again without the header."


def betas_of(record: Record, body: Mapping[str, Any], *, vertex: bool, counting: bool) -> frozenset[str]:
    """Read which betas are asked for; on Vertex the body may name them, too."""
    header = record.headers.get("anthropic-beta")
    asked = [] if header is None else [one.strip() for one in header.split(",")]
    if vertex and isinstance(body.get("anthropic_beta"), list):
        asked += body["anthropic_beta"]
    known = ON_VERTEX - (NOT_COUNTED if counting else frozenset()) if vertex else KNOWN
    unknown = [one for one in asked if one not in known]
    if unknown:
        listed = ", ".join(f"`{one}`" for one in unknown)
        raise bad("", f"Unexpected value(s) {listed} for the `anthropic-beta` header. {DOCS}")
    return frozenset(asked)
