"""A strict fake of Azure OpenAI, over real HTTP on loopback: the fake of OpenAI's models behind Azure's front.

    async with FakeAzure() as fake:
        ...                                  # fake.url is the endpoint; the keys are "key-1", "key-2" and "key-3"
        assert fake.requests[-1].model == "chat-prod"

/openai/deployments/{deployment}/…?api-version=…   a dated version; the path says which deployment
/openai/v1/…                                       v1, which has Responses, too; `model` in the body says it

A deployment has a name of its own; `deployments` says which model is behind it. What the script directs and the model
refuses is as in the fake of OpenAI; `azure_api_errors.NAMED` lists Azure's own errors. `asynchronous`: the filter's
verdicts come in chunks of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.fakes import azure_api_errors as errors
from tests.fakes import openai_api_extras as extras
from tests.fakes.azure_api_filters import filtered_chunks, filtered_whole
from tests.fakes.openai_api import CHAT, EVENTS, KEYS, RESPONSES, FakeOpenAI, chat_events
from tests.fakes.openai_api_chat import Asked
from tests.fakes.openai_api_chat import judge as judge_chat
from tests.fakes.openai_api_errors import bad
from tests.fakes.openai_api_models import Model, describe, listed
from tests.fakes.openai_api_reply import ChatReply
from tests.fakes.openai_api_turns import of_messages
from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_record import Record

__all__ = ["DEPLOYMENTS", "VERSIONS", "FakeAzure"]

DEPLOYMENTS = {
    "gpt-4.1": "gpt-4.1",
    "chat-prod": "gpt-4.1",
    "thinker": "o4-mini",
    "five": "gpt-5",
    "vectors": "text-embedding-3-small",
    "painter": "gpt-image-1",
}
# of the data plane; 2024-10-01 is that of the replaced proxy's sample
VERSIONS = frozenset(
    {
        "2023-05-15",
        "2024-02-01",
        "2024-06-01",
        "2024-08-01-preview",
        "2024-09-01-preview",
        "2024-10-01",
        "2024-10-01-preview",
        "2024-10-21",
        "2024-12-01-preview",
        "2025-01-01-preview",
        "2025-03-01-preview",
        "2025-04-01-preview",
    }
)
_CALLS = {
    ("POST", "chat/completions"): CHAT,
    ("POST", "embeddings"): "embeddings",
    ("POST", "images/generations"): "images",
}
_V1_CALLS = {("GET", "models"): "models.list", ("POST", "responses"): RESPONSES}
_USES = {
    **dict.fromkeys((CHAT, RESPONSES), ("answers", "chatCompletion")),
    "embeddings": ("embeds", "embeddings"),
    "images": ("draws", "image"),
}
_DEPLOYED = re.compile(r"/openai/deployments/([^/]+)/(.+)")
_V1 = "/openai/v1/"
_V1_VERSIONS = frozenset({None, "v1", "preview", "latest"})
# fields, and the first dated version that knows them
_SINCE = {"stream_options": "2024-09", "max_completion_tokens": "2024-09", "reasoning_effort": "2024-12"}


class FakeAzure(FakeOpenAI):
    """The fake; everything a test sets or reads is an attribute."""

    def __init__(
        self,
        *,
        keys: Iterable[str] = KEYS,
        deployments: Mapping[str, str] = DEPLOYMENTS,
        asynchronous: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(keys=keys, host=host, port=port)
        self.deployments = dict(deployments)
        self.asynchronous = asynchronous

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer what is below /openai."""
        deployed = _DEPLOYED.fullmatch(request.raw_path.partition("?")[0])
        call = deployed[2] if deployed else request.path.removeprefix(_V1)
        v1 = request.path.startswith(_V1)
        method = _CALLS.get((request.method, call), "") if deployed or v1 else ""
        if v1:
            method = _V1_CALLS.get((request.method, call), method)
        record = await self.record(request, method or "nothing")
        record.enveloped = False
        record.model = unquote(deployed[1]) if deployed else None
        return await self.tracked(request, record, self._operation)

    def token_of(self, request: web.Request) -> str:
        """Read the key; the v1 path takes it as a bearer, too."""
        bearer = super().token_of(request) if request.path.startswith(_V1) else ""
        return request.headers.get("api-key") or bearer

    def admit(self, record: Record) -> str:
        """Say whose key this is, once there is something at the path."""
        version = record.query.get("api-version")
        v1 = record.path.startswith(_V1)
        if record.method == "nothing" or not (v1 or version in VERSIONS):
            raise errors.not_found()
        if v1 and version not in _V1_VERSIONS:
            raise errors.version_refused()
        record.credential = record.token
        if not record.token:
            raise errors.token_refused()
        if record.token not in self.keys:
            raise errors.key_refused()
        return record.token

    def named(self, name: str, record: Record) -> Refusal:
        """Take an error of the service."""
        return errors.named(name, record.model or "")

    async def _operation(self, request: web.Request, record: Record, key: str) -> web.StreamResponse:
        if record.method == "models.list":
            data = [listed(one) for one in self.models]
            return web.json_response({"object": "list", "data": data}, headers=self._headers(record))
        model = self._deployed(record)
        body = {"model": model.name} | record.body
        if record.method == CHAT:
            return await self._complete(request, record, Asked(body, model))
        if record.method == RESPONSES:
            return await self._respond(request, record, key)
        if record.method == "images" and record.body.get("stream"):
            return await self._draw(request, record, body, model)
        answers: dict[str, Callable[[Any, Model], Json]] = {"embeddings": extras.embeddings, "images": extras.pictures}
        return web.json_response(answers[record.method](body, model), headers=self._headers(record))

    def _model(self, body: Json) -> Model:
        return describe(self.deployments[body["model"]])

    def _deployed(self, record: Record) -> Model:
        if record.model is None:
            raise bad("you must provide a model parameter")
        if record.model not in self.deployments:
            raise errors.deployment_not_found()
        model = describe(self.deployments[record.model])
        use, operation = _USES[record.method]
        if model.use != use:
            raise errors.wrong_operation(operation, model.name)
        return model

    async def _complete(self, request: web.Request, record: Record, asked: Asked) -> web.StreamResponse:
        version = record.query.get("api-version", "")
        for name, since in _SINCE.items():
            if name in asked.body and version in VERSIONS and version < since:
                raise errors.unknown_argument(name)
        judge_chat(asked)
        plan = await self.planned(of_messages(asked.messages), record)
        reply = ChatReply(asked, plan, self.generated)
        named = {"model": f"{asked.model.name}-2025-04-14"}
        if not asked.body.get("stream"):
            whole = plan.chunks[0] if plan.chunks else filtered_whole(reply.whole() | named)
            return await self._send_whole(request, record, plan, whole)
        written = (chunk | named for chunk in reply.chunks())
        chunks = plan.chunks or filtered_chunks(written, asynchronous=self.asynchronous)
        return await self.send(request, plan, chat_events(chunks), self._headers(record, EVENTS))

    def _headers(self, record: Record, kind: str = "") -> dict[str, str]:
        headers = {
            "apim-request-id": f"fake-{len(self.log.requests)}",
            "x-request-id": f"fake-{len(self.log.requests)}",
            "x-ms-region": "East US",
            "x-ms-deployment-name": record.model or "",
            "x-ratelimit-remaining-requests": "499",
            "x-ratelimit-remaining-tokens": "29990",
        }
        return headers | ({"content-type": kind} if kind else {})
