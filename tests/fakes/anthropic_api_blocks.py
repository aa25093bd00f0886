"""The blocks of a conversation, as the types of the official SDK (2.10) have them."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.anthropic_api_errors import bad
from tests.fakes.anthropic_api_media import image_source, pdf_data
from tests.fakes.anthropic_api_shapes import (
    Betas,
    Shape,
    anything,
    array,
    boolean,
    either,
    gated,
    integer,
    mapping,
    obj,
    optional,
    tagged,
    text,
    word,
)

__all__ = ["CACHE", "ID", "KIMIS_ID", "SERVER_TOOLS", "message", "system", "words"]

ID = "^[a-zA-Z0-9_-]+$"
KIMIS_ID = r"functions\.[^:]+:\d+"  # which servers of others take, and Anthropic does not
SERVER_TOOLS = (
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search_tool_regex",
    "tool_search_tool_bm25",
)
MCP = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")
COMPACTION = ("compact-2026-01-12", "compact-2026-09-04")
FALLBACK = ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
SCOPED = "prompt-caching-scope-2026-01-05"
TOOL_CHANGES = ("mid-conversation-tool-changes-2026-07-01",)

words = text()
_tool_id = text(ID, shortest=1)
_count = integer(0)


def tool_id(value: Any, path: str, betas: Betas) -> None:
    """Take the id of a call; whether the model is one for Kimi's is seen later."""
    if not (isinstance(value, str) and re.fullmatch(KIMIS_ID, value)):
        _tool_id(value, path, betas)


_type = {"type": words}


cache_control = tagged({"ephemeral": obj(_type, {"ttl": word("5m", "1h"), "scope": gated(words, SCOPED)})})
CACHE: dict[str, Shape] = {"cache_control": optional(cache_control)}
citations_config = obj({}, {"enabled": boolean})

_document = {"cited_text": words, "document_index": _count, "document_title": optional(words)}
_file = {"file_id": optional(words)}
citation = tagged(
    {
        "char_location": obj({**_type, **_document, "start_char_index": _count, "end_char_index": _count}, _file),
        "page_location": obj({**_type, **_document, "start_page_number": _count, "end_page_number": _count}, _file),
        "content_block_location": obj(
            {**_type, **_document, "start_block_index": _count, "end_block_index": _count}, _file
        ),
        "web_search_result_location": obj(
            {**_type, "cited_text": words, "encrypted_index": words, "title": optional(words), "url": words}
        ),
        "search_result_location": obj(
            {
                **_type,
                "cited_text": words,
                "search_result_index": _count,
                "source": words,
                "start_block_index": _count,
                "end_block_index": _count,
                "title": optional(words),
            }
        ),
    }
)
text_block = obj({**_type, "text": words}, {**CACHE, "citations": optional(array(citation))})
image_block = obj(
    {**_type, "source": image_source},
    {**CACHE, "transformations": optional(obj({}, {"oversized_image": word("downsize", "error")}))},
)
_texts_and_images = array(tagged({"text": text_block, "image": image_block}))
document_source = tagged(
    {
        "base64": obj({**_type, "media_type": word("application/pdf"), "data": pdf_data}),
        "text": obj({**_type, "media_type": word("text/plain"), "data": text(shortest=1)}),
        "content": obj({**_type, "content": either(words, _texts_and_images)}),
        "url": obj({**_type, "url": words}),
        "file": obj({**_type, "file_id": words}),
    }
)
document_block = obj(
    {**_type, "source": document_source},
    {**CACHE, "citations": optional(citations_config), "title": optional(words), "context": optional(words)},
)
search_result = obj(
    {**_type, "content": array(tagged({"text": text_block}), 1), "source": words, "title": words},
    {**CACHE, "citations": citations_config},
)
caller = tagged(
    {
        "direct": obj(_type),
        "code_execution_20250825": obj({**_type, "tool_id": words}),
        "code_execution_20260120": obj({**_type, "tool_id": words}),
    }
)
tool_reference = obj({**_type, "tool_name": words}, CACHE)
_tab = obj({"tab_id": words, "title": words, "url": words}, {"active": boolean})
_result_part = tagged(
    {
        "text": text_block,
        "image": image_block,
        "search_result": search_result,
        "document": document_block,
        "tool_reference": tool_reference,
        "browser_state": obj({**_type, "tabs": array(_tab)}, {**CACHE, "state_changes": optional(array(mapping))}),
    }
)
tool_result = obj(
    {**_type, "tool_use_id": tool_id},
    {
        **CACHE,
        "content": either(words, array(_result_part)),
        "is_error": optional(boolean),
        "toolset_name": optional(words),
    },
)
tool_use = obj(
    {**_type, "id": tool_id, "name": text(shortest=1, longest=200), "input": mapping},
    {**CACHE, "caller": caller, "toolset_name": optional(words)},
)


def _failed(kind: str, **also: Shape) -> dict[str, Shape]:
    return {f"{kind}_error": obj({**_type, "error_code": words}, also)}


def _result_of(content: Shape, *, called: bool = False) -> Shape:
    also = {**CACHE, **({"caller": caller} if called else {})}
    return obj({**_type, "tool_use_id": tool_id, "content": content}, also)


def _executed(kind: str, *, secret: bool = False) -> Shape:
    outputs = array(obj({**_type, "file_id": words}))
    ran = {**_type, "content": outputs, "return_code": integer(), "stderr": words}
    kinds = {f"{kind}_result": obj({**ran, "stdout": words}), **_failed(f"{kind}_tool_result")}
    if secret:
        kinds[f"encrypted_{kind}_result"] = obj({**ran, "encrypted_stdout": words})
    return _result_of(tagged(kinds))


_found = obj(
    {**_type, "encrypted_content": words, "title": words, "url": words},
    {"page_age": optional(words)},
)
_web_results = array(tagged({"web_search_result": _found}, stepped=False))


def _web_search_content(value: Any, path: str, betas: Betas) -> None:
    (_web_results if isinstance(value, list) else tagged(_failed("web_search_tool_result")))(value, path, betas)


_fetched = obj({**_type, "content": tagged({"document": document_block}), "url": words}, {"retrieved_at": anything})
_number = optional(integer())
_edited = dict.fromkeys(("new_lines", "new_start", "old_lines", "old_start"), _number)
_editor = tagged(
    {
        "text_editor_code_execution_view_result": obj(
            {**_type, "content": words, "file_type": word("text", "image", "pdf")},
            {"num_lines": _number, "start_line": _number, "total_lines": _number},
        ),
        "text_editor_code_execution_create_result": obj({**_type, "is_file_update": boolean}),
        "text_editor_code_execution_str_replace_result": obj(_type, {**_edited, "lines": optional(array(words))}),
        **_failed("text_editor_code_execution_tool_result", error_message=optional(words)),
    }
)
_searched = tagged(
    {
        "tool_search_tool_search_result": obj({**_type, "tool_references": array(tool_reference)}),
        **_failed("tool_search_tool_result", error_message=optional(words)),
    }
)
_hop = obj({"model": words})
_KINDS: dict[str, Shape] = {
    "text": text_block,
    "image": image_block,
    "document": document_block,
    "search_result": search_result,
    "thinking": obj({**_type, "thinking": words, "signature": words}),
    "redacted_thinking": obj({**_type, "data": words}),
    "tool_use": tool_use,
    "tool_result": tool_result,
    "server_tool_use": obj(
        {**_type, "id": text("^srvtoolu_[a-zA-Z0-9_]+$"), "name": word(*SERVER_TOOLS), "input": mapping},
        {**CACHE, "caller": caller},
    ),
    "web_search_tool_result": _result_of(_web_search_content, called=True),
    "web_fetch_tool_result": _result_of(
        tagged({"web_fetch_result": _fetched, **_failed("web_fetch_tool_result")}), called=True
    ),
    "code_execution_tool_result": _executed("code_execution", secret=True),
    "bash_code_execution_tool_result": _executed("bash_code_execution"),
    "text_editor_code_execution_tool_result": _result_of(_editor),
    "tool_search_tool_result": _result_of(_searched),
    "container_upload": obj({**_type, "file_id": words}, CACHE),
    "mcp_tool_use": obj({**_type, "id": words, "name": words, "server_name": words, "input": mapping}, CACHE),
    "mcp_tool_result": obj(
        {**_type, "tool_use_id": words},
        {**CACHE, "content": either(words, array(tagged({"text": text_block}))), "is_error": boolean},
    ),
    "compaction": obj(
        _type,
        {
            **CACHE,
            "content": optional(words),
            "encrypted_content": optional(words),
            "signature": optional(words),
            "tool_changes": optional(array(mapping)),
        },
    ),
    "fallback": obj({**_type, "from": _hop, "to": _hop}, {"trigger": anything}),
}
_NEEDED = {"mcp_tool_use": MCP, "mcp_tool_result": MCP, "compaction": COMPACTION, "fallback": FALLBACK}
_block = tagged(_KINDS, needed=_NEEDED)
_content = either(words, array(_block))
_texts = either(words, array(tagged({"text": text_block}, stepped=False)))
_system_part = tagged(
    {"text": text_block, "tool_addition": mapping, "tool_removal": mapping},
    needed={"tool_addition": TOOL_CHANGES, "tool_removal": TOOL_CHANGES},
)
system = _texts
_spoken = obj({"role": words, "content": _content})
_instructed = obj(
    {"role": words},
    {
        "content": either(words, array(_system_part)),
        "clear_at": gated(optional(word("next_user_message", "never")), "mid-conversation-system-clear-at-2026-08-21"),
        "output_config": gated(
            optional(mapping), "mid-conversation-output-config-2026-07-01", "per-turn-control-2026-07-01"
        ),
    },
)
_roles = tagged({"user": _spoken, "assistant": _spoken, "system": _instructed}, "role", stepped=False)


def message(value: Any, path: str, betas: Betas) -> None:
    """Take one message; a role that there is not is refused in words of its own."""
    role = value.get("role") if isinstance(value, dict) else None
    if isinstance(role, str) and role not in {"user", "assistant", "system"}:
        raise bad("messages", f'Unexpected role "{role}". Allowed roles are "user" or "assistant"')
    _roles(value, path, betas)
