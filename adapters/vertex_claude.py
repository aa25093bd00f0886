"""Claude on Vertex AI: Anthropic's Messages at a door of Google's.

    written ─► anthropic_version, anthropic_beta; no model ─► publishers/anthropic/models/…:streamRawPredict

What Vertex itself refuses comes as Google's errors, what Claude refuses as Anthropic's.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.adapters import anthropic_errors, vertex_errors
from gateway.adapters.amendments import Write
from gateway.adapters.anthropic_journey import AnthropicBackend, AnthropicJourney, Door
from gateway.adapters.failures import Cause, Failure, Renew, Rule, Rules
from gateway.adapters.vertex_credential import DefaultCredential
from gateway.adapters.vertex_journey import tell_operator, token_of
from gateway.adapters.vertex_place import Place
from gateway.dialects.anthropic.edits import ENVELOPE
from gateway.dialects.anthropic.outbound_errors import read_details
from gateway.dialects.anthropic.outbound_request import AnthropicWritten
from gateway.dialects.raw import FIELDS, Fields, read
from gateway.errors import InvalidRequest
from gateway.upstream import Answer, Call, Edit

__all__ = ["RULES", "SERVICES", "ClaudeJourney", "door_of", "fetches_nothing", "read_failure"]

SERVICES: Final = frozenset({"web_search"})
RULES: Final[Rules] = {
    **anthropic_errors.RULES,
    **vertex_errors.RULES,
    "key": Rule(renew=("token",), always=True),
    "banned": Rule(),
}
_VERSION: Final = "vertex-2023-10-16"
_NOT_THERE: Final = frozenset({"model", "anthropic_version", "anthropic_beta"})
_OLDER_FORMAT: Final = "output_format"  # its beta is not known here
_CONFIG: Final = "output_config"
_FORMAT: Final = "format"
# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude; another one is a 400
_BETAS: Final = (
    "claude-code-",
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "effort-",
    "fine-grained-tool-streaming-",
    "interleaved-thinking-",
    "model-context-window-exceeded-",
    "output-128k-",
    "output-300k-",
    "thinking-display-updates-",
    "thinking-token-count-",
    "token-efficient-tools-",
    "tool-search-tool-",
    "web-search-",
)
_encode: Final = msgspec.json.Encoder().encode


def door_of(place: Place) -> Door:
    """Say where and how Claude is asked."""
    return Door(
        url=lambda _, model: place.model_url(model, "streamRawPredict"),
        headers=place.headers,
        body=_body,
        betas=lambda betas: tuple(beta for beta in betas if beta.startswith(_BETAS)),
    )


def _body(written: Mapping[str, object]) -> Mapping[str, object]:
    kept = {name: value for name, value in written.items() if name not in _NOT_THERE}
    if _OLDER_FORMAT in kept and _FORMAT not in (config := _read(kept.get(_CONFIG))):  # of two none is chosen here
        kept[_CONFIG] = {_FORMAT: kept.pop(_OLDER_FORMAT), **config}
    return {"anthropic_version": _VERSION, **kept}


def _read(config: object) -> Fields:
    return (read(config, FIELDS) if isinstance(config, Raw) else None) or {}


def fetches_nothing(write: Write[AnthropicWritten]) -> Write[AnthropicWritten]:
    """Refuse addresses of files, which Claude fetches elsewhere, but not here."""

    def written(request: ir.Request, causes: frozenset[Cause]) -> AnthropicWritten:
        for part in (part for turn in request.turns for part in turn.parts):
            inner = part.parts if isinstance(part, ir.ToolResult) else (part,)
            for media in inner:
                if isinstance(media, ir.Media) and media.data is None:
                    where = media.path or "messages"
                    raise InvalidRequest(
                        f"{where}: this upstream fetches nothing; send the data as base64", param=where
                    )
        return write(request, causes)

    return written


def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read a refusal by whose words it has: Anthropic's errors have a type, Google's have none."""
    read: Callable[[int, bytes, Mapping[str, str], float], Failure] = (
        anthropic_errors.read_failure if read_details(body).type else vertex_errors.read_failure
    )
    return read(status, body, headers, now)


class ClaudeJourney(AnthropicJourney[DefaultCredential]):
    """The calls of one request."""

    def __init__(
        self,
        call: Call,
        write: Write[AnthropicWritten],
        backend: AnthropicBackend[DefaultCredential],
        place: Place,
    ) -> None:
        super().__init__(call, write, backend)
        self._place = place
        self._token = ""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What is written otherwise in the caller's own words."""
        return (*super().edits, ENVELOPE) if self._draft.written.native is not None else ()

    def _url(self) -> str:
        return self._place.model_url(self._model, "rawPredict") if self._streams is False else super()._url()

    def body(self) -> bytes:
        """Give the body of the next call, which names its betas itself."""
        written = self._draft.written
        given = written.body if written.native is None else FIELDS.decode(written.native)
        betas = self._betas()
        named = {"anthropic_beta": betas} if betas else {}
        return _encode({**self._backend.door.body(given), **named})

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, **self._backend.door.headers(secret)}

    def _varies(self) -> dict[str, str]:
        return self._place.varies

    def _renew(self, what: Renew, credential: DefaultCredential) -> None:
        credential.forget_token(self._token)

    async def _call(self, credential: DefaultCredential) -> Answer:
        try:
            self._token = await token_of(self._backend, credential)
            return await super()._call(credential)
        except Failure as failure:
            tell_operator(self._backend, failure)
            raise
