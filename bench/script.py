"""What one fake answer is made of, as said by the last user text of a request.

| prompt | answer |
|---|---|
| `whole` | one chunk |
| `picture` | the same, when a picture of 1 MB came with the prompt |
| `talk` | the same, when 33 MB of earlier turns came with it: a little less than a gateway takes |
| `burst N` | N chunks, one write each, as fast as the loop turns |
| `pace N MS` | N chunks, one every MS milliseconds, each with a stamp: when it was written |

The upstream plays a script and the load driver knows from the same script what must arrive.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Literal

__all__ = [
    "FIRST_WORD",
    "PICTURE",
    "TALK",
    "WEIGHTS",
    "WHOLE",
    "Kind",
    "Script",
    "Wire",
    "read_script",
    "stamped",
    "stamps",
    "unstamped",
]

Kind = Literal["whole", "picture", "talk", "burst", "pace"]
# OpenAI Chat Completions and Responses; Anthropic Messages; the Gemini API; Code Assist
Wire = Literal["chat", "responses", "anthropic", "gemini", "v1internal"]

STREAMED = ("burst", "pace")
WEIGHTS: Mapping[Kind, int] = {"picture": 1_000_000, "talk": 33_000_000}  # in base64; in words

FIRST_WORD = "Northbound"
# Two texts in turn: proxies exist that abort a stream after many equal chunks.
PIECES = (FIRST_WORD + " trains leave ", "at nine, or later. ")
# Microseconds of the clock that all processes of a machine share; of one length, so that frames are built once.
UNSTAMPED = b"@000000000000000"
STAMP = re.compile(rb"@(\d{15})")


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: its kind, its number of chunks and the milliseconds between two of them."""

    kind: Kind
    chunks: int = 1
    pace_ms: int = 0

    @property
    def prompt(self) -> str:
        """The user text that asks for this script."""
        numbers = [number for number in (self.chunks, self.pace_ms) if number] if self.kind in STREAMED else []
        return " ".join([self.kind, *map(str, numbers)])

    @property
    def weight(self) -> int:
        """How many bytes a request for it has at least, in any format."""
        return WEIGHTS.get(self.kind, 0)

    @property
    def pieces(self) -> list[str]:
        """The text of each chunk."""
        stamp = UNSTAMPED.decode() if self.kind == "pace" else ""
        return [PIECES[number % 2] + stamp for number in range(self.chunks)]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


WHOLE, PICTURE, TALK = Script("whole"), Script("picture"), Script("talk")


def read_script(prompt: str) -> Script:
    """Read a prompt; raise ValueError when it is no script."""
    match prompt.split():
        case ["whole"]:
            return WHOLE
        case ["picture"]:
            return PICTURE
        case ["talk"]:
            return TALK
        case ["burst", chunks] if int(chunks) > 0:
            return Script("burst", int(chunks))
        case ["pace", chunks, pace_ms] if int(chunks) > 0 and int(pace_ms) > 0:
            return Script("pace", int(chunks), int(pace_ms))
        case _:
            raise ValueError(f"not a script: {prompt!r}")


def stamped(frame: bytes) -> bytes:
    """Put the time into the text of a paced chunk."""
    return frame.replace(UNSTAMPED, b"@%015d" % (perf_counter_ns() // 1000))


def stamps(body: bytes | bytearray) -> list[tuple[int, float]]:
    """Give the place after each stamp and its time in seconds."""
    return [(found.end(), int(found[1]) / 1e6) for found in STAMP.finditer(body)]


def unstamped(body: bytes | bytearray) -> bytes:
    """Give the body as the script tells it."""
    return STAMP.sub(UNSTAMPED, body)
