"""What stands around the inner request: the fields and headers in which a client says who it is.

    antigravity   {project, requestId, model, userAgent, requestType, request: {…, sessionId}}
    gemini-cli    {model, project, user_prompt_id, request: {…, session_id}}

The envelope is a form; the name in it is always this gateway's, or the one that the operator wrote.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gateway.adapters.exchange import NAME, USER_AGENT
from gateway.adapters.v1internal_native import with_session
from gateway.coding import readable
from gateway.config import V1InternalConfig
from gateway.context import new_uuid
from gateway.dialects.gemini.request import Written
from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.sessions import conversation
from gateway.upstream import Call

__all__ = ["Envelope", "headers_of", "session_id"]

RequestType = Literal["agent", "image_gen", "web_search"]

_CODINGS: Final = "accept-encoding"
_SEARCH: Final = {"googleSearch"}
_POSITIVE: Final = 2**63 - 1
_encode = msgspec.json.Encoder().encode


class Envelope:
    """Writes the bodies of one upstream's generating calls. `call_id`: the field that is new for each call."""

    def __init__(self, config: V1InternalConfig) -> None:
        self._wrap = self._gemini_cli if config.envelope == "gemini-cli" else self._antigravity
        self._user_agent = config.user_agent or NAME
        self.call_id = "user_prompt_id" if config.envelope == "gemini-cli" else "requestId"

    def write(self, written: Written, model: str, project: str, session: str) -> bytes:
        """Write the whole body; each call is an attempt of its own."""
        return _encode(self._wrap(written, model, project, session))

    def _antigravity(self, written: Written, model: str, project: str, session: str) -> dict[str, object]:
        return {
            "project": project,
            "requestId": f"agent-{new_uuid()}",
            "model": model,
            "userAgent": self._user_agent,
            "requestType": _request_type(written),
            "request": _inner(written, "sessionId", session),
        }

    def _gemini_cli(self, written: Written, model: str, project: str, session: str) -> dict[str, object]:
        return {
            "model": model,
            "project": project,
            "user_prompt_id": new_uuid(),
            "request": _inner(written, "session_id", session),
        }


def headers_of(config: V1InternalConfig) -> dict[str, str]:
    """Give the headers of every call, without the bearer; the configured ones may replace ours.

    They ask for no coding of the answer that cannot be read here: with it went the words of refusals.
    """
    ours = {
        "user-agent": config.user_agent or USER_AGENT,
        "content-type": "application/json",
        "accept": "application/json",
    }
    headers = {**ours, **_lower(config.headers)}
    if _CODINGS in headers:
        headers[_CODINGS] = readable(headers[_CODINGS])
    return headers


def session_id(call: Call) -> str:
    """Give the same id to every request of a conversation: the upstream's prompt cache goes by it."""
    return f"-{int.from_bytes(conversation(call)[:8]) & _POSITIVE}"


def _inner(written: Written, name: str, session: str) -> object:
    if written.native is not None:
        return with_session(written.native, name, session)
    return {**written.body, name: session}


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _request_type(written: Written) -> RequestType:
    if written.image_model:
        return "image_gen"
    tools = written.body.get("tools")
    if is_list(tools) and len(tools) == 1 and is_object(tools[0]) and tools[0].keys() == _SEARCH:
        return "web_search"
    return "agent"
