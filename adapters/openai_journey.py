"""One request's way through OpenAI, or a server that speaks its API: a key, and one of two addresses."""

from typing import Final

from msgspec import field
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.amendments import Write
from gateway.adapters.answer import UpstreamAnswer
from gateway.adapters.credential import Credential
from gateway.adapters.failures import Failure, ReadFailure, Rule
from gateway.adapters.journey import Backend, PoolJourney
from gateway.adapters.latest import Latest
from gateway.adapters.levels import efforts_of
from gateway.adapters.openai_apis import API, APIS, RESPONSES
from gateway.adapters.openai_errors import is_error, longest, without_key
from gateway.adapters.openai_server import Server
from gateway.dialects.outbound import OpenAIWritten
from gateway.upstream import Answer, Call, Step

__all__ = ["OpenAIBackend", "OpenAIJourney"]

_VERBOSITIES: Final = ("low", "medium", "high")


class OpenAIBackend(Backend[Credential], kw_only=True):
    """What all journeys of one upstream share.

    `read_made`: what the refusals of embeddings and pictures mean. `longest`: the tokens of an answer, and `efforts`:
    how much a model can be told to think, as refusals have named them.
    """

    read_made: ReadFailure
    api: API
    server: Server
    longest: dict[str, int] = field(default_factory=Latest[str, int])
    efforts: dict[str, tuple[str, ...]] = field(default_factory=Latest[str, tuple[str, ...]])


class OpenAIJourney(PoolJourney[Credential, OpenAIWritten]):
    """The calls of one request."""

    def __init__(self, call: Call, write: Write[OpenAIWritten], backend: OpenAIBackend) -> None:
        draft = backend.draft(call, write)
        super().__init__(call, draft, backend)
        self._backend = backend
        self._api = backend.api
        self._salt = call.request_id
        self._own = call.headers
        self._streams = bool(call.request.stream) if draft.written.native is not None else None
        self._follow()

    def _follow(self) -> None:
        """Go where the body is for; a caller's own words do not pass once they are translated."""
        written = self._draft.written
        if written.responses:
            self._api = APIS[RESPONSES]
        if written.native is None and self.request.native is not None:
            self.request = replace(self.request, native=None)
            self._streams = None

    def _url(self) -> str:
        backend = self._backend
        return backend.server.address(backend.bases[self._base], self._api.path, self._model)

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, **self._own, **self._backend.server.shown(secret)}

    def _anew(self, failure: Failure, rule: Rule) -> Step | None:
        """Take what a refusal names before the body is written anew; ask other keys for what they keep."""
        if failure.cause == "kept" and self._has_other(failure, rule):
            return None
        most = longest(failure.error.message) if failure.cause == "limit" else None
        if most is not None:
            self._backend.longest[self._model] = most
        if failure.cause == "effort_value" and (named := efforts_of(failure.error.message)):
            self._backend.efforts[self._model] = named
        if failure.cause == "verbosity" and efforts_of(failure.error.message)[:3] == _VERBOSITIES:
            failure.repeats = True  # the caller's value is none
        step = super()._anew(failure, rule)
        self._follow()
        return step

    def _unlearn(self, failure: Failure) -> None:
        if failure.cause == "limit":
            self._backend.longest.pop(self._model, None)
        if failure.cause == "effort_value":
            self._backend.efforts.pop(self._model, None)

    async def _call(self, credential: Credential) -> Answer:
        backend = self._backend
        secret = await backend.pool.token(credential)
        headers = {**self._headers(secret), **self._idempotent()}
        try:
            response = await backend.send(self._url(), headers, self.body())
        except Failure as failure:
            if failure.cause == "filtered" and self._streams is None:
                return _Withheld(failure.error.message)
            raise without_key(failure, secret) from None
        api = self._api
        reader = api.reader(self._draft.written, self._salt, self.request)
        return UpstreamAnswer(
            response,
            reader,
            is_error,
            self._note,
            backend.read_failure,
            backend.clock.time(),
            done=True,
            streams=self._streams,
        )


class _Withheld:
    """The answer to a prompt that a filter has stopped: nothing is said, and why is told with the end."""

    usage: ir.Usage | None = None

    def __init__(self, words: str) -> None:
        self._events: list[ir.Event] | None = [
            ir.Started(),
            ir.Finished(reason="content_filter", native="content_filter", explanation=words),
        ]

    async def read(self) -> list[ir.Event] | None:
        """Give all of it at once."""
        events, self._events = self._events, None
        return events

    def close(self) -> None:
        """Nothing is open."""
