"""How much a model can be told to think, as it says when it refuses to think as much as it was told to."""

import re
from typing import Final

from gateway.adapters.echoes import READERS

__all__ = ["LEVELS", "efforts_of", "refused_value"]

LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_OFFERED: Final = re.compile(
    r"(?:must be(?: one of)?|supported (?:values|levels)(?: are)?|valid levels|expected(?: one of)?|input should be)\W"
    r"(?P<levels>.{1,400})",
    re.DOTALL,
)
_LEVEL: Final = re.compile(rf"\b(?:{'|'.join(LEVELS)})\b")
_VALUE: Final = re.compile(rf"unsupported value: \W?({'|'.join(LEVELS)})\W? is not supported")
_WORDY: Final = ("medium",)  # what models with one way to be wordy take, and none with one way to think


def efforts_of(said: str) -> tuple[str, ...]:
    """Give how much a model can be told to think, as a refusal names it; none where it names no way to think."""
    found = _OFFERED.search(said.lower())
    levels = tuple(dict.fromkeys(_LEVEL.findall(found["levels"].partition("received")[0]))) if found is not None else ()
    return levels if levels != ("none",) else ()


def refused_value(said: str) -> str:
    """Give the field whose value is refused where it is not named (GitHub); empty where it can be any."""
    refused = _VALUE.search(said.lower())
    if refused is None:
        return ""
    return "verbosity" if efforts_of(said) == _WORDY and refused[1] in ("low", "high") else "reasoning_effort"


def _offer(said: str) -> str:
    """Give the words of a refusal up to the first level that it names."""
    found = _OFFERED.search(said)
    level = _LEVEL.search(said, found.start("levels")) if found is not None else None
    return said[found.start() : level.end()] if found is not None and level is not None else ""


READERS.append(_offer)
