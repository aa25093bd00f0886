"""`gateway version`: what is installed."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click
import msgspec

from gateway import __version__

__all__ = ["version"]

_NAME = "asgi-llm-gateway"
_PARTS = (
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "aiohttp",
    "msgspec",
    "sqlalchemy",
    "cryptography",
    "click",
    "gunicorn",
)


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(as_json: bool) -> None:
    """Print the versions of the gateway, Python and the server's parts."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.machine()}"
    parts = {part: _installed(part) for part in _PARTS}
    if as_json:
        whole = {"name": _NAME, "version": __version__, "python": python, "system": system, "parts": parts}
        click.echo(msgspec.json.encode(whole))
        return
    rows = {_NAME: __version__, "python": f"{python}, {system}", **parts}
    click.echo("\n".join(f"{name:<{len(_NAME)}}  {said or 'not installed'}" for name, said in rows.items()))


def _installed(part: str) -> str | None:
    try:
        return installed(part)
    except PackageNotFoundError:
        return None
