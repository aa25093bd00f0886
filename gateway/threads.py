"""Conversations that the gateway keeps, so that a caller need not send again what was said before.

POST with previous_response_id   resume: what was said before is put in front of the request
the answer is complete           keep: it is written before its last bytes go out, so that a GET at once finds it
GET, DELETE, GET …/input_items   read, delete, items
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway import ir
from gateway.archive import Archive
from gateway.clock import Clock
from gateway.config import Config
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
from gateway.ir.estimate import estimate
from gateway.lending import apart, is_long
from gateway.policy import takes
from gateway.store.stored import ChainBroken, ChainTooLong, StoredResponse

if TYPE_CHECKING:
    from gateway.store.responses import ResponseStore

__all__ = ["Threads", "is_background", "is_making"]

_Query = Mapping[str, Sequence[str]]

_KEPT: Final = ("completed", "incomplete")
_MAKING: Final = ("queued", "in_progress")
_NOWHERE: Final = "background responses must be stored, and [responses] stores nothing here; ask for a stream"
_MAX_DEPTH: Final = 1000  # responses that go on from each other
_SEARCHED: Final = 256  # responses, for items of an upstream's own
_PREVIOUS: Final = "previous_response_id"
_SEALED: Final = "reasoning.encrypted_content"  # a value of `include`
_SEAL: Final = "encrypted_content"
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


class Threads:
    """The kept responses of one app; a caller sees its own only."""

    def __init__(self, config: Config, clock: Clock, logger: FilteringBoundLogger, archive: Archive) -> None:
        self._config = config
        self._clock = clock
        self._logger = logger
        self._archive = archive

    # before and after an answer

    async def resume(self, context: RequestContext, dialect: Dialect) -> None:
        """Put what was said before in front of the request; raise PreviousNotFound when it is not there."""
        request = context.request
        if request is None or request.thread is None:
            return
        thread, unchanged = request.thread, request is context.own
        if thread.background and thread.store and not self._archive.enabled:
            raise InvalidRequest(f"background: {_NOWHERE}", param="background")
        if thread.references:
            assert isinstance(dialect, Threaded), "a dialect that sets Request.thread can resume one"
            counting = context.route.operation == "count_tokens"  # which always answers
            with suppress(InvalidRequest) if counting else nullcontext():
                request = await self._filled(context, dialect, request, thread)
            thread = request.thread or thread
        if thread.store and not self._archive.enabled:  # so that the answer says so
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
        request = await _read(dialect, replace(request, thread=thread), ())
        for path, _ in unknown.values():
            request = _refused(request, InvalidRequest(f"{path}: {_NOT_KEPT}", param=path))
        return request

    async def _item(self, who: str, id_: str) -> Raw | None:
        """Find an item that was said in a response of this gateway, or that one was asked with."""
        match = ITEM_ID.fullmatch(id_)
        if match is None:
            return None
        kept = await self._archive.ask(lambda store, now: store.load(who, f"resp_{match[1]}", now))
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

        await self._archive.ask(lambda store, now: store.search(who, now, most=_SEARCHED, is_enough=is_enough))
        return found

    async def _resumed(self, who: str, dialect: Threaded, request: ir.Request, thread: ir.Thread) -> ir.Request:
        """Find what was said before; what is not here may be known to an upstream that speaks the dialect."""
        assert thread.previous is not None
        previous, native = thread.previous, request.native
        kept = await self._archive.ask(lambda store, now: store.load(who, previous, now))
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
            return request if native is not None and native.refusal is not None else await _read(dialect, request, said)
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
        await self._archive.save(one, anew=bool(answer.background))
        return True

    async def _end(self, who: str, id_: str, response: bytes) -> bool:
        """Keep the end of one that was kept when it began; tell whether nobody else has counted it."""
        try:
            kept = await self._archive.ask(lambda store, now: store.load(who, id_, now))
            if kept is None:  # deleted, and so it stays
                return True
            return is_making(kept) and await self._archive.settle(kept, response)
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
            return await self._archive.settle(kept, response)
        except StoreUnavailable:  # it is told; who asks next may have more luck
            return False

    # what callers ask

    async def find(self, context: RequestContext) -> StoredResponse:
        """Give the caller's response that the path names; raise NotFound."""
        who, id_ = context.principal.id, context.route.model
        found = await self._archive.ask(lambda store, now: store.load(who, id_, now))
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
        if not await self._archive.ask(lambda store, now: store.delete(who, id_, now)):
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
            found = await self._archive.ask(said)
        except ChainTooLong:
            raise ContextTooLong(
                f"{_PREVIOUS}: this conversation has more than {_MAX_DEPTH} responses or {bound} bytes; "
                "start another one",
                param=_PREVIOUS,
            ) from None
        if found is None:
            raise ChainBroken(previous)
        return found


async def _read(dialect: Threaded, request: ir.Request, said: Sequence[Raw]) -> ir.Request:
    """Read a conversation; what only an upstream of the dialect can read is left to it."""
    try:
        if request.counted or is_long(*said):
            return await apart(True, _counted, dialect, request, said)
        return dialect.resume(request, said)
    except InvalidRequest as error:
        return _refused(request, error)


def _counted(dialect: Threaded, request: ir.Request, said: Sequence[Raw]) -> ir.Request:
    read = dialect.resume(request, said)
    return replace(read, counted=estimate(replace(read, counted=0)))


def _refused(request: ir.Request, error: InvalidRequest) -> ir.Request:
    """Note why a request cannot be translated; raise it where nobody could take the caller's own words."""
    native = request.native
    if native is None:
        raise error
    return replace(request, native=replace(native, refusal=native.refusal or error))


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
