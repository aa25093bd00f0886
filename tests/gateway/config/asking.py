"""Ask an app, made from a configuration, one question in this process."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette

from gateway.app import lifespan
from tests.middleware.asgi import Outcome, call, scope_of

__all__ = ["CHAT", "MESSAGES", "ask"]

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


async def ask(
    app: Starlette,
    path: str = CHAT,
    *,
    headers: Mapping[str, str] | None = None,
    query: str = "",
    client: str = "127.0.0.1",
    **fields: Any,
) -> Outcome:
    """Send a chat with these fields; without a path of its own, as an OpenAI client does."""
    question = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], **fields}
    async with lifespan(app):
        scope = scope_of(path, headers=headers, query=query, client=client)
        return await call(app, scope, [msgspec.json.encode(question)])
