"""Embeddings and pictures by the models of Vertex AI, for callers of OpenAI's API and of the Gemini API.

OpenAI's words ───────────────────► Plan ─► predict, embedContent, generateContent ─► OpenAI's words
embedContent, batchEmbedContents ─► Plan ─► predict, embedContent ──────────────────► the Gemini API's words

What was answered stays when another call of the same request fails and is made again, unless it cannot be used.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway import ir
from gateway.adapters.amendments import Draft, Write
from gateway.adapters.failures import Cause, Failure, Renew
from gateway.adapters.google_making import Plan, all_vectors, carry_out, counted, plan_drawing, tell_vectors, words_of
from gateway.adapters.journey import PoolCalls
from gateway.adapters.making import Whole, always, whole_of
from gateway.adapters.vertex_credential import DefaultCredential
from gateway.adapters.vertex_journey import VertexBackend, tell_operator, token_of
from gateway.adapters.vertex_models import publisher_of
from gateway.dialects.gemini.embeddings import BATCH, ONE, Item, items_of, read_items, write_embeddings
from gateway.dialects.gemini.making import Embedded, Step
from gateway.dialects.gemini.making_vertex import read_vectors, write_items
from gateway.dialects.openai_embeddings import read_texts
from gateway.errors import GatewayError, NotFound, UpstreamMalformed
from gateway.forwarding import NativeAnswer, NativeCall
from gateway.upstream import Call, Made

__all__ = ["EMBEDS", "VertexMaking", "embed_native", "plan_embedding", "plan_picture"]

EMBEDS: Final = frozenset({ONE, BATCH})
_encode: Final = msgspec.json.Encoder().encode


def plan_picture(call: Call) -> Write[Plan]:
    """Plan a call for pictures; raise InvalidRequest."""
    _google_s(call.request.model, "makes no images")
    return always(plan_drawing(call))


def plan_embedding(call: Call) -> Write[Plan]:
    """Plan a call for embeddings; raise InvalidRequest."""
    model, texts = call.request.model, read_texts(words_of(call))

    def tell(embedded: Sequence[Embedded]) -> Whole:
        return tell_vectors(texts, model, embedded)

    return _plan(model, items_of(texts), tell, texts.losses)


def _plan(
    model: str, items: Sequence[Item], tell: Callable[[Sequence[Embedded]], Whole], losses: tuple[ir.Loss, ...] = ()
) -> Write[Plan]:
    _google_s(model, "has no embeddings")

    def write(_request: ir.Request, causes: frozenset[Cause]) -> Plan:
        steps = write_items(items, model, singly="batch" in causes)

        def read(answers: Sequence[bytes], _now: float) -> Whole:
            return tell([read_vectors(answer, step.verb) for answer, step in zip(answers, steps, strict=True)])

        return Plan(steps=steps, read=read, losses=losses)

    return write


def _google_s(model: str, what: str) -> None:
    if publisher_of(model) != "google":
        raise NotFound(f"{model[:100]!r} {what}, only Google's own models do", param="model")


async def embed_native(call: NativeCall, backend: VertexBackend) -> NativeAnswer:
    """Embed what a caller of the Gemini API has sent; a refused token is renewed once. Raise GatewayError."""
    verb = call.path.rpartition(":")[2]
    body = call.body if isinstance(call.body, bytes) else b"".join([piece async for piece in call.body])
    items = read_items(body, verb)

    def tell(embedded: Sequence[Embedded]) -> Whole:
        document = write_embeddings(verb, all_vectors(embedded, len(items)), counted(embedded))
        return Whole(document, None, credential=making.credential)

    asked = Call(request=ir.Request(model=call.model, turns=()), request_id="", principal=call.principal)
    making = VertexMaking(asked, _plan(call.model, items, tell), backend)
    try:
        while True:
            try:
                return await making.go()
            except GatewayError as error:
                learnt = making.after(error)
                if isinstance(learnt, GatewayError):
                    raise learnt from None
                if learnt.counted:  # like all native calls it is not tried again on a failure
                    raise
    finally:
        making.done(None)


class VertexMaking(PoolCalls[DefaultCredential, Plan, Made]):
    """The calls of one request."""

    def __init__(self, call: Call, write: Write[Plan], backend: VertexBackend) -> None:
        super().__init__(call, Draft(call.request, write, backend.lacks, strict=False), backend)
        self._backend = backend
        self._token = ""
        self._plan = self._draft.written
        self._answers: dict[int, bytes] = {}

    def _url(self) -> str:
        return self._address(self._draft.written.steps[0])

    def _address(self, step: Step) -> str:
        return self._backend.place.model_url(self._model, step.verb)

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, **self._backend.place.headers(secret)}

    def _varies(self) -> dict[str, str]:
        return self._backend.place.varies

    def _renew(self, what: Renew, credential: DefaultCredential) -> None:
        credential.forget_token(self._token)

    async def _call(self, credential: DefaultCredential) -> Made:
        backend, plan = self._backend, self._draft.written
        if plan is not self._plan:  # amended
            self._plan, self._answers = plan, {}
        try:
            self._token = await token_of(backend, credential)
            answers = await carry_out(plan, self._ask, self._answers)
        except Failure as failure:
            tell_operator(backend, failure)
            raise
        try:
            return plan.read(answers, backend.clock.time())
        except UpstreamMalformed:
            self._answers.clear()  # which of them it is, is not said
            raise

    async def _ask(self, step: Step) -> bytes:
        backend = self._backend
        return await whole_of(await backend.send(self._address(step), self._headers(self._token), _encode(step.body)))
