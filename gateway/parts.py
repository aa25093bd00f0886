"""Make the parts of a gateway that go on when the configuration changes, unless they would be made otherwise."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from structlog.typing import FilteringBoundLogger
from typing_extensions import get_protocol_members

from gateway import __version__
from gateway.clock import Clock
from gateway.config import Config, ConfigError, Loaded, OtherConfig, Problem
from gateway.config.problems import class_of, one_line
from gateway.limiter import Limiter
from gateway.registry import import_path, path_of
from gateway.registry import load as load_plugin
from gateway.signatures import CALLS, PICTURES, TTL_S
from gateway.store.sole import Sole
from gateway.store.tally import Tally, processes
from gateway.together import Shared
from gateway.upstream import Adapter, ModelInfo

if TYPE_CHECKING:
    from gateway.store.signatures import SharedSignatures
    from gateway.telemetry import Telemetry

__all__ = [
    "adapters_of",
    "apart",
    "books",
    "counts_in_redis",
    "is_one_of",
    "limiter_of",
    "shared_of",
    "tally_of",
    "telemetry_of",
    "unchanged",
]

_Make = Callable[[str, Loaded, Clock], Adapter]
_SHARED: Final = "gateway.store.signatures:SharedSignatures"
_SHARED_LIMITS: Final = "gateway.store.shared_limits:SharedLimits"
_TELEMETRY: Final = "gateway.telemetry:Telemetry"

# sections that upstreams do not read; [upstream] is compared by its own tables
_OF_CALLERS: Final = frozenset(
    {
        "pipeline",
        "middleware",
        "auth",
        "key",
        "limits",
        "models",
        "thinking",
        "defaults",
        "upstream",
        "responses",
        "usage",
        "admin",
        "metrics",
        "cors",
        "record",
    }
)


def adapters_of(loaded: Loaded, clock: Clock, running: Mapping[str, Adapter] = {}) -> dict[str, Adapter]:
    """Make every upstream but those that run; raise ConfigError for all that they cannot work with."""
    made: dict[str, Adapter] = {}
    problems: list[Problem] = []
    for name, upstream in loaded.config.upstream.items():
        if name in running:
            made[name] = running[name]
            continue
        make = cast(_Make, load_plugin("gateway.adapters", upstream.type))  # no entry point is typed
        try:
            if isinstance(upstream, OtherConfig):
                made[name] = _other(make, upstream, name, loaded, clock)
            else:
                made[name] = make(name, loaded, clock)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(dict.fromkeys(problems))  # the store may be in the way of each
    return made


def _other(make: _Make, table: OtherConfig, name: str, loaded: Loaded, clock: Clock) -> Adapter:
    """Make an upstream of another distribution; raise ConfigError for one that is no adapter."""
    place, where = ("upstream", name, "type"), path_of("gateway.adapters", table.type)
    try:
        made = make(name, loaded, clock)
        fault = _fault(made)
        if table.models and not fault:
            _list(made, table.models)
    except ConfigError:
        raise
    except Exception as error:  # whatever a class of somebody else's does when it is made
        raise ConfigError([loaded.problem(place, f'"{where}" cannot be made: {one_line(error)}')]) from error
    if fault:
        raise ConfigError([loaded.problem(place, f'"{where}" {fault}')])
    return made


def _fault(made: Adapter) -> str:
    """Say why this is no adapter, "" = it is one."""
    missing = [each for each in sorted(get_protocol_members(Adapter)) if not hasattr(made, each)]
    if missing:
        return f"made {class_of(made)}, which has no {', '.join(missing)}"
    models = cast(object, made.models())  # of somebody else's, who may not be typed
    return "" if isinstance(models, Mapping) else f"lists its models as {class_of(models)}, not as a mapping"


def _list(adapter: Adapter, names: Sequence[str]) -> None:
    """Let the adapter of another distribution list the configured models, described as far as it knows them."""
    own = adapter.models

    def models() -> dict[str, ModelInfo]:
        known = own()
        return {name: known.get(name) or ModelInfo(id=name) for name in names}

    adapter.models = models  # type: ignore[method-assign]  # so it stays all else that it is


def unchanged(adapters: Mapping[str, Adapter], loaded: Loaded, before: Loaded) -> dict[str, Adapter]:
    """Give those that would be made as they are: an upstream may look at all but what is the callers' side."""
    new, old = loaded.config, before.config
    sections = [section for section in new.__struct_fields__ if section not in _OF_CALLERS]
    around = (loaded.folder, loaded.dotenv) == (before.folder, before.dotenv)
    if not around or any(getattr(new, section) != getattr(old, section) for section in sections):
        return {}
    return {name: one for name, one in adapters.items() if new.upstream.get(name) == old.upstream[name]}


def shared_of(loaded: Loaded, clock: Clock, logger: FilteringBoundLogger) -> "SharedSignatures | None":
    """Make what all workers and hosts remember of signatures, where store.redis is set."""
    store = loaded.config.store
    url = store.redis.reveal()
    if not url or loaded.config.translate.signatures == "off":
        return None
    make = cast("type[SharedSignatures]", import_path(_SHARED))  # what is loaded by path is not typed
    keys = [key.reveal() for key in store.encryption_key]
    return make(url, keys, clock, logger, calls=CALLS, pictures=PICTURES, ttl_s=TTL_S)


def telemetry_of(config: Config, clock: Clock, logger: FilteringBoundLogger) -> "Telemetry | None":
    """Make what sends spans and metrics, where metrics.otlp is set."""
    if not config.metrics.otlp:
        return None
    make = cast("type[Telemetry]", import_path(_TELEMETRY))  # what is loaded by path is not typed
    return make(config.metrics.otlp, clock, logger)


def limiter_of(loaded: Loaded, clock: Clock, logger: FilteringBoundLogger, tally: Tally) -> Limiter:
    """Make what counts for limits: with all processes where store.redis is set, else as the only one of data_dir."""
    config = loaded.config
    url, folder = config.store.redis.reveal(), loaded.resolve(config.server.data_dir)
    if not counts_in_redis(config):
        return Limiter(clock, sole=Sole(folder), logger=logger, tally=tally)
    make = cast("Callable[[str], Shared]", import_path(_SHARED_LIMITS))  # what is loaded by path is not typed
    return Limiter(clock, shared=make(url), logger=logger, tally=tally)


def counts_in_redis(config: Config) -> bool:
    """Tell whether all processes count limits together."""
    return bool(config.store.redis) and "rate_limit" in config.pipeline.order


def books(config: Config) -> tuple[object, ...]:
    """Give what makes one ledger differ from another."""
    return config.usage, "usage" in config.pipeline.order


def tally_of(loaded: Loaded) -> Tally:
    """Make what is counted for the metrics."""
    return Tally(_metrics(loaded), _group(loaded))


def apart(loaded: Loaded) -> int:
    """Tell how many processes run, as their metrics tell, that would have to count limits together and cannot."""
    config = loaded.config
    if config.store.redis or "rate_limit" not in config.pipeline.order:
        return 0
    found = processes(_metrics(loaded))
    return found if found > 1 else 0


def _metrics(loaded: Loaded) -> Path:
    return loaded.resolve(loaded.config.server.data_dir) / "metrics"


def _group(loaded: Loaded) -> str:
    """Name what counts together: the processes of one version and configuration, whatever is edited in its file."""
    server = loaded.config.server
    what = f"{loaded.file} {server.host} {server.port}" if loaded.file else repr(loaded.config)
    return sha256(f"{__version__} {what}".encode(errors="surrogateescape")).hexdigest()[:16]


def is_one_of(part: object, parts: Sequence[object]) -> bool:
    """Tell whether this very part is among them."""
    return any(part is one for one in parts)
