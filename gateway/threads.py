"""Conversations that the gateway keeps, so that a caller need not send again what was said before.

POST with previous_response_id   resume: what was said before is put in front of the request
the answer is complete           keep: it is written before its last bytes go out, so that a GET at once finds it
GET, DELETE, GET …/input_items   read, delete, items

The store is loaded with the first response that is written or, where there may be one, asked for. It works in worker
threads. That it fails breaks no answer: the response is not kept.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway import ir
from gateway.clock import Clock
from gateway.config import Loaded
from gateway.context import RequestContext
from gateway.dialects import Dialect, Threaded
from gateway.dialects.openai_responses.answer import ITEM_ID
from gateway.dialects.raw import FIELDS, RAWS, read
from gateway.errors import (
    ContextTooLong,
    InvalidRequest,
    NotFound,
    PreviousNotFound,
    StoreUnavailable,
    UpstreamMalformed,
)
from gateway.input_items import item_of, write_items
from gateway.lending import in_thread
from gateway.policy import takes
from gateway.registry import import_path
from gateway.store import FILE
from gateway.store.folder import is_there
from gateway.store.lane import Lanes
from gateway.store.stored import ChainBroken, ChainTooLong, KeyProblem, StoredResponse, StoreFailed, reason_of
from gateway.store.tally import Count, uncounted

if TYPE_CHECKING:
    from gateway.store.responses import ResponseStore

__all__ = ["Threads", "is_background", "is_making"]

_T = TypeVar("_T")
_Query = Mapping[str, Sequence[str]]

_STORE: Final = "gateway.store.responses:ResponseStore"
_KEPT: Final = ("completed", "incomplete")
_MAKING: Final = ("queued", "in_progress")
_NOWHERE: Final = "background responses must be stored, and [responses] stores nothing here; ask for a stream"
_LATER_S: Final = 1.0  # the first requests are in more of a hurry
_MAX_DEPTH: Final = 1000  # responses that go on from each other
_SEARCHED: Final = 256  # responses, for items of an upstream's own
_AT_ONCE: Final = 2  # questions to the store
_PATIENCE_S: Final = 10.0  # then the caller gets the end of the answer, kept or not
_PREVIOUS: Final = "previous_response_id"
_SEALED: Final = "reasoning.encrypted_content"  # a value of `include`
_SEAL: Final = "encrypted_content"
_LARGE: Final = "a response was not stored: it is larger than responses.max, or another caller's has the same ID"
_NOT_KEPT: Final = "no item with this ID is stored here for this API key; send the item itself, or previous_response_id"


class _Named(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None


class _Answer(Struct):
    id: str
    status: str = ""
    output: list[Raw] = []
    background: bool | None = None
    store: object = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_NAMED: Final = msgspec.json.Decoder(_Named)


def _keeper(kept: StoredResponse) -> str:
    """Name the upstream that keeps a response, too: Ollama says that it does not, and passes over what goes on."""
    return "" if _ANSWER.decode(kept.response).store is False else kept.upstream


class _Waiting(NamedTuple):
    """A response that waits to be written, `anew`: in the place of what it was before."""

    response: StoredResponse
    anew: bool
    written: asyncio.Future[None]


class Threads:
    """The kept responses of one app; a caller sees its own only."""

    def __init__(self, loaded: Loaded, clock: Clock, logger: FilteringBoundLogger) -> None:
        self._config = loaded.config
        self._file = loaded.resolve(loaded.config.server.data_dir) / FILE
        self._url = loaded.config.store.database.reveal()
        self._clock = clock
        self._logger = logger
        self._enabled = bool(self._config.responses.keep_days and self._config.responses.max)
        self._opening: asyncio.Task[ResponseStore] | None = None
        self._lanes = Lanes(_AT_ONCE, _PATIENCE_S)
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._given_up: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failing = False
        self.count: Count = uncounted

    async def start(self) -> None:
        """Drop what is there when nothing is to be kept any more, or bring it under the newest key."""
        if not self._is_there:
            return
        if not self._enabled:
            await self._look()
        elif self._config.store.encryption_key:
            self._renewing = asyncio.get_running_loop().create_task(self._look(_LATER_S))

    async def _look(self, wait_s: float = 0.0) -> None:
        """Open the store, which brings it in line with what is configured."""
        await self._clock.sleep(wait_s)
        try:
            await self._opened()
        except (StoreFailed, KeyProblem) as error:
            self._tell(error)

    async def stop(self) -> None:
        """Close the file."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait((self._renewing,))
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=_PATIENCE_S)
        opening, self._opening = self._opening, None
        if opening is None:
            return
        (store,) = await asyncio.gather(opening, return_exceptions=True)
        if not isinstance(store, BaseException):
            await asyncio.to_thread(store.close)

    # before and after an answer

    async def resume(self, context: RequestContext, dialect: Dialect) -> None:
        """Put what was said before in front of the request; raise PreviousNotFound when it is not there."""
        request = context.request
        if request is None or request.thread is None:
            return
        thread, unchanged = request.thread, request is context.own
        if thread.background and thread.store and not self._enabled:
            raise InvalidRequest(f"background: {_NOWHERE}", param="background")
        if thread.references:
            assert isinstance(dialect, Threaded), "a dialect that sets Request.thread can resume one"
            counting = context.route.operation == "count_tokens"  # which always answers
            with suppress(InvalidRequest) if counting else nullcontext():
                request = await self._filled(context, dialect, request, thread)
            thread = request.thread or thread
        if thread.store and not self._enabled:  # so that the answer says so
            request = replace(request, thread=replace(thread, store=False))
        if thread.previous is not None:
            assert isinstance(dialect, Threaded), "a dialect that sets Request.thread can resume one"
            request = await self._resumed(context.principal.id, dialect, request, thread)
        context.request = request
        context.own = request if unchanged else context.own

    async def _filled(
        self, context: RequestContext, dialect: Threaded, request: ir.Request, thread: ir.Thread
    ) -> ir.Request:
        """Put kept items into the places where they are only named; an upstream of the dialect may know the others."""
        who, native = context.principal.id, request.native
        paths = iter(thread.references)
        items = list(thread.items)
        unknown: dict[int, tuple[str, str]] = {}  # by the place in items: its path, and the id that stands there
        for place, item in enumerate(thread.items):
            name = _named(item)
            if name.type not in (None, "item_reference") or name.role is not None:
                continue
            path, id_ = next(paths), name.id or ""
            found = await self._item(who, id_)
            if found is None:
                unknown[place] = path, id_
            else:
                items[place] = found
        if unknown and (native is None or not all(takes(self._config, one, native) for one in context.targets)):
            passed = await self._passed(who, {id_ for _, id_ in unknown.values()})
            for place, (_, id_) in tuple(unknown.items()):
                if id_ in passed:
                    items[place] = passed[id_]
                    del unknown[place]
        filled = len(unknown) < len(thread.references)
        thread = replace(thread, items=tuple(items), references=(), filled=filled)
        request = _read(dialect, replace(request, thread=thread), ())
        for path, _ in unknown.values():
            request = _refused(request, InvalidRequest(f"{path}: {_NOT_KEPT}", param=path))
        return request

    async def _item(self, who: str, id_: str) -> Raw | None:
        """Find an item that was said in a response of this gateway, or that one was asked with."""
        match = ITEM_ID.fullmatch(id_)
        if match is None:
            return None
        kept = await self._ask(lambda store, now: store.load(who, f"resp_{match[1]}", now))
        if kept is None:
            return None
        for item in _ANSWER.decode(kept.response).output:
            if _named(item).id == id_:
                return item
        return item_of(kept.id, kept.items, id_)

    async def _passed(self, who: str, ids: set[str]) -> dict[str, Raw]:
        """Find items that an upstream has made, under ids of its own, in the newest of what passed."""
        found: dict[str, Raw] = {}

        def is_enough(response: bytes) -> bool:
            for item in _ANSWER.decode(response).output:
                id_ = _named(item).id
                if id_ is not None and id_ in ids:
                    found.setdefault(id_, item)
            return len(found) == len(ids)

        await self._ask(lambda store, now: store.search(who, now, most=_SEARCHED, is_enough=is_enough))
        return found

    async def _resumed(self, who: str, dialect: Threaded, request: ir.Request, thread: ir.Thread) -> ir.Request:
        """Find what was said before; what is not here may be known to an upstream that speaks the dialect."""
        assert thread.previous is not None
        previous, native = thread.previous, request.native
        kept = await self._ask(lambda store, now: store.load(who, previous, now))
        thread = replace(thread, kept_at="" if kept is None else _keeper(kept))
        refusal: InvalidRequest
        try:
            said = await self._said(who, previous)
        except ChainBroken as broken:
            refusal, known = _gone(previous, broken.missing), broken.known
        except (PreviousNotFound, ContextTooLong) as error:
            refusal, known = error, False
        else:
            request = replace(request, thread=replace(thread, before=tuple(said)))
            return request if native is not None and native.refusal is not None else _read(dialect, request, said)
        if native is None or known or (kept is not None and not kept.upstream):
            raise refusal
        return _refused(replace(request, thread=thread), refusal)

    async def keep(self, context: RequestContext, response: bytes, *, begun: bool) -> bool:
        """Keep a complete answer, and tell whether it is for this request to count what it took.

        What goes wrong is only told to the operator. `begun`: it was kept when it began, so others may have read its
        end, which they have counted, or deleted it.
        """
        assert context.request is not None
        assert context.request.thread is not None
        thread = context.request.thread
        if not thread.store:
            return True
        try:
            answer = _ANSWER.decode(response)
        except (msgspec.DecodeError, RecursionError) as error:  # it passes as it is, whatever the upstream made
            self._logger.warning("a response that cannot be read was not stored", reason=str(error))
            return True
        if answer.status not in (*_KEPT, *(_MAKING if answer.background else ())):
            return True
        if begun:
            return await self._end(context.principal.id, answer.id, response)
        one = StoredResponse(
            id=answer.id,
            principal=context.principal.id,
            items=msgspec.json.encode(thread.items),
            response=response,
            created_at=self._clock.time(),
            previous=thread.previous,
            upstream=context.upstream.partition("/")[0] if context.passed else "",
        )
        await self._save(one, anew=bool(answer.background))
        return True

    async def _end(self, who: str, id_: str, response: bytes) -> bool:
        """Keep the end of one that was kept when it began; tell whether nobody else has counted it."""
        try:
            kept = await self._ask(lambda store, now: store.load(who, id_, now))
            if kept is None:  # deleted, and so it stays
                return True
            return is_making(kept) and await self._settled(kept, response)
        except StoreUnavailable:  # it is told
            return True

    async def settle(self, kept: StoredResponse, response: bytes) -> bool:
        """Keep how an answer that was made in the background has ended; tell whether nobody had, and it is kept now.

        Of several who read its end at once, in any process, one is told so. Raises UpstreamMalformed for one of no use.
        """
        try:
            _ANSWER.decode(response)
        except (msgspec.DecodeError, RecursionError):
            raise UpstreamMalformed("what the upstream sent is not a response object") from None
        try:
            return await self._settled(kept, response)
        except StoreUnavailable:  # it is told; who asks next may have more luck
            return False

    async def _settled(self, kept: StoredResponse, response: bytes) -> bool:
        """Keep it, and tell whether nobody had; raise StoreUnavailable."""
        settled = await self._ask(lambda store, now: store.settle(kept, response, now))
        if settled is False:
            self._logger.warning(_LARGE, id=kept.id)
        return settled is not None

    async def _save(self, one: StoredResponse, *, anew: bool) -> None:
        """Have a response written; `anew`: in the place of what it was before."""
        if self._given_up is not None and not self._given_up.done():  # silent still: nobody waits as long again
            return
        loop = asyncio.get_running_loop()
        waiting = _Waiting(one, anew, loop.create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write())
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await waiting.written
        except TimeoutError as error:
            self._given_up = self._writing
            self._tell(error)

    async def _write(self) -> None:
        """Write what waits, in one transaction, until nothing does: it takes longer than one more response in it."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                if not await self._write_all(batch):
                    for one in batch:  # one of them may be what fails
                        await self._write_all([one])
                        _release([one])
            finally:
                _release(batch)

    async def _write_all(self, batch: list[_Waiting]) -> bool:
        """Write those for whom somebody waits still; False when each of them has to be tried alone."""
        batch = [one for one in batch if not one.written.done()]
        if not batch:
            return True
        anew = {one.response.id for one in batch if one.anew}
        try:
            store = await self._opened()
            kept = await in_thread(store.save_all, [one.response for one in batch], anew)
        except (StoreFailed, KeyProblem) as error:
            if len(batch) > 1:
                return False
            self._tell(error)
            return True
        self._failing = False
        for one, is_kept in zip(batch, kept, strict=True):
            if not is_kept:
                self._logger.warning(_LARGE, id=one.response.id)
        return True

    # what callers ask

    async def find(self, context: RequestContext) -> StoredResponse:
        """Give the caller's response that the path names; raise NotFound."""
        who, id_ = context.principal.id, context.route.model
        found = await self._ask(lambda store, now: store.load(who, id_, now))
        if found is None:
            raise _unknown(id_)
        return found

    async def read(self, context: RequestContext, query: _Query) -> bytes:
        """Give a response as it was; what seals its thoughts only to one who asks for that."""
        if query.get("stream", ("",))[-1].lower() in ("true", "1"):
            raise InvalidRequest("stream: only the complete response is stored; ask without stream", param="stream")
        response = (await self.find(context)).response
        included = (*query.get("include", ()), *query.get("include[]", ()))
        return response if _SEALED in included else _unsealed(response)

    async def items(self, context: RequestContext, query: _Query) -> bytes:
        """Give a page of what a response was asked with."""
        found = await self.find(context)
        return write_items(found.id, found.items, query)

    async def delete(self, context: RequestContext, query: _Query) -> bytes:
        """Forget a response; what goes on from it cannot be gone on from any more."""
        who, id_ = context.principal.id, context.route.model
        if not await self._ask(lambda store, now: store.delete(who, id_, now)):
            raise _unknown(id_)
        return msgspec.json.encode({"id": id_, "object": "response", "deleted": True})

    async def _said(self, who: str, previous: str) -> list[Raw]:
        bound = self._config.server.max_body  # what could have been sent in one request

        def said(store: "ResponseStore", now: float) -> list[Raw]:
            chain = store.chain(who, previous, now, depth=_MAX_DEPTH, max_bytes=bound)
            answers = [(one, _ANSWER.decode(one.response)) for one in chain]
            for _, answer in answers:
                if answer.status not in _KEPT:
                    raise _unfinished(answer)
            return [item for one, answer in answers for item in (*RAWS.decode(one.items), *answer.output)]

        try:
            found = await self._ask(said)
        except ChainTooLong:
            raise ContextTooLong(
                f"{_PREVIOUS}: this conversation has more than {_MAX_DEPTH} responses or {bound} bytes; "
                "start another one",
                param=_PREVIOUS,
            ) from None
        if found is None:
            raise ChainBroken(previous)
        return found

    # the store

    @property
    def _is_there(self) -> bool:
        """Whether something may be kept: other hosts may have written to a database."""
        return bool(self._url) or is_there(self._file)

    async def _ask(self, what: "Callable[[ResponseStore, float], _T]") -> _T | None:
        """Ask the store, if there is anything in it."""
        if not self._enabled or (self._opening is None and not self._is_there):
            return None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                store = await self._opened()
            return await self._lanes.ask(partial(what, store, self._clock.time()))
        except (StoreFailed, KeyProblem, TimeoutError) as error:
            self._tell(error)
            raise StoreUnavailable("the stored responses cannot be read; the gateway's log says why") from None

    async def _opened(self) -> "ResponseStore":
        """Open the store, once for all who wait; whoever leaves does not stop it."""
        opening = self._opening
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = self._opening = asyncio.get_running_loop().create_task(in_thread(self._open))
        return await asyncio.shield(opening)

    def _open(self) -> "ResponseStore":
        make = cast("type[ResponseStore]", import_path(_STORE))  # what is loaded by path is not typed
        bounds = self._config.responses
        keys = [key.reveal() for key in self._config.store.encryption_key]
        store = make(self._file, keys, url=self._url, keep_days=bounds.keep_days, max_bytes=bounds.max)
        store.open(self._clock.time())
        return store

    def _tell(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            self.count("store_failures", "responses")
            reason = reason_of(error) or "it takes too long"
            self._logger.warning("the response store fails; responses are not stored", reason=reason)


def _read(dialect: Threaded, request: ir.Request, said: Sequence[Raw]) -> ir.Request:
    """Read a conversation; what only an upstream of the dialect can read is left to it."""
    try:
        return dialect.resume(request, said)
    except InvalidRequest as error:
        return _refused(request, error)


def _refused(request: ir.Request, error: InvalidRequest) -> ir.Request:
    """Note why a request cannot be translated; raise it where nobody could take the caller's own words."""
    native = request.native
    if native is None:
        raise error
    return replace(request, native=replace(native, refusal=native.refusal or error))


def _release(batch: Sequence[_Waiting]) -> None:
    """Let those go who wait."""
    for one in batch:
        if not one.written.done():
            one.written.set_result(None)


def _unsealed(response: bytes) -> bytes:
    """Leave out what seals the thoughts."""
    if _SEAL.encode() not in response:
        return response
    fields = FIELDS.decode(response)
    if "output" not in fields:
        return response
    return msgspec.json.encode({**fields, "output": [*map(_unsealed_item, RAWS.decode(fields["output"]))]})


def _unsealed_item(item: Raw) -> object:
    fields = read(item, FIELDS)
    return item if fields is None else {name: value for name, value in fields.items() if name != _SEAL}


def _named(item: Raw) -> _Named:
    """Read what an item says of itself; one of another form, as an upstream may take and give, says nothing."""
    return read(item, _NAMED) or _Named(type="")


def _unknown(id_: str) -> NotFound:
    return NotFound(f"no response {id_[:100]!r} is stored here for this API key")


def is_making(one: StoredResponse) -> bool:
    """Tell whether its upstream still works on it, as far as is known here."""
    return _ANSWER.decode(one.response).status in _MAKING


def is_background(one: StoredResponse) -> bool:
    """Tell whether it was made in the background."""
    return bool(_ANSWER.decode(one.response).background)


def _unfinished(answer: _Answer) -> PreviousNotFound:
    why = f"{answer.id[:100]!r} is {answer.status}, and only a completed response can be continued"
    return PreviousNotFound(f"{_PREVIOUS}: {why}", param=_PREVIOUS)


def _gone(previous: str, missing: str) -> PreviousNotFound:
    why = f"no response {previous[:100]!r} is stored here for this API key"
    if missing != previous:
        why = f"{previous[:100]!r} continues {missing[:100]!r}, which is no longer stored"
    return PreviousNotFound(f"{_PREVIOUS}: {why}; send the whole conversation as input", param=_PREVIOUS)
