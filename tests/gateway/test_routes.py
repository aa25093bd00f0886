import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes import match


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("POST", "/v1/chat/completions", {}, ("openai-chat", "chat", 0)),
        ("POST", "/openai/v1/chat/completions", {}, ("openai-chat", "chat", 0)),
        ("POST", "/v1/messages", {}, ("anthropic", "chat", 0)),
        ("POST", "/v1/messages/count_tokens", {}, ("anthropic", "count_tokens", 0)),
        ("GET", "/v1/models", {}, ("openai-chat", "models", 0)),
        ("GET", "/v1/models", {b"x-api-key": b"k"}, ("openai-chat", "models", 0)),
        ("GET", "/v1/models", {b"anthropic-version": b"2023-06-01"}, ("anthropic", "models", 0)),
        ("GET", "/v1/models", {b"x-goog-api-key": b"k", b"anthropic-version": b"1"}, ("gemini", "models", 0)),
        ("GET", "/v1/models/a/b", {}, ("openai-chat", "model", 0)),
        ("GET", "/v1beta/models", {}, ("gemini", "models", 0)),
        ("GET", "/v1/chat/completions", {}, ("openai-chat", "none", 405)),
        ("POST", "/v1/models", {}, ("openai-chat", "none", 405)),
        ("POST", "/v1/chat/completions/", {}, ("openai-chat", "none", 404)),
        ("GET", "/v1/models/", {}, ("openai-chat", "none", 404)),
        ("POST", "/chat/completions", {}, ("openai-chat", "none", 404)),
        ("POST", "/v1/messages/batches", {}, ("anthropic", "none", 404)),
        ("POST", "/v1/complete", {b"anthropic-version": b"1"}, ("anthropic", "none", 404)),
        ("POST", "/v1beta/models/m:generateContent", {}, ("gemini", "none", 404)),
        ("POST", "/v1/models/m:generateContent", {}, ("gemini", "none", 404)),
        ("GET", "/somewhere", {}, ("openai-chat", "none", 404)),
    ],
)
def test_the_path_decides(method: str, path: str, headers: dict[bytes, bytes], expected: tuple[str, str, int]) -> None:
    route = match(method, path, headers)
    assert (route.dialect, route.operation, route.error.status if route.error else 0) == expected


@pytest.mark.parametrize(
    ("query", "dialect"), [(b"key=k", "gemini"), (b"a=b&key=k", "gemini"), (b"monkey=k", "openai-chat")]
)
def test_a_key_in_the_query_means_gemini(query: bytes, dialect: str) -> None:
    assert match("GET", "/v1/models", {}, query).dialect == dialect


def test_the_id_of_a_model_is_unquoted() -> None:
    assert match("GET", "/v1/models/antigravity%2Fclaude", {}).model == "antigravity/claude"


@given(st.text(), st.text(), st.dictionaries(st.binary(), st.binary()), st.binary())
def test_any_request_has_a_route(method: str, path: str, headers: dict[bytes, bytes], query: bytes) -> None:
    route = match(method, path, headers, query)
    assert (route.error is None) == (route.operation != "none")
