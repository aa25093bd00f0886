"""What the readers of all upstreams have in common."""

from __future__ import annotations

import pytest

from gateway.adapters import (
    anthropic_errors,
    azure_errors,
    gemini_errors,
    openai_errors,
    v1internal_errors,
    vertex_claude,
    vertex_errors,
)
from gateway.adapters.failures import ReadFailure
from gateway.errors import UpstreamUnavailable

READERS: dict[str, ReadFailure] = {
    "openai": openai_errors.read_failure,
    "azure": azure_errors.read_failure,
    "anthropic": anthropic_errors.read_failure,
    "gemini": gemini_errors.read_failure,
    "v1internal": v1internal_errors.read_failure,
    "vertex": vertex_errors.read_failure,
    "vertex-claude": vertex_claude.read_failure,
}
READER = pytest.mark.parametrize("read", READERS.values(), ids=READERS)
STATUS = pytest.mark.parametrize("status", [401, 403])
HTML = {"Content-Type": "text/html; charset=utf-8"}


@READER
@STATUS
@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"<html><style>x{}</style><h1>Access denied</h1></html>", {}, ": Access denied"),
        (b"\xef\xbb\xbf \r\n<!DOCTYPE html>\n<title>403 (Forbidden)</title>", {}, ": 403 (Forbidden)"),
        (b"<html></html>", HTML, ""),
        (b"Request blocked, id 7", HTML, ": Request blocked, id 7"),
    ],
)
def test_a_page_is_a_failure_of_a_server_and_no_refusal(
    read: ReadFailure, status: int, body: bytes, headers: dict[str, str], said: str
) -> None:
    failure = read(status, body, headers, 0.0)
    assert (failure.cause, failure.status, type(failure.error)) == ("server", 502, UpstreamUnavailable)
    assert failure.error.message == (
        f"the upstream failed: a web page came instead of a response (status {status}), as from a proxy or "
        f"firewall{said}"
    )


@READER
@STATUS
@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"", HTML), (b'{"error":{"message":"no"}}', HTML), (b'[{"error":{"message":"no"}}]', HTML), (b"Forbidden", {})],
)
def test_what_is_no_page_is_the_upstreams_own_refusal(
    read: ReadFailure, status: int, body: bytes, headers: dict[str, str]
) -> None:
    failure = read(status, body, headers, 0.0)
    assert (failure.cause in ("key", "token", "forbidden"), failure.status) == (True, status)
