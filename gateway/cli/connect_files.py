"""The settings files of clients: set values, keep a backup of what was there, take the values back.

A file is a table of tables, whatever it is written in: JSON, TOML or NAME=value lines. What else stands in it stays as
it is. The backup beside it is the file before the first change: empty where there was none, and an empty line where
nothing stood in it.
"""

import json
import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final, Literal, cast

import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError

from gateway.config import ConfigError, Problem
from gateway.config.problems import unread
from gateway.config.sources import as_tree

__all__ = ["Change", "Form", "Settings", "Values", "apply", "backup_of", "change", "fragment", "now", "undo"]

Form = Literal["json", "toml", "env"]
_Tree = MutableMapping[str, Any]
_Path = tuple[str, ...]
Values = Mapping[_Path, object]

_BACKUP: Final = ".before-gateway"
_BLANK: Final = "\n"  # the backup of an empty file
_CRLF: Final = "\r\n"
_MARK: Final = "\ufeff"  # of the byte order, which editors on Windows write
_MODE: Final = 0o600  # of what is made
_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=")


class _Line(str):
    """A line of a .env file as it stands there, and not a value."""

    __slots__ = ()


class Settings(Struct, frozen=True, kw_only=True):
    """What a client needs in one of its files; `values` by their place in it."""

    file: Path
    form: Form
    values: Values


class Change(Struct, frozen=True, kw_only=True):
    """A file as it is, and as it is to be."""

    settings: Settings
    before: str
    after: str


def backup_of(settings: Settings) -> Path:
    """Name the copy of the file as it was."""
    file = settings.file
    return file.with_name(file.name + _BACKUP)


def fragment(settings: Settings) -> str:
    """Give what is to be set, as it would stand in an empty file."""
    return _edited(settings, "", settings.values)


def now(settings: Settings) -> Values:
    """Give what stands at the places of the values, None where nothing does; raise ConfigError."""
    tree = _parsed(settings, _read(settings.file) or "", settings.file)
    found = {path: _at(tree, path) for path in settings.values}
    if settings.form == "env":
        return {path: line and str(line).partition("=")[2].strip().strip("\"'") for path, line in found.items()}
    return found


def change(settings: Settings, stale: Collection[_Path] = ()) -> Change | None:
    """Say how the file is to be; None where the values stand already. Raise ConfigError for one that cannot be used.

    `stale`: places of earlier values, which get back what the backup has there.
    """
    before = _read(settings.file)
    after = _edited(settings, before or "", {**_kept(settings, stale), **settings.values})
    if before is not None and _meaning(settings, after, settings.file) == _meaning(settings, before, settings.file):
        return None
    return Change(settings=settings, before="" if before is None else before or _BLANK, after=after)


def _kept(settings: Settings, places: Collection[_Path]) -> Values:
    """Give what the backup has at these places, None where nothing is; nothing without a backup."""
    backup = backup_of(settings)
    before = _read(backup) if places else None
    if before is None:
        return {}
    old = _parsed(settings, before, backup)
    return {path: _at(old, path) for path in places}


def apply(change: Change) -> None:
    """Write a file; raise ConfigError."""
    file, backup = change.settings.file, backup_of(change.settings)
    first = not backup.exists()
    if first:
        _write(backup, change.before, file)
    try:
        _write(file, change.after, file)
    except ConfigError:
        if first:  # else it would be what was there before some later change
            _take_away(backup)
        raise


def undo(settings: Settings) -> str:
    """Take the values back, and say what became of the file, "" when there was nothing to take back; raise ConfigError.

    A file that has been changed since keeps those changes.
    """
    backup = backup_of(settings)
    before = _read(backup)
    if before is None:
        return ""
    now, same = _read(settings.file), True
    if now is not None:
        parsed = _parsed(settings, before, backup)
        old = {path: _at(parsed, path) for path in settings.values}
        restored = _edited(settings, now, old)
        unchanged = _edited(settings, before, old)  # it loses the tables that were empty, as `restored` did
        same = _meaning(settings, restored, settings.file) == _meaning(settings, unchanged, backup)
        _put_back(settings.file, before if same else restored)
    _take_away(backup)
    return "is as it was before" if same else "keeps later changes, without the gateway's values"


def _put_back(file: Path, text: str) -> None:
    if text:
        _write(file, "" if text == _BLANK else text, file)
    else:
        _take_away(file)


# the forms


def _edited(settings: Settings, text: str, values: Values) -> str:
    """Set values; the file begins, and its lines end, as they do there."""
    mark = _MARK if text.startswith(_MARK) else ""
    edited = _set_in(settings, _plain(text), values)
    return mark + (edited.replace("\n", _CRLF) if _CRLF in text else edited)


def _plain(text: str) -> str:
    return text.removeprefix(_MARK).replace(_CRLF, "\n")


def _set_in(settings: Settings, text: str, values: Values) -> str:
    if settings.form == "env":
        return _lines(text, {path[-1]: value for path, value in values.items()})
    tree = _parsed(settings, text, settings.file)
    meant = _meaning(settings, text, settings.file)
    try:
        for path, value in values.items():
            _set(tree, path, value)
            _set(meant, path, value)
    except ValueError as error:
        raise ConfigError([Problem(str(settings.file), None, f"{error}: the file was not changed")]) from None
    edited = _DUMPS[settings.form](tree)
    if _meaning(settings, edited, settings.file) != meant:  # tomlkit may put a key into the table before it
        message = "cannot be edited safely: it was not changed, edit it by hand"
        raise ConfigError([Problem(str(settings.file), None, message)])
    return edited


def _parsed(settings: Settings, text: str, file: Path) -> _Tree:
    try:
        return _PARSES[settings.form](_plain(text))
    except (TOMLKitError, ValueError) as error:
        message = f"is not plain {settings.form.upper()} ({error}): it was not changed, edit it by hand"
        raise ConfigError([Problem(str(file), None, message)]) from None


def _meaning(settings: Settings, text: str, file: Path) -> _Tree:
    """Give what a file says, without how: no two parts of a table are alike to tomlkit."""
    tree = _parsed(settings, text, file)
    return tree.unwrap() if isinstance(tree, tomlkit.TOMLDocument) else tree


def _parse_json(text: str) -> _Tree:
    tree = as_tree(json.loads(text)) if text.strip() else {}
    if tree is None:
        raise ValueError("no object")
    return dict(tree)


def _parse_env(text: str) -> _Tree:
    found = ((_LINE.match(line), line) for line in text.split("\n"))
    return {match[1]: _Line(line) for match, line in found if match}


def _dump_json(tree: _Tree) -> str:
    text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n" if tree else ""
    return text.encode(errors="backslashreplace").decode()  # half a character, as JavaScript cuts texts, stays escaped


def _dump_toml(tree: _Tree) -> str:
    return tomlkit.dumps(tree)


_PARSES: Final[Mapping[Form, Callable[[str], _Tree]]] = {
    "json": _parse_json,
    "toml": tomlkit.parse,
    "env": _parse_env,
}
_DUMPS: Final[Mapping[Form, Callable[[_Tree], str]]] = {"json": _dump_json, "toml": _dump_toml}


def _lines(text: str, values: Mapping[str, object]) -> str:
    """Set variables in a .env file; one that had a whole line before gets that line back."""
    left = dict(values)
    kept: list[str] = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        match = _LINE.match(line)
        if match is None or match[1] not in values:
            kept.append(line)
        elif match[1] in left:
            kept += _line(match[1], left.pop(match[1]))
    for name, value in left.items():
        kept += _line(name, value)
    return "".join(f"{line}\n" for line in kept)


def _line(name: str, value: object) -> list[str]:
    if value is None:
        return []
    return [value if isinstance(value, _Line) else f"{name}={shlex.quote(str(value))}"]


# the tree


def _at(tree: Mapping[str, Any], path: _Path) -> object:
    found: object = tree
    for step in path:
        found = cast(Mapping[str, object], found).get(step) if isinstance(found, Mapping) else None
    return found


def _set(tree: _Tree, path: _Path, value: object) -> None:
    """Set a value; None takes it away, with the tables that are empty then."""
    step, *rest = path
    if not rest:
        if value is None:
            tree.pop(step, None)
        else:
            tree[step] = value
        return
    if step not in tree:
        if value is None:
            return
        tree[step] = _nested(rest, value)  # whole: a table in several places of a file may lose what comes later
        return
    inner = tree[step]
    if not isinstance(inner, MutableMapping):
        raise ValueError(f"{step} is not a table")  # noqa: TRY004 (of the file, not of a caller)
    _set(cast(_Tree, inner), tuple(rest), value)
    if not inner:
        del tree[step]


def _nested(path: Sequence[str], value: object) -> object:
    for step in reversed(path):
        value = {step: value}
    return value


# the disk


def _read(file: Path) -> str | None:
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(file), None, f"cannot be read: {unread(error)}")]) from None


def _write(file: Path, text: str, like: Path) -> None:
    """Put a file in the place of what is there, whole or not at all, for whom `like` is for."""
    target = file.resolve()  # a link stays one
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        number, name = mkstemp(prefix=f"{target.name}.", dir=target.parent)
        try:
            with os.fdopen(number, "wb") as opened:
                opened.write(text.encode())
            _open_to_those_of(like, Path(name))
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError([Problem(str(file), None, f"cannot be written: {error.strerror}")]) from None


def _take_away(file: Path) -> None:
    try:
        file.unlink()
    except OSError as error:
        raise ConfigError([Problem(str(file), None, f"cannot be removed: {error.strerror}")]) from None


def _open_to_those_of(like: Path, new: Path) -> None:
    if not like.exists():
        new.chmod(_MODE)
        return
    there, own = like.stat(), new.stat()
    if (there.st_uid, there.st_gid) != (own.st_uid, own.st_gid):
        with suppress(PermissionError):  # only root gives files away: by `sudo` it is still the user's
            os.chown(new, there.st_uid, there.st_gid)
    new.chmod(there.st_mode & 0o777)
