"""A call for embeddings or pictures in OpenAI's words, made to the Gemini API.

All calls of a request go to the same key; when one of them fails, the request is made again from the start.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.adapters.amendments import Draft
from gateway.adapters.credential import Credential
from gateway.adapters.gemini_journey import GeminiBackend, model_path
from gateway.adapters.google_making import Plan, carry_out, tell_vectors, words_of
from gateway.adapters.journey import PoolCalls
from gateway.adapters.making import Whole, always, whole_of
from gateway.dialects.gemini.making import Step, read_embedded, write_texts
from gateway.dialects.openai_embeddings import read_texts
from gateway.upstream import Call, Made

__all__ = ["GeminiMaking", "plan_embedding"]

_encode: Final = msgspec.json.Encoder().encode


def plan_embedding(call: Call) -> Plan:
    """Plan a call for embeddings; raise InvalidRequest."""
    model, texts = call.request.model, read_texts(words_of(call))

    def read(answers: Sequence[bytes], _: float) -> Whole:
        return tell_vectors(texts, model, [read_embedded(answer) for answer in answers])

    return Plan(steps=write_texts(texts, f"models/{model}"), read=read, losses=texts.losses)


class GeminiMaking(PoolCalls[Credential, Plan, Made]):
    """The calls of one request."""

    def __init__(self, call: Call, plan: Callable[[Call], Plan], backend: GeminiBackend) -> None:
        super().__init__(call, Draft(call.request, always(plan(call)), backend.lacks, strict=False), backend)
        self._backend = backend

    def _url(self) -> str:
        return self._address(self._draft.written.steps[0])

    def _address(self, step: Step) -> str:
        return f"{self._backend.bases[self._base]}/v1beta/{model_path(self._model)}:{step.verb}"

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, "x-goog-api-key": secret}

    async def _call(self, credential: Credential) -> Made:
        backend, plan = self._backend, self._draft.written
        headers = self._headers(await backend.pool.token(credential))

        async def ask(step: Step) -> bytes:
            return await whole_of(await backend.send(self._address(step), headers, _encode(step.body)))

        return plan.read(await carry_out(plan, ask, {}), backend.clock.time())
