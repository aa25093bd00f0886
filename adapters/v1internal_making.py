"""Pictures by the drawing models of Code Assist, for callers of OpenAI's API (v1internal.md §7).

All calls of a request are made by one account; when one of them fails, the request is made again from the start.
"""

from msgspec.structs import replace

from gateway.adapters.amendments import Draft
from gateway.adapters.google_making import Plan, carry_out, plan_drawing
from gateway.adapters.making import always, whole_of
from gateway.adapters.v1internal_envelope import session_id
from gateway.adapters.v1internal_journey import V1InternalBackend, V1InternalCalls
from gateway.dialects.gemini.making import Step
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.request import Written
from gateway.errors import NotFound
from gateway.upstream import Call, Made

__all__ = ["V1InternalMaking"]


class V1InternalMaking(V1InternalCalls[Plan, Made]):
    """The calls of one request."""

    _path = "/v1internal:generateContent"

    def __init__(self, call: Call, backend: V1InternalBackend) -> None:
        model = call.request.model
        if "image" not in model:
            raise NotFound(
                f"{model[:100]!r} makes no images, only models with `image` in their names do", param="model"
            )
        plan = plan_drawing(call, assisted=True)
        super().__init__(call, Draft(call.request, always(plan), backend.lacks, strict=False), backend)
        self._session = session_id(replace(call, session=call.request_id))  # nothing goes on from a picture

    def body(self) -> bytes:
        """Give the body of the next call; the project is known once a credential has been used."""
        return self._body(self._draft.written.steps[0], self._known_project())

    async def _ask(self, token: str, project: str) -> Made:
        backend, plan = self._backend, self._draft.written
        url, headers = self._url(), self._headers(token)

        async def ask(step: Step) -> bytes:
            return await whole_of(await backend.send(url, headers, self._body(step, project)))

        return plan.read(await carry_out(plan, ask, {}), backend.clock.time())

    def _body(self, step: Step, project: str) -> bytes:
        written = Written(body=step.body, names=NameMap(()), image_model=True)
        return self._backend.envelope.write(written, self._model, project, self._session)
