"""Count a prompt at a server that speaks OpenAI Responses: `POST /responses/input_tokens`, which not every one has."""

from typing import Final

import msgspec
from msgspec import Struct

from gateway.adapters.failures import Failure
from gateway.adapters.openai_errors import without_key
from gateway.adapters.openai_journey import OpenAIBackend
from gateway.dialects.outbound import OpenAIWritten

__all__ = ["InputTokens"]

_PATH: Final = "responses/input_tokens"
# of a body for an answer, what this call knows; it refuses the rest
_KNOWN: Final = frozenset(
    {
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
_ABSENT: Final = frozenset({405, 501})


class _Counted(Struct):
    input_tokens: int


_COUNTED: Final = msgspec.json.Decoder(_Counted)
_encode: Final = msgspec.json.Encoder().encode


class InputTokens:
    """Asks one server; once it has been seen to lack the call, no more."""

    def __init__(self, backend: OpenAIBackend) -> None:
        self._backend = backend
        self._absent = False

    async def count(self, model: str, written: OpenAIWritten) -> int | None:
        """Give what the server counts; None when there is nobody to ask. Raise Failure, or ValueError for rubbish."""
        backend = self._backend
        key = backend.pool.any_active(model)
        if self._absent or key is None or backend.transport is None:
            return None
        secret = await backend.pool.token(key)
        headers = {**backend.headers, **backend.server.shown(secret)}
        url = backend.server.address(backend.bases[0], _PATH, model)
        body = _encode({name: value for name, value in written.body.items() if name in _KNOWN})
        with backend.learning(key):
            answer = await self._ask(url, headers, body, secret)
        return _COUNTED.decode(answer).input_tokens or None

    async def _ask(self, url: str, headers: dict[str, str], body: bytes, secret: str) -> bytes:
        try:
            return await self._backend.fetch("POST", url, headers, body)
        except Failure as failure:
            without_key(failure, secret)
            self._absent = failure.cause == "address" or failure.status in _ABSENT
            raise
