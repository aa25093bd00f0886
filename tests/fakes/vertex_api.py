"""A strict fake of Vertex AI (`aiplatform`, `/v1` and `/v1beta1`), over real HTTP on loopback.

    async with FakeVertex() as fake:
        ...                                  # fake.url; fake.login gives out the access tokens that it takes
        assert fake.requests[-1].request["contents"]

Claude's models are those of `fake.claude`, which is no listener of its own here, and keeps its own log. A call of a
Gemini model is judged by `vertex_api_checks`, and its answer directed by its last user text, as in the
other fakes of Google's services; embeddings and Imagen are in `vertex_api_predict`. `vertex_api_errors.NAMED` lists
the errors that `!error` and `fail` know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from aiohttp import web

from tests.fakes import vertex_api_errors as errors
from tests.fakes import vertex_api_predict as predicting
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api_models import SERVED, describe
from tests.fakes.gemini_api_routes import query_refused
from tests.fakes.gemini_api_wire import event, printed, read, repeated, streamed_list, unwrapped
from tests.fakes.server import STREAM, Fake, not_found
from tests.fakes.v1internal_errors import Refusal, google
from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_reply import Reply, folded, prompt_tokens
from tests.fakes.v1internal_script import Plan, recording
from tests.fakes.vertex_api_checks import counting, generation
from tests.fakes.vertex_api_login import CLOUD, FakeLogin

__all__ = ["STREAM", "FakeVertex"]

PROJECTS = ("fake-project-000", "fake-project-001")
LOCATIONS = ("us-central1", "europe-west4", "global", "us", "eu")
EVENTS, JSON = "text/event-stream", "application/json; charset=UTF-8"
# what no location has, or what it has under another name
NOT_SERVED = frozenset({"gemini-flash-latest", "gemini-pro-latest", "gemma-3-27b-it", "gemma-4-31b-it"})
PATH = re.compile(
    r"/(?P<version>v1|v1beta1)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/"
    r"(?P<name>publishers/google/models/[^/:]+|endpoints/[^/:]+):(?P<method>[A-Za-z]+)"
)
QUOTA_PROJECT = "x-goog-user-project"


@dataclass(frozen=True)
class Route:
    """One call, by its path."""

    version: str
    project: str
    location: str
    name: str
    method: str

    @property
    def resource(self) -> str:
        """Give the model's whole name."""
        return f"projects/{self.project}/locations/{self.location}/{self.name}"


class FakeVertex(Fake[str]):
    """The fake; everything a test sets or reads is an attribute. A caller is known by its access token."""

    def __init__(
        self,
        *,
        login: FakeLogin | None = None,
        projects: Iterable[str] = PROJECTS,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(("a",), host, port)
        self.login = login or FakeLogin()
        self.claude = FakeAnthropic(keys=(), tokens=())
        self.projects = set(projects)
        self.quota_projects = {"fake-quota-project"}
        self.models = list(dict.fromkeys((*(one for one in SERVED if one not in NOT_SERVED), *predicting.EMBEDDERS)))
        self.most_instances = 250  # texts in one call; some locations take five
        self.endpoints = {"1234567890": "gemini-2.5-flash"}
        self.levels_known = True
        self.ids_known = True
        self.all_signed = False  # older models want signatures too

    async def __aenter__(self) -> Self:
        await self.login.__aenter__()
        return await super().__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self.login.__aexit__(*error)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer what is about a model."""
        if "/publishers/anthropic/" in request.path:
            return await self._claude(request)
        found = PATH.fullmatch(request.path) if request.method == "POST" else None
        if found is None:
            return not_found()
        route = Route(**found.groupdict())
        record = await self.record(request, route.method)
        record.enveloped = False
        record.model = route.name.rpartition("/")[2]
        return await self.tracked(request, record, partial(self._method, route=route))

    def reset(self) -> None:
        """Forget calls, faults and pushed directives."""
        super().reset()
        self.claude.reset()

    async def _claude(self, request: web.Request) -> web.StreamResponse:
        self.claude.tokens = self.login.living
        return await self.claude.handle(request)

    def admit(self, record: Record) -> str:
        """Say who shows this token, and bill whom it says."""
        if "x-goog-api-key" in record.headers:
            raise errors.named("401_expired", "")
        grant = self.login.admit(record.headers.get("authorization", ""), CLOUD)
        billed = record.headers.get(QUOTA_PROJECT)
        if billed is not None and billed not in self.quota_projects | self.projects:
            raise errors.quota_project_denied(billed)
        record.credential = grant.identity
        return grant.identity

    def named(self, name: str, record: Record) -> Refusal:
        """Take an error of Vertex AI, with the project of the call in it."""
        found = PATH.fullmatch(record.path)
        return errors.named(name, found["project"] if found is not None else "")

    def refused(self, record: Record, refusal: Refusal) -> web.Response:
        """Write an error; that of a stream which is a list stands in one."""
        in_list = record.method == STREAM and record.query.get("alt") != "sse"
        body = [refusal.body] if in_list else refusal.body
        return web.Response(status=refusal.status, body=printed(body), headers={"Content-Type": JSON})

    async def _method(self, request: web.Request, record: Record, caller: str, *, route: Route) -> web.StreamResponse:
        refusal = query_refused(route.method, record.query, record.query.get("alt", "json"))
        if refusal is not None:
            raise refusal
        if route.project not in self.projects:
            raise errors.project_denied(route.project)
        model = self._model(route)
        if route.method in {STREAM, "generateContent"}:
            return await self._generate(request, record, model)
        return web.Response(
            body=printed(self._answer(route.method, record.body, model)), headers={"Content-Type": JSON}
        )

    def _answer(self, method: str, body: Any, model: Model) -> dict[str, Any]:
        name = model.name
        if method == "embedContent":
            return predicting.embed_content(body, name)
        if method == "predict":
            draws = name in predicting.PAINTERS
            return predicting.draw(body) if draws else predicting.embed_texts(body, name, self.most_instances)
        if name in predicting.EMBEDDERS:
            return predicting.count_instances(body)
        tokens = prompt_tokens(counting(body, model))
        return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}

    def _model(self, route: Route) -> Model:
        """Describe the model of a path, if the location has it and it takes the method."""
        name = route.name.rpartition("/")[2]
        if route.name.startswith("endpoints/"):
            if name not in self.endpoints:
                raise google(404, f"The Endpoint {route.resource} is not found.")
            return describe(self.endpoints[name])
        takes = predicting.methods(name) or {"generateContent", STREAM, "countTokens"}
        if route.location not in LOCATIONS or name not in self.models or route.method not in takes:
            raise errors.model_not_found(route.resource)
        model = describe(name)
        return model if self.ids_known else replace(model, numbered_calls=False)

    async def _generate(self, request: web.Request, record: Record, model: Model) -> web.StreamResponse:
        call = generation(
            record.body,
            model,
            headers=record.headers,
            signatures=self.signatures,
            levels_known=self.levels_known,
            all_signed=self.all_signed,
        )
        plan = await self.planned(call, record)
        pieces = _pieces(plan, Reply(call, plan, self.generated))
        kind = EVENTS if record.query.get("alt") == "sse" else JSON
        count = call.config.get("candidateCount", 1)
        if record.method != STREAM:
            pieces = [printed(repeated(folded(read(pieces)), count))]
        elif kind == JSON:
            pieces = streamed_list(repeated(chunk, count) for chunk in read(pieces))
        elif count > 1:
            pieces = (event(repeated(chunk, count)) for chunk in read(pieces))
        return await self.send(request, plan, pieces, {"Content-Type": kind})


def _pieces(plan: Plan, reply: Reply) -> Iterable[bytes]:
    if plan.fixture is not None:
        return unwrapped(recording(plan.fixture))
    return map(event, plan.chunks or reply.responses())
