"""`reasoning_details`: how OpenRouter and Vercel's gateway carry thoughts and what signs them, in both directions.

    {"type": "reasoning.text", "text", "signature"}      a thought, in pieces; Claude's and Gemini's are signed
    {"type": "reasoning.summary", "summary"}             a thought of OpenAI's, which the next one seals
    {"type": "reasoning.encrypted", "data", "id"}        that seal; a thought that Claude hides; Gemini's signature of
                                                         the call that `id` names, else of the answer's words

Each has a `format`, which names the family that made it, and an `index`. They come back as they were: Gemini refuses
calls without them. Types: `ReasoningDetailUnion` and `ReasoningFormat` of the package @openrouter/sdk.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.gemini.signatures import SENTINEL
from gateway.dialects.gemini.thinking import is_latest
from gateway.dialects.raw import read

__all__ = ["Detail", "Details", "read_details"]

JSON = dict[str, object]

_FORMATS: Final[dict[ir.Family, str]] = {
    "claude": "anthropic-claude-v1",
    "gemini": "google-gemini-v1",
    "openai": "openai-responses-v1",
}
_FAMILIES: Final[dict[str | None, ir.Family]] = {
    **{name: family for family, name in _FORMATS.items()},
    "azure-openai-responses-v1": "openai",
}


class Detail(Struct):
    """One of them, of whatever type."""

    text: str | None = None
    summary: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    format: str | None = None

    @property
    def words(self) -> str:
        """What it says."""
        return self.text or self.summary or ""

    @property
    def family(self) -> ir.Family | None:
        """Whose it is; None where nobody takes it back."""
        return _FAMILIES.get(self.format)

    @property
    def seal(self) -> ir.Signature | None:
        """What signs a thought, or is all there is of one that is hidden."""
        family = self.family
        if family == "openai":
            return ir.Signature(family, self.data) if self.data else None
        if family == "claude" and self.data:
            return ir.Signature(family, ir.REDACTED + self.data)
        return ir.Signature(family, self.signature) if family is not None and self.signature else None


_DETAILS: Final = msgspec.json.Decoder(list[Detail])


def read_details(raw: Raw) -> list[Detail]:
    """Read those of a delta or a message; none where they have another form."""
    return read(raw, _DETAILS) or []


class Details:
    """Writes those of one model's messages.

    `signed`: whether what it has signed goes back. `sentinels`: whether those of Gemini's calls that have none get one
    that stands for it.
    """

    def __init__(self, model: str, *, signed: bool, sentinels: bool) -> None:
        name = model.rpartition("/")[2]
        family = ir.family_of(name)
        known = family != "gemini" or ir.is_gemini(name)
        self._family = family if known else None
        self._format = _FORMATS[family]
        self._signed = signed
        self._sentinels = sentinels and self._family == "gemini" and is_latest(name)

    def takes(self, part: ir.Part) -> bool:
        """Tell whether a thought, or the signature of what else a model says, goes back."""
        if not self._signed or self._family is None or isinstance(part, ir.Opaque | ir.ToolResult):
            return False
        if isinstance(part, ir.Thinking) and part.redacted is not None:
            return self._family == "claude"
        signature = part.signature
        if signature is None or signature.issuer != self._family or not signature.value:
            return False
        return signature.value.startswith(ir.REDACTED) or not ir.is_sealed(signature.value)

    def of(self, parts: Iterable[ir.Part], call_id: Callable[[str], str]) -> list[JSON]:
        """Write those of a message. `call_id`: how the ids of its calls are written."""
        found = self._found(parts, call_id)
        return [{**one, "index": index} for index, one in enumerate(found)]

    def _found(self, parts: Iterable[ir.Part], call_id: Callable[[str], str]) -> Iterator[JSON]:
        sentinels = self._sentinels
        for part in parts:
            if self.takes(part):
                yield from self._written(part, call_id)
            elif sentinels and isinstance(part, ir.ToolCall):
                yield self._encrypted(SENTINEL) | {"id": call_id(part.id)}
            sentinels = sentinels and not isinstance(part, ir.ToolCall)  # only the first of several

    def _written(self, part: ir.Part, call_id: Callable[[str], str]) -> Iterator[JSON]:
        match part:
            case ir.Thinking(redacted=str(data)):
                yield self._encrypted(data)
            case ir.Thinking(text=text, signature=ir.Signature(value=value)):
                yield from self._thought(text, value)
            case ir.ToolCall(id=given, signature=ir.Signature(value=value)):
                yield self._encrypted(value) | {"id": call_id(given)}
            case ir.Text(signature=ir.Signature(value=value)) | ir.Media(signature=ir.Signature(value=value)):
                yield self._encrypted(value)
            case _:
                return

    def _thought(self, text: str, value: str) -> Iterator[JSON]:
        if value.startswith(ir.REDACTED):
            yield self._encrypted(value[len(ir.REDACTED) :])
        elif self._family != "openai":
            yield {"type": "reasoning.text", "text": text, "signature": value, "format": self._format}
        else:
            if text:
                yield {"type": "reasoning.summary", "summary": text, "format": self._format}
            yield self._encrypted(value)

    def _encrypted(self, data: str) -> JSON:
        return {"type": "reasoning.encrypted", "data": data, "format": self._format}
