"""Which thought signatures of a conversation go upstream, and in what place.

Gemini 3 wants one on the first function call of every step of the current tool loop; a documented sentinel stands
for one that is lost. Claude wants its own thoughts back, signed and unchanged, in front of the calls of the current
loop; there is no sentinel for it, and what another family signed is refused. Envelopes never go upstream.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway import ir

__all__ = ["NOT_OURS", "SENTINEL", "Replay"]

NOT_OURS: Final = "only the models that made thoughts and signatures accept them back"
SENTINEL: Final = "skip_thought_signature_validator"

_CLAUDE: Final = "R"  # base64 of base64, as this service hands out Claude's
_OTHERS: Final = ("E", "C")  # as other services do, whose this one refuses (v1internal.md §4.3)


class Replay(Struct, frozen=True, kw_only=True):
    """What one target takes back.

    `latest`: whether it is Gemini 3 or later. `thoughts`: whether thinking is on. `trusted`: whether signatures
    are used at all. `sentinels`: whether older models of Gemini want them too. `begun`: whether it goes on with an
    answer that is begun. `unsigned`: whether it takes its own words and pictures without a signature.
    """

    family: ir.Family
    latest: bool
    thoughts: bool
    trusted: bool = True
    sentinels: bool = False
    begun: bool = True
    unsigned: bool = True

    def parts(self, parts: Iterable[ir.Part]) -> list[ir.Part]:
        """Give a model's turn with the thoughts and signatures that go upstream, and no others."""
        kept: list[ir.Part] = []
        for part in parts:
            if isinstance(part, ir.Text) and part.signature is None:
                kept.append(part)
            elif not isinstance(part, ir.Thinking):
                kept.append(self._signed(part))
            elif self._returns(part):
                kept.append(part)
        return kept

    def _signed(self, part: ir.Part) -> ir.Part:
        match part:
            case ir.ToolCall() if part.signature is not None:
                return replace(part, signature=self._gemini(part.signature))
            case ir.Text() | ir.Media() if part.signature is not None:
                known = part.signature.issuer is not None
                return replace(part, signature=self._gemini(part.signature) if known else None)
            case _:
                return part

    def lead(self, calls: list[ir.ToolCall]) -> list[ir.ToolCall]:
        """Put the sentinel on the first of parallel calls if it is not signed; the others stay as they are."""
        wanted = self.family == "gemini" and (self.latest or self.sentinels)
        if not wanted or not calls or calls[0].signature is not None:
            return calls
        return [replace(calls[0], signature=ir.Signature("gemini", SENTINEL, "f")), *calls[1:]]

    def _returns(self, thought: ir.Thinking) -> bool:
        # Gemini does not need its thoughts back, only what is signed in its calls and texts.
        signature = thought.signature
        if self.family != "claude" or not self.thoughts or signature is None or not self._trusts(signature):
            return False
        if not thought.text:  # empty words are none in what Google makes of it for Claude, who misses them
            return False
        if signature.issuer is None:
            return signature.value.startswith(_CLAUDE)
        return signature.issuer == "claude" and not signature.value.startswith(_OTHERS)

    def _gemini(self, signature: ir.Signature) -> ir.Signature | None:
        if self.family != "gemini" or not self._trusts(signature):
            return None
        value = signature.value
        bare = signature.issuer is None and value != SENTINEL and not value.startswith(_CLAUDE)
        return signature if signature.issuer == "gemini" or (bare and _is_base64(value)) else None

    def _trusts(self, signature: ir.Signature) -> bool:
        return self.trusted and bool(signature.value) and not ir.is_sealed(signature.value)


def _is_base64(value: str) -> bool:
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return bool(b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return False
