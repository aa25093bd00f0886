"""The models of an upstream: those that are configured, else those fetched last, else a shipped table."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.adapters.failures import Failure
from gateway.adapters.tokens import RefreshFailed
from gateway.clock import Clock
from gateway.store.credentials import StoredModels
from gateway.store.keeper import Keeper
from gateway.upstream import ModelInfo

__all__ = ["Catalogue", "Described", "ModelList", "as_listed"]

Described: TypeAlias = Callable[[ModelInfo], ModelInfo]  # fills in what a list leaves out, and the name tells

_FETCH_EVERY_S: Final = 3600.0
_FETCH_AGAIN_S: Final = 60.0


def as_listed(info: ModelInfo) -> ModelInfo:
    """Fill in nothing."""
    return info


class Catalogue(Struct, frozen=True):
    """Models by id, and the new ids of retired ones."""

    models: dict[str, ModelInfo]
    renamed: dict[str, str] = {}


_CATALOGUE: Final = msgspec.json.Decoder(Catalogue)


class ModelList:
    """One upstream's models; `models` changes with every list that is fetched."""

    def __init__(
        self,
        upstream: str,
        *,
        configured: Sequence[str],
        shipped: Mapping[str, ModelInfo],
        described: Described,
        fetched: StoredModels | None,
        keeper: Keeper,
        clock: Clock,
        logger: FilteringBoundLogger,
    ) -> None:
        self._upstream = upstream
        self._configured = configured
        self._shipped = shipped
        self._described = described
        self._keeper = keeper
        self._clock = clock
        self._logger = logger
        self._asked = asyncio.Event()
        self._trouble = ""
        self._was_fetched = fetched is not None
        self.models: Mapping[str, ModelInfo] = {}
        self.renamed: Mapping[str, str] = {}
        self._take(_stored(fetched) or Catalogue(dict(shipped)))

    @property
    def is_new(self) -> bool:
        """Whether no list was ever fetched, and the first question has had no answer yet."""
        return not (self._was_fetched or self._asked.is_set())

    def info(self, model: str) -> ModelInfo:
        """Give what is known of a model, also of one that is not listed."""
        return self.models.get(model) or self._described(self._shipped.get(model) or ModelInfo(id=model))

    def current(self, model: str) -> str:
        """Give the id that a retired model has now; that of any other is itself."""
        return model if model in self.models else self.renamed.get(model, model)

    async def keep(self, fetch: Callable[[], Awaitable[Catalogue | None]]) -> None:
        """Fetch the list for ever; None or an error: again soon, then less and less often."""
        pause_s = _FETCH_AGAIN_S
        while True:
            fetched = await self._fetch(fetch)
            self._asked.set()
            await self._clock.sleep(_FETCH_EVERY_S if fetched else pause_s)
            pause_s = _FETCH_AGAIN_S if fetched else min(2 * pause_s, _FETCH_EVERY_S)

    async def asked(self) -> str:
        """Wait until `keep` has asked once; say why that gave no list, "" when it did."""
        await self._asked.wait()
        return self._trouble

    async def _fetch(self, fetch: Callable[[], Awaitable[Catalogue | None]]) -> bool:
        try:
            catalogue = await fetch()
        except (Failure, RefreshFailed, ValueError) as error:
            self._trouble = str(error)
            self._logger.info("no model list", upstream=self._upstream, reason=self._trouble)
            return False
        if catalogue is None:
            self._trouble = "no usable credential"
            return False
        await self.renew(catalogue)
        return True

    async def renew(self, catalogue: Catalogue) -> None:
        """Take a new list, and keep it over a restart."""
        self._trouble = ""
        self._take(catalogue)
        await self._keeper.save_models(StoredModels(msgspec.json.encode(catalogue).decode(), self._clock.time()))

    def _take(self, catalogue: Catalogue) -> None:
        self.renamed = catalogue.renamed
        listed = catalogue.models
        names = self._configured or listed
        self.models = {
            name: self._described(listed.get(name) or self._shipped.get(name) or ModelInfo(id=name)) for name in names
        }


def _stored(fetched: StoredModels | None) -> Catalogue | None:
    if fetched is None:
        return None
    try:
        return _CATALOGUE.decode(fetched.json)
    except ValueError:
        return None
