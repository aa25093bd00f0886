"""Values that TOML has no type for: sizes, durations, secrets, model rules.

A `Reader` in a field's annotation turns the raw value into the field's, or raises ValueError.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Annotated, Final, TypeAlias
from unicodedata import category
from urllib.parse import quote, urlsplit

from msgspec import Meta, Struct

from gateway.config.problems import did_you_mean
from gateway.config.sources import Text, as_list, as_tree
from gateway.legible import is_text
from gateway.redact import Secret

__all__ = [
    "LEVELS",
    "OLD_LEVELS",
    "QUOTED",
    "Amount",
    "Api",
    "Base",
    "Count",
    "Digest",
    "Endpoint",
    "Expires",
    "Fraction",
    "Hidden",
    "Key",
    "Keys",
    "Level",
    "Line",
    "ModelRule",
    "Path",
    "Positive",
    "Reader",
    "Root",
    "Rule",
    "Seconds",
    "Size",
    "Some",
    "Url",
    "Words",
    "is_quoted",
    "kind_of",
    "number",
    "read_choice",
    "text_of",
]

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
OLD_LEVELS: Final = {"warn": "warning", "fatal": "critical"}  # which Python's own logging takes, too

_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # what is later is no moment of a calendar everywhere
_NOT_IN_A_URL: Final = re.compile(r"[^\x21-\x7e]+")
_VERSION: Final = re.compile(r"/(?:v1(?:/messages)?|v1(?:alpha|beta1?|internal))\Z")
_CALL: Final = re.compile(r"/(?:(?:chat/)?completions|responses)\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# as other programs write it in their configurations, and as it is written where env: was forgotten
_NAMED: Final = re.compile(
    r"\$\{(\w+)\}|\$([A-Z][A-Z0-9]*_[A-Z0-9_]+)|\{env:(\w+)\}|%(\w+)%|os\.environ/(\w+)"
    r"|((?:AZURE_)?(?:OPENAI|ANTHROPIC|GEMINI|GOOGLE)_API_KEY)"  # others may be keys that somebody has made up
)
_QUOTES: Final = frozenset("\"'")
QUOTED: Final = "has quotes of its own, which `docker run --env-file` keeps: write it without"
_UNSEEN: Final = "Cf"  # the category of Unicode
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]?i?B|)", re.IGNORECASE | re.ASCII)
_UNITS: Final = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),
    (int, "an integer"),
    (float, "a number"),
    ((str, Secret), "a string"),
    ((date, time), "a date or time"),
)


class ModelRule(Struct, frozen=True):
    """What a model name becomes: a chain tried in order, or, with `weights`, one of the targets by chance."""

    targets: tuple[str, ...]
    weights: tuple[float, ...] = ()


class Reader(Struct, frozen=True):
    """How a raw value is read. `table`: key by key; `json`: a text may hold a list or a table."""

    read: Callable[[object], object]
    table: bool = False
    json: bool = False


def kind_of(value: object) -> str:
    """Name a raw value's type for a person."""
    if as_tree(value) is not None:
        return "a table"
    if as_list(value) is not None:
        return "a list"
    return next((name for types, name in _KINDS if isinstance(value, types)), "another type")


def read_choice(value: str, options: tuple[str, ...]) -> str:
    """Accept one of the options only."""
    if value not in options:
        raise ValueError(f'"{value}" is not one of {", ".join(options)}{did_you_mean(value, options)}')
    return value


def number(value: object) -> float:
    """Read a finite number."""
    if isinstance(value, Text):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f'"{value}" is not a number') from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {kind_of(value)}")  # noqa: TRY004 - a reader has one error
    try:
        amount = float(value)
    except OverflowError:
        amount = math.inf
    if not math.isfinite(amount):
        raise ValueError("is not a finite number")
    return amount


def _amount(value: object) -> float:
    amount = number(value)
    if amount < 0:
        raise ValueError("is negative")
    return amount


def _some(value: object) -> float:
    amount = number(value)
    if amount <= 0:
        raise ValueError("must be above 0")
    return amount


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is not a size; write bytes or a string such as "32MB"')
    return int(float(found[1]) * _UNITS[found[2].upper().replace("I", "")])


def is_quoted(text: str) -> bool:
    """Tell whether there are quotes around it."""
    return len(text) > 1 and text[0] + text[-1] in ('""', "''")


def text_of(value: str) -> str:
    """Accept what can name a file, a host or a header; raise ValueError."""
    if isinstance(value, Text) and is_quoted(value):
        raise ValueError(QUOTED)
    if "\0" in value:
        raise ValueError("contains a NUL character")
    return str(value)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {kind_of(value)}")  # noqa: TRY004 - a reader has one error
    return text_of(value)


def _url(value: object) -> str:
    url = _string(value).strip().rstrip("/")
    if found := _NOT_IN_A_URL.search(url):
        raise ValueError(f"contains {found[0]!r}: write {quote(found[0])} in a path; a host cannot have it")
    if url and not re.match(r"https?://[^/?#\s]", url):
        raise ValueError(f'"{url}" is not a URL; it must start with http:// or https://')
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        if "@" in url:  # the error would tell of a password
            raise ValueError("is not a URL: a / in a user or a password is written %2F") from None
        raise ValueError(f'"{url}" is not a URL: {error}') from None
    return url


def _base(value: object) -> str:
    """Read an address below which paths are asked for."""
    url = _url(value)
    if found := re.search(r"[?#]", url):
        raise ValueError(f'must end before the "{found[0]}": paths are appended to it')
    return url


def _root(value: object) -> str:
    """Read a base to which a version is appended: some programs want it with that, and some the whole address."""
    return _VERSION.sub("", _base(value))


def _api(value: object) -> str:
    """Read a base that has the version in it, without what is appended to that."""
    return _CALL.sub("", _base(value))


def _endpoint(value: object) -> str:
    url = _base(value)
    if not url:
        raise ValueError("is empty")
    return url


def _digest(value: object) -> str:
    digest = _string(value).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError("is not a SHA-256: 64 hexadecimal digits")
    return digest


def _path(value: object) -> str:
    path = _string(value)
    if not path.startswith("/"):
        raise ValueError(f'"{path}" does not start with /')
    if found := re.search(r"[?#]", path):
        raise ValueError(f'must end before the "{found[0]}": no path of a request has it')
    return path


def _level(value: object) -> str:
    level = _string(value).casefold()
    return read_choice(OLD_LEVELS.get(level, level), LEVELS)


def _words(value: object) -> tuple[str, ...]:
    items = as_list(value)
    return tuple(_string(value).split()) if items is None else tuple(_string(item) for item in items)


def _line(value: object) -> str:
    text = _string(value)
    if not is_text(text):  # that of a path may be none
        raise ValueError("is not UTF-8 text")
    if _CONTROL.search(text):
        raise ValueError("contains a line break or another control character")
    return text


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    return Secret(_line(value))


def _key(value: object) -> Secret:
    """Take a key without the blanks around it: no header carries them, so nobody could show it."""
    key = _secret(value).reveal().strip()
    if not key:
        raise ValueError("is empty")
    if {key[0], key[-1]} & _QUOTES:
        raise ValueError(QUOTED)
    if (named := _NAMED.fullmatch(key)) is not None:
        raise ValueError(f'is the name of a variable, not its value: write "env:{named[named.lastindex or 0]}"')
    unseen = next((one for one in key if category(one) == _UNSEEN), None)
    if unseen is not None:  # pages have them where a line may break, and so has what is copied from there
        raise ValueError(f"contains U+{ord(unseen):04X}, which is invisible: copy the key without it")
    return Secret(key)


def _keys(value: object) -> tuple[Secret, ...]:
    items = as_list(value)
    return (_key(value),) if items is None else tuple(_key(item) for item in items)


def _rule(value: object) -> ModelRule:
    items, weights = as_list(value), as_tree(value)
    if weights is not None:
        rule = ModelRule(tuple(weights), tuple(_weight(target, weight) for target, weight in weights.items()))
    else:
        rule = ModelRule(tuple(_string(item) for item in ([value] if items is None else items)))
    if not rule.targets or not all(target.strip() for target in rule.targets):
        raise ValueError("names no model")
    if not math.isfinite(sum(rule.weights)):
        raise ValueError("has weights that are too large to add up")
    return rule


def _weight(target: str, value: object) -> float:
    try:
        return _some(value)
    except ValueError as error:
        raise ValueError(f'the weight of "{target}": {error}') from None


def _expires(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f'"{value}" is not a date such as 2027-01-01') from None
    if isinstance(value, datetime):
        return min(value if value.tzinfo else value.replace(tzinfo=UTC), _LAST)
    if isinstance(value, date):
        return datetime.combine(value, time(tzinfo=UTC))
    raise ValueError(f"expected a date such as 2027-01-01, got {kind_of(value)}")


Count: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]
Amount: TypeAlias = Annotated[float, Reader(_amount)]
Fraction: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Seconds: TypeAlias = Annotated[float, Reader(_amount), "seconds"]  # which tells it from an amount
Some: TypeAlias = Annotated[float, Reader(_some)]
Size: TypeAlias = Annotated[int, Reader(_size)]
Base: TypeAlias = Annotated[str, Reader(_base)]
Root: TypeAlias = Annotated[str, Reader(_root)]
Api: TypeAlias = Annotated[str, Reader(_api)]
Url: TypeAlias = Annotated[str, Reader(_url)]
Endpoint: TypeAlias = Annotated[str, Reader(_endpoint)]
Line: TypeAlias = Annotated[str, Reader(_line)]
Path: TypeAlias = Annotated[str, Reader(_path)]
Level: TypeAlias = Annotated[str, Reader(_level)]
Words: TypeAlias = Annotated[tuple[str, ...], Reader(_words, json=True)]
Hidden: TypeAlias = Annotated[Secret, Reader(_secret)]
Key: TypeAlias = Annotated[Secret, Reader(_key)]
Keys: TypeAlias = Annotated[tuple[Secret, ...], Reader(_keys, json=True)]
Digest: TypeAlias = Annotated[str, Reader(_digest)]
Rule: TypeAlias = Annotated[ModelRule, Reader(_rule, json=True)]
Expires: TypeAlias = Annotated[datetime, Reader(_expires)]
