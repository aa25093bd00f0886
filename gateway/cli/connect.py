"""`gateway connect`: lead a client to this gateway, and back again."""

import shlex
from collections.abc import Collection, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click
import msgspec
from msgspec.structs import replace

from gateway.cli.connect_clients import CLIENTS, Client, Place
from gateway.cli.connect_files import Settings, apply, backup_of, change, fragment, now, undo
from gateway.cli.itself import address_of, key_of
from gateway.cli.options import address, configuration, loaded, quiet
from gateway.config import ConfigError, Loaded, Problem
from gateway.errors import ModelNotFound
from gateway.store import FILE as DATABASE

if TYPE_CHECKING:
    from gateway.resolution import Resolver

__all__ = ["connect"]

_ANY: Final = "anything"  # while the gateway has no keys; clients want one
_NOWHERE: Final = Place(url="", key="", model="", small="", models={}, chosen=True)
_SMALL: Final = ("haiku", "flash-lite", "flash", "mini", "nano")


@click.command
@click.argument("client", type=click.Choice(list(CLIENTS)))
@configuration
@click.option(
    "--url",
    metavar="URL",
    callback=address,
    help="The URL of the gateway for the client; by default server.public_url, or this machine and server.port.",
)
@click.option("--key", metavar="KEY", help="The key for the client; by default the first one of the configuration.")
@click.option("--model", metavar="NAME", help="The model for the client.")
@click.option("--apply", "applies", is_flag=True, help="Write the settings into the client's files, with a backup.")
@click.option("--undo", "undoes", is_flag=True, help="Remove them again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def connect(
    client: str,
    config: str | None,
    no_config: bool,
    no_dotenv: bool,
    url: str | None,
    key: str | None,
    model: str | None,
    applies: bool,
    undoes: bool,
    as_json: bool,
) -> None:
    """Show what to set so that a client uses this gateway; write the settings, or remove them."""
    if applies and undoes:
        raise click.UsageError("choose one: --apply or --undo")
    chosen = CLIENTS[client]
    try:
        found = loaded(config, no_config=no_config, no_dotenv=no_dotenv)
        place = _place(found, chosen, url, key or (_ANY if undoes else None), model, advises=not undoes)
        if applies and _reads(found, url, chosen.variables(place)):
            _spare_its_own(found, chosen.settings(place))
    except ConfigError:
        if not undoes:
            raise
        place = _NOWHERE  # the backups have what is needed
    said = (_apply if applies else _undo if undoes else _show)(chosen, place)
    click.echo(msgspec.json.encode(_plain(client, place)) if as_json else "\n".join(said))


# what is said and done


def _show(client: Client, place: Place) -> list[str]:
    lines = [f"{client.title}: {place.url}, model {place.model}"]
    for settings in client.settings(place):
        lines += ["", f"in {settings.file}:", *(f"  {line}".rstrip() for line in fragment(settings).splitlines())]
    variables = client.variables(place)
    if variables:
        lines += ["", "for one shell:", *(f"  export {name}={shlex.quote(value)}" for name, value in variables.items())]
    lines += ["", *client.hints] if client.hints else []
    return [*lines, "", "--apply writes the files and keeps a backup of each; --undo restores them."]


def _apply(client: Client, place: Place) -> list[str]:
    lines: list[str] = []
    plans = [(settings, change(settings, _stale(client, place, settings))) for settings in client.settings(place)]
    for settings, planned in plans:
        if planned is not None:
            apply(planned)
        wrote = f"wrote {settings.file}; backup: {backup_of(settings)}"
        lines.append(wrote if planned is not None else f"{settings.file} already has these settings")
    return [*lines, f"{client.title}: now {place.url}, model {place.model}", *client.hints]


def _stale(client: Client, place: Place, settings: Settings) -> tuple[tuple[str, ...], ...]:
    """Find what an earlier --apply has said of the context of the model that stands in the file, and this one does not.

    Another number there is not the gateway's. Where no model is set, the earlier one stays, and so does its context.
    """
    if client.context in settings.values or settings.values.keys().isdisjoint(client.models):
        return ()
    stands = now(replace(settings, values=dict.fromkeys((*client.models, client.context))))
    info = place.models.get(next((str(stands[path]) for path in client.models if stands[path]), ""))
    told = info is not None and info.max_input is not None and str(info.max_input) == str(stands[client.context])
    return (client.context,) if told else ()


def _reads(found: Loaded, url: str | None, variables: Collection[str]) -> bool:
    """Tell whether the gateway would read these from the .env of its folder.

    With a file it reads those that the file names; without one it does if its database is here.
    """
    if found.file is None:
        return url is None and found.resolve(found.config.server.data_dir).joinpath(DATABASE).exists()
    text = found.file.read_text(encoding="utf-8", errors="replace")
    return any(f"env:{name}" in text for name in variables)


def _spare_its_own(found: Loaded, written: Iterable[Settings]) -> None:
    """Raise ConfigError for the .env that the gateway reads."""
    own = found.folder.resolve() / ".env"
    if own in (settings.file for settings in written):
        message = "belongs to the gateway, which would then call itself: run this in the folder of your program"
        raise ConfigError([Problem(str(own), None, message)])


def _undo(client: Client, place: Place) -> list[str]:
    everything = client.settings(replace(place, model="", context=0, chosen=True, lacks=True))
    done = [(settings.file, undo(settings)) for settings in everything]
    return [f"{file} {said}" for file, said in done if said] or [f"{client.title} was not connected: nothing to undo"]


def _plain(name: str, place: Place) -> dict[str, object]:
    client = CLIENTS[name]
    files = [
        {"file": str(settings.file), "form": settings.form, "text": fragment(settings)}
        for settings in client.settings(place)
    ]
    return {
        "client": name,
        "url": place.url,
        "model": place.model,
        "files": files,
        "variables": client.variables(place),
    }


# where


def _place(
    found: Loaded, client: Client, url: str | None, key: str | None, model: str | None, *, advises: bool
) -> Place:
    gateway = import_module("gateway.app").Gateway(replace(quiet(found), read_only=True))
    resolver: Resolver = gateway.services.resolver
    listed = {name: info for name, info in resolver.listing().items() if info.answers}
    if advises:
        _advise(resolver, model, listed)
    own = _own(resolver, client)
    main = model or own or _like(listed, client.knows[0] if client.knows else "", "demo")
    models = listed if main in listed else {main: resolver.describe(main), **listed}
    info = models[main]
    return Place(
        url=(url or address_of(found)).rstrip("/").removesuffix("/v1"),
        key=key or _key(found),
        model=main,
        small=_small(listed, main),
        models=models,
        context=info.max_input if info is not None else None,
        chosen=client.knows[:1] != (main,),
        lacks=not own,
    )


def _advise(resolver: "Resolver", model: str | None, listed: Collection[str]) -> None:
    if model is not None and not _serves(resolver, model):
        click.echo(f"{model} is not served here; `gateway models` lists the names that are", err=True)
    elif model is None and not listed:
        click.echo("no upstream has told its models yet: start the gateway first, or name one with --model", err=True)


def _serves(resolver: "Resolver", name: str) -> bool:
    try:
        return bool(name and resolver.resolve(name).targets)
    except ModelNotFound:
        return False


def _own(resolver: "Resolver", client: Client) -> str:
    """Give the model that a client asks for by itself; "" where an upstream is not known to have what it asks for."""
    known = client.knows and all(resolver.describe(name) is not None for name in client.knows)
    return client.knows[0] if known else ""


def _like(names: Collection[str], model: str, otherwise: str) -> str:
    """Choose the first of the same make, else the first one."""
    make = model.partition("-")[0]
    return next((name for name in names if name.startswith(make)), next(iter(names), otherwise))


def _small(names: Collection[str], main: str) -> str:
    """Choose a quick model for side work, of the same make if there is one."""
    return _like([name for word in _SMALL for name in names if word in name], main, main)


def _key(found: Loaded) -> str:
    secret = key_of(found.config)
    if secret is not None:
        return secret.reveal()
    if found.config.key or import_module("gateway.cli.keys_work").stored(found):
        message = "the configuration has only hashes of keys: give the client's key with --key"
        raise ConfigError([Problem(str(found.file or "configuration"), None, message)])
    return _ANY
