"""The command `gateway`. Each command loads what it needs when it runs."""

import errno
import gc
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from gateway import __version__
from gateway.cli.check import check
from gateway.cli.connect import connect
from gateway.cli.credentials import credentials
from gateway.cli.crypt import decrypt, encrypt
from gateway.cli.doctor import doctor
from gateway.cli.explain import explain
from gateway.cli.files import leave_output
from gateway.cli.generate_key import generate_key
from gateway.cli.import_ import import_
from gateway.cli.init import init
from gateway.cli.keys import keys
from gateway.cli.login import login
from gateway.cli.models import models
from gateway.cli.replay import replay
from gateway.cli.run import run
from gateway.cli.selftest import selftest
from gateway.cli.usage import usage
from gateway.cli.version import version
from gateway.config import ConfigError
from gateway.legible import is_text

__all__ = ["main"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # what a disk without room says


class _Gateway(click.Group):
    """`gateway` alone, or with flags only, is `gateway run`; what cannot be used ends any command with 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        alone = not args and not ctx.resilient_parsing  # a shell that completes `gateway ` wants the commands
        if alone or (args and args[0].startswith("-") and args[0] not in ("-h", "--help", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print every problem of what cannot be used."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(str(error), err=True)
            raise SystemExit(2) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Give the commands, and the flags of `run`."""
        flags = run.shell_complete(ctx, incomplete) if incomplete.startswith("-") else []
        own = [
            item for item in super().shell_complete(ctx, incomplete) if item.value not in {one.value for one in flags}
        ]
        return [*own, *flags]


@click.group(cls=_Gateway, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gateway")
def _gateway() -> None:
    """An LLM gateway: one address for OpenAI, Anthropic and Gemini clients, any upstream behind it."""


_COMMANDS = (
    run,
    init,
    check,
    doctor,
    models,
    explain,
    replay,
    selftest,
    connect,
    import_,
    login,
    credentials,
    keys,
    generate_key,
    encrypt,
    decrypt,
    usage,
    version,
)
_YOUNG = 50_000  # what a command loads stays: to look for cycles among it, again and again, is a tenth of its start
for _command in _COMMANDS:
    _gateway.add_command(_command)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; the exit codes are 0, 1, 2, 3 and 4."""
    gc.set_threshold(_YOUNG)
    _open_streams()
    reconfigure: Callable[..., None] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # what is not UTF-8, such as a pipe on Windows, gets escapes
    words = arguments if arguments is not None else sys.argv[1:]
    try:
        return _gateway.main(words, prog_name="gateway")
    except UnicodeEncodeError:
        wrong = next((word for word in words if not is_text(word)), None)
        if wrong is None:
            raise
        click.echo(f"{wrong}: is not UTF-8 text", err=True)
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        leave_output()
        click.echo(f"standard output cannot be written: {error.strerror}", err=True)
        raise SystemExit(1) from None


def _open_streams() -> None:
    """Open what was closed before the start, so that no file gets its number and what is written there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
