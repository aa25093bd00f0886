"""Read the configuration: flags over environment over file over defaults, and remember who gave what.

-c FILE, GATEWAY_CONFIG, ./gateway.toml   one of them, the first that is given
  ↓ tables          ← variables of the replaced systems, when there is no file
  ↓ HOST, PORT, LOG_LEVEL, GATEWAY_A__B__C (environment and .env), flags
  ↓ env: and file: references
  ↓ types, then rules between keys         every problem is reported at once
Loaded
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.convert import convert
from gateway.config.edits import Stamp, files_of, stamp
from gateway.config.overlay import apply_flags, apply_variables, misspelt
from gateway.config.positions import positions
from gateway.config.problems import ConfigError, Problem
from gateway.config.references import resolve_references
from gateway.config.rules import check_rules
from gateway.config.schema import Config
from gateway.config.seeds import apply_seeds
from gateway.config.sources import DEFAULT, Draft, KeyPath, Source, Tree, as_list, as_tree, dotted
from gateway.config.variables import Variables, read_variables

__all__ = ["Besides", "Given", "Loaded", "load"]

Given: TypeAlias = "str | PathLike[str] | Mapping[str, object] | Config | None"

_FILE: Final = "gateway.toml"
_LABEL: Final = "configuration"  # the place of a problem in a mapping, which has no lines
_DEEP: Final = "is nested too deeply"
_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


class Loaded(Struct, frozen=True, kw_only=True):
    """A configuration and where it came from. `file` is None when no file is in use.

    `dotenv`: the variables that `.env` alone gave, for libraries that look for theirs in the environment.
    `misspelt`: what is said of those that may be meant for a key, and are not read.
    `read_only`: what stands below data_dir is read, and nothing is made or changed there. `again`: reads what is there
    now; None for what was given as a value. `stamp`: of the files, before they were read.
    """

    config: Config
    file: Path | None
    folder: Path
    sources: Mapping[KeyPath, Source]
    dotenv: Mapping[str, str] = {}
    misspelt: tuple[Problem, ...] = ()
    read_only: bool = False
    again: "Callable[[], Loaded] | None" = None
    stamp: Stamp = ()

    def source(self, path: KeyPath) -> Source:
        """Give the source of a key's value; a variable or a flag gives a list as a whole."""
        if path in self.sources:
            return self.sources[path]
        wholes = (self.sources[whole] for length in range(len(path)) if (whole := path[:length]) in self.sources)
        return next((source for source in wholes if source.kind != "file"), DEFAULT)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Say what is wrong with a key, at the place that gave it."""
        return self.source(path).problem(f"{dotted(path)}: {message}")

    def resolve(self, path: str) -> Path:
        """Make a path of the configuration absolute: a relative one starts at the file's folder."""
        return self.folder / Path(path).expanduser()


# says what else is wrong with a configuration that cannot be used, of which only what could be read is given
Besides: TypeAlias = Callable[[Loaded], Iterable[Problem]]


def load(
    source: Given = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    dotenv: bool = True,
    no_config: bool = False,
    besides: Besides | None = None,
) -> Loaded:
    """Load a file, a mapping in its place, or what there is; raise ConfigError with everything that is wrong.

    A finished Config is taken as it stands: only its rules are checked. `no_config` looks for no file. `besides`: what
    is asked, too, when something is wrong.
    """
    if isinstance(source, Config):
        return _finished(source)
    environ = os.environ if environ is None else environ
    label, again = None, None
    if not isinstance(source, Mapping):
        label = _label(source, environ, no_config=no_config)
        # by its name from now on: when a file that was found is gone, that is no configuration without a file
        given = partial(load, environ=environ, overrides=overrides, dotenv=dotenv, no_config=no_config)
        again = partial(given, label, besides=besides)
    file = None if label is None else Path(label).absolute()
    seen = stamp(files_of(file)) if file is not None else ()
    draft = _draft(source, file, label)
    folder = _here() if file is None else file.parent
    variables = read_variables(environ, folder, dotenv=dotenv)
    draft.problems.extend(variables.problems)
    if file is None and not isinstance(source, Mapping):
        apply_seeds(draft, variables)
    apply_variables(draft, variables)
    apply_flags(draft, _copy(overrides or {}))
    return replace(_finish(draft, file, folder, variables, besides), again=again, stamp=seen)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError([Problem("working folder", None, "no longer exists: change to another one")]) from None


def _draft(source: str | PathLike[str] | Mapping[str, object] | None, file: Path | None, label: str | None) -> Draft:
    """Read the tables that everything else lies upon."""
    if isinstance(source, Mapping):
        tree = _copy(source)
        return Draft(tree, _LABEL, dict.fromkeys(_paths(tree)))
    if file is None or label is None:
        return Draft({}, "", {})
    text = _read(file, label)
    try:
        return Draft(tomllib.loads(text), label, positions(text))
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        old = text.lstrip().startswith("{") or file.name.endswith(".env")
        hint = f"; `gateway import {label}` converts the file of an earlier proxy into a gateway.toml" if old else ""
        message = f"not TOML: {_LINE.sub('', str(error)).strip()}{hint}"
        raise ConfigError([Problem(label, line, message)]) from None
    except RecursionError:
        raise ConfigError([Problem(label, None, _DEEP)]) from None


def _label(source: str | PathLike[str] | None, environ: Mapping[str, str], *, no_config: bool) -> str | None:
    """Choose the file, None for none; its name is shown as it was given."""
    if source is not None:
        return os.fspath(source)
    if no_config:
        return None
    return environ.get("GATEWAY_CONFIG") or (_FILE if _is_found() else None)


def _is_found() -> bool:
    """Look into the working folder; a link that leads nowhere is a file that is missing."""
    try:
        os.lstat(_FILE)
    except PermissionError as error:
        message = f"cannot be entered: {error.strerror}: change to another one, or name the file of the configuration"
        raise ConfigError([Problem("working folder", None, message)]) from None
    except OSError:
        return False
    return True


def _read(file: Path, label: str) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        message = "there is no such file"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except ValueError:
        message = "cannot be read: it is not UTF-8 text"
    raise ConfigError([Problem(label, None, message)])


def _finish(draft: Draft, file: Path | None, folder: Path, variables: Variables, besides: Besides | None) -> Loaded:
    try:
        resolve_references(draft, variables, folder)
        config = convert(draft)
        check_rules(config, draft)
    except RecursionError:
        raise ConfigError([Problem(draft.label or _LABEL, None, _DEEP)]) from None
    dotenv = {name: variables.values[name] for name in variables.from_file}
    loaded = Loaded(
        config=config,
        file=file,
        folder=folder,
        sources=draft.sources,
        dotenv=dotenv,
        misspelt=tuple(misspelt(draft, variables)),
    )
    if draft.problems:
        problems = [*draft.problems, *(besides(loaded) if besides else ())]
        raise ConfigError(sorted(problems, key=lambda problem: (problem.file, problem.line or 0)))
    return loaded


def _finished(config: Config) -> Loaded:
    draft = Draft({}, _LABEL, {})
    check_rules(config, draft)
    if draft.problems:
        raise ConfigError(draft.problems)
    return Loaded(config=config, file=None, folder=_here(), sources={})


def _copy(source: Mapping[str, object]) -> Tree:
    return {str(key): _copied(value) for key, value in source.items()}


def _copied(value: object) -> object:
    """Copy to the types that TOML has."""
    if isinstance(value, Mapping):
        return _copy(cast(Mapping[str, object], value))  # Mapping[Unknown, Unknown] after isinstance
    if isinstance(value, list | tuple):
        return [_copied(item) for item in cast(list[object], value)]  # list[Unknown] after isinstance
    return os.fspath(cast(PathLike[str], value)) if isinstance(value, PathLike) else value  # as above


def _paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    table, items = as_tree(value), as_list(value)
    inner = table.items() if table is not None else enumerate(items or ())
    for step, item in inner:
        yield (*path, step)
        yield from _paths(item, (*path, step))
