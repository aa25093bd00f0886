import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MethodNotAllowed
from gateway.routes import match


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("POST", "/v1/chat/completions", {}, ("openai-chat", "chat", 0)),
        ("POST", "/openai/v1/chat/completions", {}, ("openai-chat", "chat", 0)),
        ("POST", "/openai/deployments/gpt-4o/chat/completions", {}, ("openai-chat", "chat", 0)),
        ("GET", "/openai/deployments/gpt-4o/chat/completions", {}, ("openai-chat", "none", 405)),
        ("POST", "/openai/deployments/gpt-4o/embeddings", {}, ("openai-chat", "embeddings", 0)),
        ("POST", "/openai/deployments/gpt-4o/images/generations", {}, ("openai-chat", "images", 0)),
        ("POST", "/openai/deployments/gpt-4o/images/edits", {}, ("openai-chat", "none", 404)),
        ("POST", "/openai/deployments/embeddings", {}, ("openai-chat", "none", 404)),
        ("POST", "/v1/embeddings", {}, ("openai-chat", "embeddings", 0)),
        ("POST", "/openai/v1/embeddings", {b"anthropic-version": b"1"}, ("openai-chat", "embeddings", 0)),
        ("GET", "/v1/embeddings", {}, ("openai-chat", "none", 405)),
        ("POST", "/v1/images/generations", {}, ("openai-chat", "images", 0)),
        ("POST", "/openai/v1/images/generations", {}, ("openai-chat", "images", 0)),
        ("GET", "/v1/images/generations", {}, ("openai-chat", "none", 405)),
        ("POST", "/v1/images/edits", {}, ("openai-chat", "none", 404)),
        ("POST", "/openai/deployments//chat/completions", {}, ("openai-chat", "none", 404)),
        ("POST", "/openai/deployments/chat/completions", {}, ("openai-chat", "none", 404)),
        ("POST", "/v1/responses", {}, ("openai-responses", "chat", 0)),
        ("POST", "/openai/v1/responses", {}, ("openai-responses", "chat", 0)),
        ("POST", "/openai/responses", {}, ("openai-responses", "chat", 0)),
        ("POST", "/v1/responses/input_tokens", {}, ("openai-responses", "count_tokens", 0)),
        ("GET", "/v1/responses/resp_1", {}, ("openai-responses", "response", 0)),
        ("DELETE", "/openai/v1/responses/resp_1", {}, ("openai-responses", "response_delete", 0)),
        ("GET", "/v1/responses/resp_1/input_items", {}, ("openai-responses", "response_items", 0)),
        ("GET", "/v1/responses", {}, ("openai-responses", "none", 405)),
        ("GET", "/v1/responses/input_tokens", {}, ("openai-responses", "none", 405)),
        ("POST", "/v1/responses/resp_1", {}, ("openai-responses", "none", 405)),
        ("POST", "/v1/responses/resp_1/input_items", {}, ("openai-responses", "none", 405)),
        ("POST", "/v1/responses/resp_1/cancel", {}, ("openai-responses", "response_cancel", 0)),
        ("GET", "/v1/responses/resp_1/cancel", {}, ("openai-responses", "none", 405)),
        ("POST", "/v1/responses/compact", {}, ("openai-responses", "none", 404)),
        ("GET", "/v1/responses/", {}, ("openai-responses", "none", 404)),
        ("GET", "/v1/responses/resp_1/", {}, ("openai-responses", "none", 404)),
        ("GET", "/v1/responses/resp_1/input_items/1", {}, ("openai-responses", "none", 404)),
        ("GET", "/v1/responses/resp_1/surprise", {b"anthropic-version": b"1"}, ("openai-responses", "none", 404)),
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
        ("POST", "/v1/models/", {}, ("openai-chat", "none", 404)),
        ("PUT", "/openai/models/", {}, ("openai-chat", "none", 404)),
        ("POST", "/v1beta/models/", {}, ("gemini", "none", 404)),
        ("GET", "/v1/models/a/", {}, ("openai-chat", "none", 404)),
        ("DELETE", "/v1/models/a/", {}, ("openai-chat", "none", 404)),
        ("POST", "/chat/completions", {}, ("openai-chat", "none", 404)),
        ("POST", "/v1/messages/batches", {}, ("anthropic", "none", 404)),
        ("POST", "/v1/complete", {b"anthropic-version": b"1"}, ("anthropic", "none", 404)),
        ("POST", "/v1beta/models/m:generateContent", {}, ("gemini", "chat", 0)),
        ("POST", "/v1/models/m:generateContent", {}, ("gemini", "chat", 0)),
        ("POST", "/v1beta/models/m:streamGenerateContent", {b"anthropic-version": b"1"}, ("gemini", "chat", 0)),
        ("POST", "/v1beta/models/m:countTokens", {}, ("gemini", "count_tokens", 0)),
        ("GET", "/v1beta/models/m:generateContent", {}, ("gemini", "none", 405)),
        ("HEAD", "/v1/models/m:countTokens", {}, ("gemini", "none", 405)),
        ("POST", "/v1beta/models/m", {}, ("gemini", "none", 405)),
        ("POST", "/v1beta/models/m:embedContent", {}, ("gemini", "native", 404)),
        ("POST", "/v1beta/models/:generateContent", {}, ("gemini", "none", 404)),
        ("POST", "/v1beta/models/:embedContent", {b"x-goog-api-key": b"k"}, ("gemini", "none", 404)),
        ("POST", "/v1beta/models/m:generateContent/", {}, ("gemini", "none", 404)),
        ("POST", "/openai/v1/models/m:generateContent", {}, ("gemini", "none", 404)),
        ("GET", "/v1beta/files/f1", {}, ("gemini", "native", 404)),
        ("POST", "/upload/v1beta/files", {}, ("gemini", "native", 404)),
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


@pytest.mark.parametrize("call", ["chat/completions", "embeddings", "images/generations"])
@pytest.mark.parametrize(("name", "model"), [("gpt-4o", "gpt-4o"), ("a%20b", "a%20b"), ("a/b", "a/b")])
def test_the_name_of_a_deployment_is_the_model(name: str, model: str, call: str) -> None:
    path = f"/openai/deployments/{name}/{call}"
    assert match("POST", path, {}, b"api-version=2024-10-21").model == model


def test_the_id_of_a_model_is_not_unquoted_again() -> None:
    assert match("GET", "/v1/models/antigravity/claude%20b", {}).model == "antigravity/claude%20b"


@pytest.mark.parametrize("name", ["qwen3:8b", "llama3:latest", "ft:gpt-4.1:org::abc", "library/qwen3:8b"])
@pytest.mark.parametrize(
    ("version", "headers", "dialect"),
    [
        ("v1", {}, "openai-chat"),
        ("openai/v1", {}, "openai-chat"),
        ("v1", {b"anthropic-version": b"1"}, "anthropic"),
        ("v1", {b"x-goog-api-key": b"k"}, "gemini"),
        ("v1beta", {}, "gemini"),
    ],
)
def test_a_colon_in_the_id_of_a_model_begins_no_verb_where_one_reads(
    version: str, headers: dict[bytes, bytes], dialect: str, name: str
) -> None:
    routes = [match(method, f"/{version}/models/{name}", headers) for method in ("GET", "HEAD")]
    assert [(route.dialect, route.operation, route.model) for route in routes] == [(dialect, "model", name)] * 2


@pytest.mark.parametrize("path", ["/v1/responses/resp_1", "/openai/v1/responses/resp_1/input_items"])
def test_the_id_of_a_kept_response_stands_in_the_path(path: str) -> None:
    assert match("GET", path, {}).model == "resp_1"


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/input_tokens"])
def test_the_model_of_a_response_stands_in_the_body(path: str) -> None:
    assert match("POST", path, {}).model == ""


def test_what_responses_cannot_do_here_says_why() -> None:
    error = match("POST", "/v1/responses/compact", {}).error
    assert error is not None
    assert "ask for a summary" in error.message


@given(st.text(), st.text(), st.dictionaries(st.binary(), st.binary()), st.binary())
def test_any_request_has_a_route(method: str, path: str, headers: dict[bytes, bytes], query: bytes) -> None:
    route = match(method, path, headers, query)
    assert (route.error is None) == (route.operation != "none")


@pytest.mark.parametrize(
    ("resource", "model"),
    [
        ("models/gemini-3-flash", "gemini-3-flash"),
        ("models/google/gemini-3-flash", "google/gemini-3-flash"),
        ("models/a%20b", "a%20b"),
        ("models/ft:a:b", "ft:a:b"),
        ("tunedModels/x", "tunedModels/x"),
    ],
)
@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_the_model_stands_before_the_last_colon(version: str, resource: str, model: str) -> None:
    route = match("POST", f"/{version}/{resource}:generateContent", {})
    assert (route.dialect, route.operation, route.model) == ("gemini", "chat", model)


@pytest.mark.parametrize(
    ("verb", "query", "streams"),
    [
        ("generateContent", b"", ""),
        ("generateContent", b"alt=json", ""),
        ("countTokens", b"key=k", ""),
        ("streamGenerateContent", b"", "array"),
        ("streamGenerateContent", b"alt=json", "array"),
        ("streamGenerateContent", b"alt=sse", "sse"),
        ("streamGenerateContent", b"key=k&alt=sse&b=%ff", "sse"),
    ],
)
def test_the_verb_and_alt_say_how_the_answer_comes(verb: str, query: bytes, streams: str) -> None:
    route = match("POST", f"/v1beta/models/m:{verb}", {}, query)
    assert (route.error, route.streams) == (None, streams)


@pytest.mark.parametrize(
    ("verb", "query", "streams"),
    [
        ("streamGenerateContent", b"alt=proto", "array"),
        ("generateContent", b"alt=sse", ""),
        ("countTokens", b"alt=media", ""),
    ],
)
def test_another_form_of_the_answer_is_a_bad_request(verb: str, query: bytes, streams: str) -> None:
    route = match("POST", f"/v1beta/models/m:{verb}", {}, query)
    assert route.error is not None
    assert (route.error.status, route.error.param, route.streams) == (400, "alt", streams)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/v1beta/models/m:embedContent", "embeddings"),
        ("/v1/models/m:batchEmbedContents", "embeddings"),
        ("/v1beta/models/m:batchGenerateContent", "batches"),
        ("/v1beta/files", "files"),
        ("/upload/v1beta/files", "files"),
        ("/v1beta/cachedContents/c1", "context caches"),
        ("/upload/v1/files", "files"),
        ("/v1/cachedContents", "context caches"),
        ("/v1beta/models/veo:predictLongRunning", "image and video generation by predict"),
    ],
)
def test_a_native_call_that_nothing_serves_says_why(path: str, what: str) -> None:
    error = match("POST", path, {b"x-goog-api-key": b"k"}).error
    assert error is not None
    assert error.message.endswith(f"no upstream here has Gemini's {what}")


@pytest.mark.parametrize("path", ["/v1beta/files/a", "/upload/v1beta/files", "/v1beta/models/m:embedContent"])
@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PROPFIND"])
def test_what_would_show_more_than_an_answer_is_not_passed_on(method: str, path: str) -> None:
    route = match(method, path, {})
    assert isinstance(route.error, MethodNotAllowed)
    assert (route.operation, "POST" in route.error.headers["allow"]) == ("none", True)


def test_a_wrong_method_names_the_right_one() -> None:
    paths = ("GET", "/v1beta/models/m:streamGenerateContent"), ("POST", "/v1beta/models/m"), ("PUT", "/v1/responses/r")
    calls = [match(method, path, {}) for method, path in paths]
    allowed = [call.error and call.error.headers for call in calls]
    assert allowed == [{"allow": "POST"}, {"allow": "GET, HEAD"}, {"allow": "GET, DELETE"}]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/m:embedContent", "m"),
        ("/v1/models/a/b%2F:batchEmbedContents", "a/b%2F"),
        ("/v1beta/models/ft:a:b:embedContent", "ft:a:b"),
        ("/v1beta/models/veo/operations/o1", "veo"),
        ("/v1beta/tunedModels/t:transferOwnership", "tunedModels/t"),
        ("/v1beta/tunedModels/t", ""),
        ("/v1beta/files/f1", ""),
        ("/v1beta/anything/new", ""),
        ("/upload/v1beta/files", ""),
        ("/download/v1/files/f1:download", ""),
    ],
)
def test_a_native_call_names_its_model_if_it_has_one(path: str, model: str) -> None:
    route = match("POST", path, {})
    assert (route.dialect, route.operation, route.model) == ("gemini", "native", model)


# as google-genai 3.6 builds them: _api_client.py _build_request, _transformers.py t_model
VERTEX = ("/v1beta1/publishers", "/v1/projects/p/locations/us-central1/publishers", "/v1alpha/publishers")


@pytest.mark.parametrize("root", VERTEX)
def test_a_client_of_vertex_ai_asks_for_a_model_as_one_of_gemini(root: str) -> None:
    named = {"google": "gemini-3-flash", "anthropic": "anthropic/gemini-3-flash"}
    for publisher, model in named.items():
        path = f"{root}/{publisher}/models/gemini-3-flash"
        called = match("POST", f"{path}:streamGenerateContent", {}, b"alt=sse")
        assert (called.dialect, called.operation, called.model, called.streams) == ("gemini", "chat", model, "sse")
        assert match("POST", f"{path}:countTokens", {}).operation == "count_tokens"
        native = match("POST", f"{path}:predict", {})
        assert (native.dialect, native.operation, native.model) == ("gemini", "native", model)
        shown = match("GET", path, {})
        assert (shown.dialect, shown.operation, shown.model) == ("gemini", "model", model)
    listed = match("GET", f"{root}/google/models", {}, b"pageSize=50")
    assert (listed.dialect, listed.operation) == ("gemini", "models")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1alpha/models/m:generateContent", "m"),
        ("/v1beta1/models/m:generateContent", "m"),
        ("/v1beta1/projects/p/locations/l/models/m:generateContent", "m"),
        ("/v1beta1/publishers/deepseek-ai/models/a/b:generateContent", "deepseek-ai/a/b"),
        ("/v1beta1/projects/p/locations/l/endpoints/7:generateContent", "endpoints/7"),
    ],
)
def test_a_version_or_a_place_says_nothing_of_a_model(path: str, model: str) -> None:
    route = match("POST", path, {})
    assert (route.dialect, route.operation, route.model) == ("gemini", "chat", model)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict",
        "/v1beta1/projects/p/locations/l/cachedContents",
    ],
)
def test_other_paths_of_vertex_ai_are_nowhere(path: str) -> None:
    route = match("POST", path, {})
    assert (route.dialect, route.operation) == ("gemini", "none")


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/f1", "/v1/batches", "/v1/cachedContents/c1"])
@pytest.mark.parametrize(
    ("headers", "query", "operation"),
    [
        ({}, b"", ("openai-chat", "none")),
        ({b"authorization": b"Bearer k"}, b"", ("openai-chat", "none")),
        ({b"x-goog-api-key": b"k"}, b"", ("gemini", "native")),
        ({}, b"a=1&key=k", ("gemini", "native")),
    ],
)
def test_below_v1_files_are_googles_with_a_key_of_its_kind(
    path: str, headers: dict[bytes, bytes], query: bytes, operation: tuple[str, str]
) -> None:
    route = match("GET", path, headers, query)
    assert (route.dialect, route.operation) == operation


@pytest.mark.parametrize(
    "path",
    ["/v1beta", "/v1beta/files/", "/v1/embeddings", "/v2/files", "/v1/filesystem"],
)
def test_other_paths_are_passed_on_to_nobody(path: str) -> None:
    assert match("GET", path, {b"x-goog-api-key": b"k"}).operation == "none"


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/chat/completions", "/v1/chat/completions"),
        ("POST", "//v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1/chat/completions/", "/v1/chat/completions"),
        ("POST", "/api/v1/embeddings", "/v1/embeddings"),
        ("POST", "/v1/v1/messages", "/v1/messages"),
        ("POST", "/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("POST", "/v1/v1/responses", "/v1/responses"),
        ("GET", "/models", "/v1/models"),
        ("GET", "/v1/models/", "/v1/models"),
        ("GET", "/v1beta/models/", "/v1beta/models"),
        ("POST", "/v1beta/openai/chat/completions", "/v1/chat/completions"),
        ("POST", "/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("POST", "/models/up/a/b:generateContent", "/v1beta/models/up/a/b:generateContent"),
        ("POST", "/api/models/qwen3:8b:countTokens", "/v1beta/models/qwen3:8b:countTokens"),
        ("POST", "/v1beta/v1beta/models/m:streamGenerateContent", "/v1beta/models/m:streamGenerateContent"),
        ("POST", "/v1beta/v1/models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict", "/v1/messages"),
    ],
)
def test_a_path_that_a_wrong_base_url_makes_is_answered_with_the_right_one(method: str, path: str, meant: str) -> None:
    error = match(method, path, {}).error
    assert error is not None
    assert (error.status, error.message) == (404, f"{method} {path} is not served here; did you mean {meant}?")


@pytest.mark.parametrize("root", ["/v1beta", "/v1beta/v1"])
@pytest.mark.parametrize(
    ("end", "dialect"),
    [
        ("/chat/completions", "openai-chat"),
        ("/embeddings", "openai-chat"),
        ("/images/generations", "openai-chat"),
        ("/responses", "openai-responses"),
        ("/responses/input_tokens", "openai-responses"),
        ("/messages", "anthropic"),
        ("/messages/count_tokens", "anthropic"),
    ],
)
def test_googles_base_url_leads_others_calls_to_nobody(root: str, end: str, dialect: str) -> None:
    for path in (root + end, f"{root}{end}/"):
        route = match("POST", path, {b"x-goog-api-key": b"k"})
        assert (route.dialect, route.operation, route.foreign) == (dialect, "none", False)
        assert route.error is not None
        assert route.error.message == f"POST {path} is not served here; did you mean /v1{end}?"


@pytest.mark.parametrize(
    "path", ["/v1beta/openai/chat/completions", "/v1beta/openai/embeddings", "/v1beta/corpora/messages"]
)
def test_googles_own_paths_of_like_names_are_passed_on(path: str) -> None:
    route = match("POST", path, {})
    assert (route.dialect, route.operation) == ("gemini", "native")


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v1/audio/speech", "/somewhere", "/completions", "/a/models/:countTokens", "/a/models/b"],
)
def test_no_path_is_suggested_for_one_like_none(path: str) -> None:
    error = match("POST", path, {}).error
    assert error is not None
    assert error.message == f"POST {path} is not served here"


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/v1/completions", "send the prompt as messages to /v1/chat/completions"),
        ("POST", "/openai/deployments/gpt-4o/completions", "send the prompt as messages to /v1/chat/completions"),
        ("GET", "/v1/chat/completions/chatcmpl-1", "chat completions are not stored here; those of /v1/responses are"),
        (
            "POST",
            "/v1/conversations/conv_1/items",
            "conversations are not stored here; send input, or previous_response_id",
        ),
        ("POST", "/openai/v1/assistants", "assistants are not stored here; use /v1/responses"),
        ("POST", "/v1/threads/thread_1/messages", "threads are not stored here; use /v1/responses"),
        ("GET", "/v1/realtime", "there are no live sessions here; stream a response"),
        ("POST", "/v1/messages/batches", "batches are not made here; send each request by itself"),
        ("POST", "/v1/batches", "batches are not made here; send each request by itself"),
        ("POST", "/v1/files", "files are not stored here; send the data within the request"),
        ("POST", "/v1/uploads", "files are not stored here; send the data within the request"),
        ("GET", "/v1/vector_stores", "texts are not searched here; send what is found within the request"),
    ],
)
def test_what_the_sdks_have_besides_says_what_to_do_instead(method: str, path: str, words: str) -> None:
    """Each is called by a method of openai 3.57 or anthropic 2.14."""
    error = match(method, path, {}).error
    assert error is not None
    assert (error.status, error.message) == (404, f"{method} {path} is not served here: {words}")
