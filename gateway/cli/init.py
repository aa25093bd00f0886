"""`gateway init`: a first gateway.toml, and a key for it in .env."""

import os
import shlex
from importlib import import_module
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

from gateway.cli.curl import curl
from gateway.cli.files import Dotenv, create, new_key, target_of, unserved
from gateway.cli.options import filled
from gateway.config import ConfigError, Problem

__all__ = ["KINDS", "Kind", "init"]

_KEY: Final = "GATEWAY_KEY"
_PORTS: Final = ("GATEWAY_SERVER__PORT", "PORT")  # what goes before the file
_HEAD: Final = """\
# Keys that are not here have their defaults: `gateway check` shows them all.
[server]
port = 8045

[auth]
keys = ["env:GATEWAY_KEY"]    # what your clients send; .env holds it

"""


class Kind(Struct, frozen=True):
    """What --for chooses: the upstream's lines, the variables and commands that they need, and a model to try."""

    lines: str
    needs: tuple[str, ...] = ()
    model: str = "demo"
    type: str = "demo"
    commands: tuple[str, ...] = ()


KINDS: Final = {
    "demo": Kind(
        '[upstream.demo]               # echoes, needs no account; `gateway init --for …` has more\ntype = "demo"\n'
    ),
    "antigravity": Kind(
        "[upstream.antigravity]        # Google accounts, by `gateway login` or `gateway import FILE`\n"
        'type = "v1internal"\n'
        'oauth = { client_id = "env:OAUTH_CLIENT_ID", client_secret = "env:OAUTH_CLIENT_SECRET" }\n',
        ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET"),
        "gemini-3-flash",
        "v1internal",
        ("gateway login",),
    ),
    "gemini": Kind(
        '[upstream.gemini]\ntype = "gemini"\napi_key = "env:GEMINI_API_KEY"\n',
        ("GEMINI_API_KEY",),
        "gemini-2.5-flash",
        "gemini",
    ),
    "openai": Kind(
        '[upstream.openai]\ntype = "openai"\napi_key = "env:OPENAI_API_KEY"\n',
        ("OPENAI_API_KEY",),
        "gpt-4.1-mini",
        "openai",
    ),
    "azure": Kind(
        "[upstream.azure]              # model names are deployment names\n"
        'endpoint = "env:AZURE_OPENAI_ENDPOINT"\napi_key = "env:AZURE_OPENAI_API_KEY"\n',
        ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"),
        "gpt-4o",
        "azure",
    ),
    "vertex": Kind(
        "[upstream.vertex]             # logs in with `gcloud auth application-default login`, or as the machine\n"
        'project = "env:VERTEX_PROJECT"\nlocation = "us-central1"\n',
        ("VERTEX_PROJECT",),
        "gemini-2.5-flash",
        "vertex",
    ),
    "anthropic": Kind(
        '[upstream.anthropic]\ntype = "anthropic"\napi_key = "env:ANTHROPIC_API_KEY"\n',
        ("ANTHROPIC_API_KEY",),
        "claude-sonnet-4-5",
        "anthropic",
    ),
}


@click.command
@click.option("--for", "kind", type=click.Choice(list(KINDS)), default="demo", help="The upstream.")
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    type=click.Path(),
    callback=filled,
    help="The file to write; by default GATEWAY_CONFIG, else gateway.toml.",
)
def init(kind: str, config: str | None) -> None:
    """Write a first gateway.toml, with a new key for your clients in .env beside it.

    An existing file is never changed; .env only gets a line with the key if it has none.
    """
    target = target_of(config)
    env = Dotenv(target.parent / ".env", os.environ)
    key = env.variables.get(_KEY, "").strip() or new_key()
    if target.exists():
        raise ConfigError([Problem(str(target), None, _there(config))])
    name = env.name_of(_KEY, key)
    create(target, _HEAD.replace(_KEY, name) + KINDS[kind].lines)
    _write(env, target)
    click.echo("\n".join([f"wrote {target}", _said(env, name), "", "Next:", *_next(KINDS[kind], env, config, key)]))


def _write(env: Dotenv, target: Path) -> None:
    try:
        env.write()
    except ConfigError:
        target.unlink()  # else the next try finds it there
        raise


def _said(env: Dotenv, name: str) -> str:
    return f"wrote {name} to {env.file}, {env.privacy}" if env.new else f"{name} is already set, and was not changed"


def _there(config: str | None) -> str:
    other = "another name with -c" if config is None else "another name"
    return f"already exists and was not changed: give {other}, or move it away first"


def _next(kind: Kind, env: Dotenv, config: str | None, key: str) -> list[str]:
    """Say what is left to do, in this order."""
    unset = [name for name in kind.needs if not env.variables.get(name, "").strip()]
    words = f" -c {shlex.quote(config)}" if config else ""
    steps = [f"put into {env.file}:  {name}=…" for name in unset]
    served = kind.type in import_module("gateway.registry").names("gateway.adapters")
    steps += [f"{command}{words}" for command in kind.commands]
    steps += [f"gateway run{words}", curl(_address(env), kind.model, key)] if served else [f"gateway check{words}"]
    numbered = [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    return numbered if served else [*numbered, unserved(kind.type)]


def _address(env: Dotenv) -> str:
    given = (env.variables.get(name, "").strip() for name in _PORTS)
    return f"http://127.0.0.1:{next(filter(None, given), '8045')}"
