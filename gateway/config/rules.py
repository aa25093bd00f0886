"""What the types cannot say: rules between keys."""

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from gateway.config.modelrules import check_models
from gateway.config.newkey import NO_MODEL, NO_SCOPES, numbered, own_name
from gateway.config.problems import did_you_mean
from gateway.config.schema import Config, PipelineConfig
from gateway.config.sources import Draft, KeyPath, as_list, as_tree
from gateway.config.upstreams import (
    AnthropicConfig,
    AzureConfig,
    DemoConfig,
    GeminiConfig,
    OpenAIConfig,
    V1InternalConfig,
    VertexConfig,
)
from gateway.proxies import misspelt
from gateway.registry import names, path_of

__all__ = [
    "SAMPLE_DIGESTS",
    "SAMPLE_KEYS",
    "check_rules",
    "host_and_port",
    "is_loopback",
    "is_postgres",
    "is_redis",
    "refuses_bind",
]

SAMPLE_KEYS: Final = frozenset({"123456", "sk-text", "sk-your-api-key"})
SAMPLE_DIGESTS: Final = frozenset(sha256(key.encode()).hexdigest() for key in SAMPLE_KEYS)

_CLASS: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_POSTGRES: Final = ("postgresql://", "postgres://")
_REDIS: Final = ("redis://", "rediss://", "unix://")
_REDIS_NUMBER: Final = re.compile(r"/?(\d+/?)?")
_ORIGIN: Final = re.compile(
    r"(?!https://.*:443$|http://.*:80$)[a-z][a-z0-9+.-]*://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]*)?"
)
_UPSTREAM_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOST: Final = re.compile(r"\w[\w.-]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TAKEN: Final = frozenset(
    {  # what a path may begin with
        *("v1", "v1alpha", "v1beta", "v1beta1", "openai", "upload", "download"),
        *("health", "usage", "admin", "oauth2"),
    }
)

Findings: TypeAlias = Iterator[tuple[KeyPath, str]]


def check_rules(config: Config, draft: Draft) -> None:
    """Report every rule that the configuration breaks."""
    for rule in _RULES:
        for path, message in rule(config, draft):
            draft.report(path, message)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone, to listen on or as the peer of a connection; "" is everywhere, or nobody.

    A listener for both families writes an IPv4 peer as ::ffff:127.0.0.1.
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def host_and_port(host: str, port: int) -> str:
    """Write where somebody listens as URLs do: an IPv6 address in one pair of brackets."""
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def refuses_bind(config: Config, *, stored_keys: bool = False) -> str | None:
    """Say why `gateway run` does not listen on server.host; None when it may."""
    keyless = not (config.auth.keys or config.key or stored_keys)
    if is_loopback(config.server.host) or not keyless or config.auth.allow_anonymous == "always":
        return None
    return (
        f'server.host "{config.server.host}" is open to the network and there is no key: '
        'set auth.keys, make one with `gateway keys new`, or write auth.allow_anonymous = "always"'
    )


def _keys(config: Config, draft: Draft) -> Findings:
    names: list[object] = []
    given = numbered(range(len(config.auth.keys)))
    for index, item in enumerate(as_list(draft.tree.get("key")) or []):
        table, path = as_tree(item) or {}, ("key", index)
        name = table.get("name")
        if isinstance(name, str) and not name.strip():
            yield (*path, "name"), "is empty"
        elif taken := own_name(name):
            yield (*path, "name"), taken
        elif isinstance(name, str) and name in given:
            yield (*path, "name"), f'"{name}" means auth.keys[{given[name]}]; choose another name'
        elif name is not None and name in names:
            yield (*path, "name"), f'a key named "{name}" is already defined above'
        names.append(name)
        if as_list(table.get("scopes")) == []:
            yield (*path, "scopes"), NO_SCOPES
        globs = as_list(table.get("models")) or []
        yield from (((*path, "models", at), NO_MODEL) for at, glob in enumerate(globs) if glob == "")
        both, neither = {"sha256", "secret"} <= table.keys(), table.keys().isdisjoint({"sha256", "secret"})
        if both or (neither and draft.told.isdisjoint({(*path, "sha256"), (*path, "secret")})):
            unset = draft.unset.get((*path, "sha256"))
            yield path, "needs exactly one of sha256 and secret" + (f", but {unset}" if unset else "")


def _host(config: Config, _: Draft) -> Findings:
    host = config.server.host
    if host and not _HOST.fullmatch(host) and not _is_ip(host.strip("[]")):
        yield ("server", "host"), f"{host!r} is not a host name or address"


def _is_ip(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _shut(config: Config, draft: Draft) -> Findings:
    if not config.server.max_body:
        yield ("server", "max_body"), "would reject every request with a body"
    named = (as_tree(draft.tree.get("auth")) or {}).get("accept")
    if not config.auth.accept and not as_list(named):  # else what stands there is wrong already
        yield ("auth", "accept"), "lists no place for a key"


def _sample_keys(config: Config, _: Draft) -> Findings:
    if is_loopback(config.server.host):
        return
    message = f'is a published sample key, not allowed on server.host "{config.server.host}"'
    for index, key in enumerate(config.auth.keys):
        if key.reveal() in SAMPLE_KEYS:
            yield ("auth", "keys", index), message
    for index, named in enumerate(config.key):
        if named.secret.reveal() in SAMPLE_KEYS:
            yield ("key", index, "secret"), message
        if named.sha256 in SAMPLE_DIGESTS:
            yield ("key", index, "sha256"), message


def _shared_keys(config: Config, _: Draft) -> Findings:
    """Refuse a key with two tables: nobody could say whose limits hold."""
    owners: dict[str, int] = {}
    for index, key in enumerate(config.key):
        owner = owners.setdefault(key.digest, index)
        if key.digest and owner != index:
            field = "sha256" if key.sha256 else "secret"
            yield ("key", index, field), f'is also the key of "{config.key[owner].name}"; each needs its own'


def _store(config: Config, _: Draft) -> Findings:
    if not is_postgres(config.store.database.reveal()):
        form = "postgresql://user:password@host:5432/name"
        yield ("store", "database"), f"is not a URL of the form {form}; in a password, write @ as %40 and / as %2F"
    if not is_redis(config.store.redis.reveal()):
        yield ("store", "redis"), "is not a URL of the form redis://host:6379/0, rediss://… or unix://…"


def is_postgres(address: str) -> bool:
    """Whether this may lead to a PostgreSQL; of two @ the first would begin the host, which is told to everybody."""
    return _is_address(address, _POSTGRES) and address.partition("?")[0].count("@") <= 1


def is_redis(address: str) -> bool:
    """Whether this may lead to a Redis; its client takes a number that is none for 0, where others may count."""
    if not _is_address(address, _REDIS):
        return False
    return address.startswith("unix:") or _REDIS_NUMBER.fullmatch(urlsplit(address).path) is not None


def _is_address(address: str, begins: tuple[str, ...]) -> bool:
    try:
        return not address or (address.startswith(begins) and urlsplit(address).port != 0)
    except ValueError:  # a port that is no number
        return False


def _pipeline(config: Config, draft: Draft) -> Findings:
    known = {*names("gateway.middleware"), *(as_tree(draft.tree.get("middleware")) or {})}
    for index, name in enumerate(config.pipeline.order):
        if name not in known and not _CLASS.fullmatch(name):
            yield ("pipeline", "order", index), f'unknown middleware "{name}"{did_you_mean(name, known)}'


def _middleware(config: Config, _: Draft) -> Findings:
    for name, middleware in config.middleware.items():
        if name in PipelineConfig().order:
            yield ("middleware", name), "is a built-in middleware, configured by its own section"
        if not _CLASS.fullmatch(middleware.use):
            registered = middleware.use in names("gateway.middleware")
            meant = f'; write "{path_of("gateway.middleware", middleware.use)}"' if registered else ""
            yield ("middleware", name, "use"), f'"{middleware.use}" is not of the form "package.module:Class"{meant}'


def _upstreams(config: Config, draft: Draft) -> Findings:
    for name, raw in (as_tree(draft.tree.get("upstream")) or {}).items():
        if not _UPSTREAM_NAME.fullmatch(name):
            yield ("upstream", name), "an upstream's name may have letters, digits, - _ and . only"
        table, upstream = as_tree(raw) or {}, config.upstream.get(name)
        pooled = isinstance(upstream, GeminiConfig | OpenAIConfig | AzureConfig | AnthropicConfig)
        if pooled and "pool" in table and not _is_list(table.get("api_key")):
            yield ("upstream", name, "pool"), "needs an api_key that is a list"
        told = any(path[:3] == ("upstream", name, "api_key") for path in draft.told)
        if isinstance(upstream, AzureConfig) and not upstream.api_key and not told:
            yield ("upstream", name), "api_key is required"


def _headers(config: Config, _: Draft) -> Findings:
    for name, upstream in config.upstream.items():
        if isinstance(upstream, V1InternalConfig):
            for header in upstream.headers:
                if not _HEADER.fullmatch(header):
                    yield ("upstream", name, "headers", header), "is not a header name"


def _key_upstreams(config: Config, draft: Draft) -> Findings:
    names = {*(as_tree(draft.tree.get("upstream")) or {}), *config.upstream}
    for index, key in enumerate(config.key):
        for place, name in enumerate(key.upstreams):
            if name not in names:
                hint = did_you_mean(name, names)
                yield ("key", index, "upstreams", place), f'upstream "{name}" is not configured{hint}'


def _admin(config: Config, _: Draft) -> Findings:
    if ":" in config.admin.username:
        yield ("admin", "username"), "has a colon, which ends the name in HTTP basic authentication"


def _metrics(config: Config, _: Draft) -> Findings:
    first = config.metrics.path.split("/")[1]
    if not first or first in _TAKEN:
        yield ("metrics", "path"), f'"/{first}" is used for something else; choose another path, such as "/metrics"'


def _proxies(config: Config, _: Draft) -> Findings:
    for index, entry in enumerate(config.server.trusted_proxies):
        wrong = misspelt(entry)
        if wrong:
            yield ("server", "trusted_proxies", index), wrong


def _origins(config: Config, _: Draft) -> Findings:
    for index, origin in enumerate(config.cors.origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            message = 'is not an origin as browsers send it: "https://app.example" (lower case, no path, no usual port)'
            yield ("cors", "origins", index), f'"{origin}" {message}'


def _logins(config: Config, _: Draft) -> Findings:
    for name, upstream in config.upstream.items():
        if isinstance(upstream, OpenAIConfig) and upstream.api_key and "@" in urlsplit(upstream.base_url).netloc:
            message = "has a user in addition to api_key; Authorization can carry only one of them"
            yield ("upstream", name, "base_url"), message


def _cooldowns(config: Config, _: Draft) -> Findings:
    for name, upstream in config.upstream.items():
        if isinstance(upstream, DemoConfig | VertexConfig):
            continue
        cooldown = upstream.pool.cooldown
        if cooldown.min > cooldown.max:
            yield ("upstream", name, "pool", "cooldown"), "min is above max"


def _homes(config: Config, _: Draft) -> Findings:
    places: dict[KeyPath, str] = {
        ("server", "data_dir"): config.server.data_dir,
        ("record", "dir"): config.record.dir,
        ("log", "file"): config.log.file,
        ("log", "rotated"): config.log.rotated,
    }
    for name, upstream in config.upstream.items():
        if not isinstance(upstream, DemoConfig | VertexConfig):
            places["upstream", name, "pool", "import"] = upstream.pool.import_
    for path, place in places.items():
        try:
            Path(place).expanduser()
        except RuntimeError:
            yield path, f'"{place}" starts with a home folder that is unknown here; give the full path'


def _models(config: Config, draft: Draft) -> Findings:
    written = as_tree(draft.tree.get("upstream")) or {}
    return check_models(config, frozenset(written) | frozenset(config.upstream))


_RULES: Final[tuple[Callable[[Config, Draft], Findings], ...]] = (
    _host,
    _shut,
    _keys,
    _sample_keys,
    _shared_keys,
    _store,
    _pipeline,
    _middleware,
    _upstreams,
    _logins,
    _cooldowns,
    _headers,
    _homes,
    _key_upstreams,
    _admin,
    _metrics,
    _proxies,
    _origins,
    _models,
)


def _is_list(value: object) -> bool:
    return as_list(value) is not None or (isinstance(value, str) and value.lstrip().startswith("["))
