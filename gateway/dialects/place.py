"""Where in a request the reader stands: paths for errors and losses, and the decoding of what stayed raw."""

from collections.abc import Collection
from typing import Final, TypeVar, cast

from msgspec import Raw, ValidationError
from msgspec.json import Decoder

from gateway import ir
from gateway.dialects.content import decode, limit_depth
from gateway.dialects.raw import FIELDS, NULL, Fields
from gateway.errors import InvalidRequest

__all__ = ["ANY", "Place", "is_null"]

ANY: Final[Decoder[object]] = Decoder(object)

_T = TypeVar("_T")


class Place:
    """A path such as `messages[2].content[0]`, and the losses of the whole request."""

    __slots__ = ("losses", "path")

    def __init__(self, path: str = "", losses: list[ir.Loss] | None = None) -> None:
        self.path = path
        self.losses: list[ir.Loss] = [] if losses is None else losses

    def at(self, key: str) -> "Place":
        """Give the place of a member."""
        return Place(_join(self.path, key), self.losses)

    def item(self, index: int) -> "Place":
        """Give the place of an element."""
        return Place(f"{self.path}[{index}]", self.losses)

    def lose(self, key: str, reason: str, severity: ir.Severity = "hint") -> None:
        """Note that `key` is not carried."""
        self.losses.append(ir.Loss(_join(self.path, key), reason, severity))

    def lose_unknown(self, fields: Fields, known: Collection[str]) -> None:
        """Note every field that nothing here reads; null is as good as absent."""
        for key, raw in fields.items():
            if key not in known and not is_null(raw):
                self.lose(key, "not carried")

    def refuse(self, what: str, key: str = "", error: type[InvalidRequest] = InvalidRequest) -> InvalidRequest:
        """Make the error that names this place."""
        path = _join(self.path, key)
        return error(f"{path}: {what}", param=path)

    def fields(self, raw: Raw) -> Fields:
        """Read an object's members, undecoded; raise InvalidRequest where they are too deep."""
        limit_depth(raw)
        return self.read(raw, FIELDS)

    def read(self, raw: Raw, decoder: Decoder[_T], key: str = "") -> _T:
        """Decode a part of the body, this one or its member `key`; an error names its full path."""
        try:
            return decoder.decode(raw)
        except ValidationError:
            return self._read_oddly(bytes(raw), cast("type[_T]", decoder.type), key)

    def _read_oddly(self, data: bytes, type: type[_T], key: str) -> _T:  # noqa: A002 (the name that msgspec uses)
        try:
            return decode(data, type)  # which knows more forms of a number
        except InvalidRequest as error:
            what = error.message.removeprefix(f"{error.param or 'the request body'}: ")
            raise self.refuse(what, _join(key, error.param or "")) from None


def is_null(raw: Raw) -> bool:
    """Tell whether a raw value is null."""
    return raw == NULL


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key and not key.startswith("[") else path + key
