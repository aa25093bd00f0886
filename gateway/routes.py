"""Which dialect and operation a path means. The path decides; headers only tell the model lists apart.

POST /v1/chat/completions  /openai/v1/chat/completions      OpenAI Chat
POST /v1/embeddings  /v1/images/generations                 OpenAI; also below /openai/v1
POST /openai/deployments/{model}/…                          these three, as Azure's clients call them
POST /v1/responses  /v1/responses/input_tokens              OpenAI Responses; also below /openai/v1 and /openai
GET  /v1/responses/{id}  …/input_items    DELETE …/{id}     OpenAI Responses that are kept
POST /v1/responses/{id}/cancel                              one that is made in the background
POST /v1/messages  /v1/messages/count_tokens                Anthropic
GET  /v1/models  /v1/models/{id}                            by header: Gemini, Anthropic, OpenAI; also below
                                                            /openai/v1 and /openai, as Azure's clients ask
POST /v1beta/models/{model}:verb  /v1/models/{model}:verb   Gemini; the verb stands behind the last colon, and
                                                            a name with a slash in it may stand without models/;
                                                            also below /v1alpha and /v1beta1
*    …/publishers/{publisher}/models/{model}:verb           the same, as Vertex AI's clients call it: below a version,
                                                            or a project and its location there
*    other verbs, /v1beta/…, /upload/v1beta/…, /v1/files    Gemini, as it is, to an upstream that has it
*    the rest below /v1 and /openai                         OpenAI; Anthropic when anthropic-version is sent

Below /v1 files and the like are Google's only with a key where its SDK puts it; OpenAI has some, too. The server has
decoded the path, once and for all (RFC 3986, 2.4).
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args
from urllib.parse import parse_qs

from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed, NotFound

__all__ = [
    "COUNTED",
    "DIALECTS",
    "EMBEDDINGS",
    "MAKING",
    "PATHS",
    "DialectName",
    "Operation",
    "Route",
    "Streaming",
    "as_gemini",
    "is_dialect_path",
    "match",
    "native_of",
]

DialectName = Literal["openai-chat", "openai-responses", "anthropic", "gemini"]
Operation = Literal[
    "chat",
    "count_tokens",
    "embeddings",
    "images",
    "models",
    "model",
    "response",
    "response_cancel",
    "response_delete",
    "response_items",
    "native",
    "none",
]
Streaming = Literal["", "sse", "array"]

DIALECTS: Final[tuple[DialectName, ...]] = get_args(DialectName)
PATHS: Final[Mapping[DialectName, str]] = {  # where a model is asked
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:{method}",
}
MAKING: Final[frozenset[Operation]] = frozenset({"embeddings", "images"})  # asked for and answered in OpenAI's words
# what limits on requests count, and the ledger has rows of: neither model lists nor token counts
COUNTED: Final[frozenset[Operation]] = frozenset[Operation]({"chat", "native", "none"}) | MAKING
_OPENAI: Final[dict[str, Operation]] = {
    "/chat/completions": "chat",
    "/embeddings": "embeddings",
    "/images/generations": "images",
}
_EXACT: dict[str, tuple[str, DialectName, Operation]] = {
    **{f"{root}{path}": ("POST", "openai-chat", of) for path, of in _OPENAI.items() for root in ("/v1", "/openai/v1")},
    "/v1/messages": ("POST", "anthropic", "chat"),
    "/v1/messages/count_tokens": ("POST", "anthropic", "count_tokens"),
}
_DEPLOYMENTS: Final = "/openai/deployments/"
_RESPONSES: Final = re.compile(r"(?:/v1|/openai/v1|/openai)/responses(?:/([^/]+)(?:/([^/]+))?)?")
_KEEPING: Final[DialectName] = "openai-responses"
_BELOW_RESPONSES: Final = ("/v1/responses/", "/openai/v1/responses/", "/openai/responses/")
_ON_RESPONSE: Final[dict[str, dict[str, Operation]]] = {  # what stands behind the id: the methods
    "": {"GET": "response", "DELETE": "response_delete"},
    "input_items": {"GET": "response_items"},
    "cancel": {"POST": "response_cancel"},
}
_NO_RESPONSE: Final = {  # in the place of an id, or behind one
    "compact": "compaction is not available here; ask for a summary",
}
_PASSED: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")  # TRACE would show what the gateway has sent
_READING: Final = ("GET", "HEAD")  # then a colon is part of a model's name, such as qwen3:8b: no verb is read
_VERSIONS: Final = ("/v1beta/", "/v1/", "/v1beta1/", "/v1alpha/")  # of Google's; v1beta1 is Vertex AI's
_ANY_VERSION: Final = r"/v1(?:beta1?|alpha)?/"  # one of them
_PREFIXES = (*_VERSIONS, "/openai/")
_MODEL_LISTS = tuple(f"{prefix}models" for prefix in (*_PREFIXES, "/openai/v1/"))

_GEMINI: Final = ("/v1beta", "/v1alpha", "/upload/v1", "/download/v1")
_DOUBLED: Final = ("v1beta/", "v1/")  # where a base URL has the version already
_COLLECTIONS: Final = ("models/", "tunedModels/")
_VERBS: Final[dict[str, Operation]] = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "countTokens": "count_tokens",
}
_STREAM: Final = "streamGenerateContent"
_FORMS: Final[dict[str, Streaming]] = {"": "array", "json": "array", "sse": "sse"}
_OPERATIONS: Final = "/operations/"
_ON_MODEL: Final = re.compile(
    _ANY_VERSION + r"(?:models/(.+?)|(tunedModels/.+?))(?::[A-Za-z]+|/operations/.+)",
    re.DOTALL,  # else a line end behind the last of many /operations/ is looked for from each of them
)
_CALLS: Final[dict[str, DialectName]] = {
    **dict.fromkeys(_OPENAI, "openai-chat"),
    **dict.fromkeys(("/responses", "/responses/input_tokens"), _KEEPING),
    **dict.fromkeys(("/messages", "/messages/count_tokens"), "anthropic"),
}
_ENDS: Final = (*_CALLS, "/models")
_MISLED: Final = re.compile(rf"/v1beta(?:/v1)?({'|'.join(_CALLS)})/?")  # by a base URL that is Google's
_OF_CLAUDE: Final = "/publishers/anthropic/models/"  # as Vertex AI's clients call it
_IN_VERTEX: Final = ("/publishers/", "/locations/")
_OF_VERTEX: Final = re.compile(
    _ANY_VERSION + r"(?:projects/[^/]+/locations/[^/]+/)?(?:(?:publishers/([^/]+)/)?models(/.+)?|(endpoints/.+))",
    re.DOTALL,
)
_GOOGLE: Final = "google"
_IN_ITS_OWN_WORDS: Final = (":rawPredict", ":streamRawPredict")  # what is said there is in the publisher's dialect
_VERSION: Final = re.compile(rf"\A.*?{_ANY_VERSION}")
_BESIDE: Final = (
    *("/v1beta/", "/upload/v1beta/", "/download/v1beta/"),
    *("/v1alpha/", "/upload/v1alpha/", "/download/v1alpha/"),
    *("/upload/v1/", "/download/v1/"),
)
# OpenAI has some of these names, too
_COLLECTION: Final = re.compile(
    r"/v1/(?:files|batches|cachedContents|tunedModels|fileSearchStores|corpora|auth_tokens|interactions"
    r"|agents|credentials|decisions|environments|operations|triggers|voices|webhooks)(?:/.+)?"
)
# What the SDKs of OpenAI and Anthropic call and is not here, by how it begins behind the version: what to do instead.
_ROOT: Final = re.compile(r"\A/(?:openai/)?(?:v1/)?(?:deployments/[^/]+/)?")
_ALONE: Final = "batches are not made here; send each request by itself"
_WITHIN: Final = "files are not stored here; send the data within the request"
_INSTEAD: Final = (
    ("completions", "send the prompt as messages to /v1/chat/completions"),
    ("chat/completions/chatcmpl", "chat completions are not stored here; those of /v1/responses are"),
    ("conversations", "conversations are not stored here; send input, or previous_response_id"),
    ("assistants", "assistants are not stored here; use /v1/responses"),
    ("threads", "threads are not stored here; use /v1/responses"),
    ("realtime", "there are no live sessions here; stream a response"),
    ("messages/batches", _ALONE),
    ("batches", _ALONE),
    ("files", _WITHIN),
    ("uploads", _WITHIN),
    ("vector_stores", "texts are not searched here; send what is found within the request"),
)
# What Google's own API has, and not every upstream.
EMBEDDINGS: Final = "embeddings"
_ABSENT: Final = (
    ("embed", EMBEDDINGS),
    ("batchEmbed", EMBEDDINGS),
    ("asyncBatchEmbed", EMBEDDINGS),
    ("batch", "batches"),
    ("files", "files"),
    ("cachedContents", "context caches"),
    ("fileSearchStores", "file search"),
    ("tunedModels", "tuned models"),
    ("predict", "image and video generation by predict"),
)


class Route(Struct, frozen=True):
    """What a request asks for.

    `dialect`: a DialectName, or the name by which another distribution has registered one. `error` stands in for an
    operation that does not exist, and for a native one where no upstream has it. `model`: the id that stands in the
    path, of a model or of a kept response, "" where the body says it. `streams`: whether and how a Gemini path asks for
    a stream; the other dialects say it in the body. `foreign`: no dialect has such a path, it may be another app's.
    """

    dialect: str
    operation: Operation
    model: str = ""
    error: GatewayError | None = None
    streams: Streaming = ""
    foreign: bool = False


def is_dialect_path(path: str) -> bool:
    """Tell whether the pipeline, rather than the operators' endpoints, owns this path."""
    return path.startswith(_PREFIXES) or f"{path}/" in _PREFIXES


def as_gemini(path: str) -> str:
    """Give the path of the Gemini API for one of Vertex AI's that is about models; any other as it is.

    Its clients put a name's publisher into the path: what they were given as anthropic/claude is that name here, too.
    A tuned model is endpoints/ID, as an upstream of Vertex AI's calls it.
    """
    if _IN_VERTEX[0] not in path and _IN_VERTEX[1] not in path:
        return path
    found = _OF_VERTEX.fullmatch(path)
    if found is None or path.endswith(_IN_ITS_OWN_WORDS):
        return path
    publisher, model, endpoint = found.groups()
    name = model or (f"/{endpoint}" if endpoint else "")
    if name and publisher not in (None, _GOOGLE):
        name = f"/{publisher}{name}"
    return f"/v1beta/models{name}"


def match(method: str, path: str, headers: Mapping[bytes, bytes], query: bytes = b"") -> Route:
    """Find the route of a request; a path or method that is not served gives a route with an error."""
    model, call = _deployment(path)
    known = _EXACT.get(f"/v1{call}" if model else path)
    if known is not None:
        wanted, dialect, operation = known
        if method == wanted:
            return Route(dialect, operation, model)
        return _wrong_method(dialect, method, path, wanted)
    responses = _RESPONSES.fullmatch(path)
    if responses is not None:
        return _response(method, path, responses[1] or "", responses[2] or "")
    path = as_gemini(path)
    native = _native(path)
    if native is not None:
        return _call(method, path, *native, query)
    called = method not in _READING and ":" in path
    dialect = _dialect(path, headers, query, called=called)
    for prefix in _MODEL_LISTS:
        if path == prefix or (path.startswith(prefix + "/") and not called and _OPERATIONS not in path):
            if path.endswith("/"):
                break
            if method not in _READING:
                return _wrong_method(dialect, method, path, ", ".join(_READING))
            model = path[len(prefix) + 1 :]
            return Route(dialect, "model" if model else "models", model)
    return _other(method, path, _passed_on(path, headers, query), dialect)


def _other(method: str, path: str, passed_on: str | None, dialect: DialectName) -> Route:
    """Give the route of what no codec here reads: Google's own calls go on, the rest is nowhere."""
    absent = f"{method} {path[:200]} is not served here"
    if passed_on is None:
        foreign = dialect == "openai-chat" and not is_dialect_path(path)  # the one that nothing else names
        return Route(dialect, "none", error=NotFound(absent + (_instead(path) or _meant(path))), foreign=foreign)
    if method not in _PASSED:
        return _wrong_method("gemini", method, path, ", ".join(_PASSED))
    return Route("gemini", "native", passed_on, NotFound(absent + (_reason(path) or _meant(path))))


def _deployment(path: str) -> tuple[str, str]:
    """Give the model of an Azure path, where it is the name of a deployment, and what is called."""
    if path.startswith(_DEPLOYMENTS):
        for call in _OPENAI:
            if path.endswith(call):
                return path[len(_DEPLOYMENTS) : -len(call)], call
    return "", ""


def _response(method: str, path: str, name: str, what: str) -> Route:
    """Give the route of a call of Responses: to make one, to count, or on one that is kept."""
    if not what and name in ("", "input_tokens"):
        methods: dict[str, Operation] = {"POST": "count_tokens" if name else "chat"}
        name = ""
    else:
        methods = {} if name == "compact" else _ON_RESPONSE.get(what, {})
    if not methods:
        reason = _NO_RESPONSE.get(what or name)
        error = NotFound(f"{method} {path[:200]} is not served here{f': {reason}' if reason else ''}")
        return Route(_KEEPING, "none", error=error)
    if method not in methods:
        return _wrong_method(_KEEPING, method, path, ", ".join(methods))
    return Route(_KEEPING, methods[method], name)


def _native(path: str) -> tuple[str, str] | None:
    """Give model and verb of a Gemini call on a model."""
    for version in _VERSIONS:
        resource, _, verb = path.removeprefix(version).rpartition(":")
        named = resource.startswith(_COLLECTIONS) or ("/" in resource and not resource.startswith(_DOUBLED))
        if path.startswith(version) and verb in _VERBS and named:
            name = resource.removeprefix("models/")
            return (name, verb) if name else None
    return None


def _passed_on(path: str, headers: Mapping[bytes, bytes], query: bytes) -> str | None:
    """Give the model, or "" for none, of a path that Google's own API may have; None for any other."""
    found = _ON_MODEL.fullmatch(path)
    if found is not None:
        return found[1] or found[2]
    googles = path.startswith(_BESIDE) or (_COLLECTION.fullmatch(path) and _has_google_key(headers, query))
    return "" if googles and "/models/" not in path and not path.endswith("/") and not _MISLED.fullmatch(path) else None


def _call(method: str, path: str, model: str, verb: str, query: bytes) -> Route:
    form = _FORMS.get(parse_qs(query.decode("latin-1")).get("alt", [""])[-1])
    streams: Streaming = (form or "array") if verb == _STREAM else ""
    if method != "POST":
        return _wrong_method("gemini", method, path, "POST", streams)
    if form is None or (form == "sse" and not streams):
        wanted = "sse or json" if streams else "json"
        error = InvalidRequest(f"alt: this call responds as {wanted} only", param="alt")
        return Route("gemini", "none", error=error, streams=streams)
    return Route("gemini", _VERBS[verb], model, streams=streams)


def _dialect(path: str, headers: Mapping[bytes, bytes], query: bytes, *, called: bool) -> DialectName:
    misled = _MISLED.fullmatch(path)
    if misled is not None:
        return _CALLS[misled[1]]
    if path.startswith(_BELOW_RESPONSES):
        return _KEEPING
    if path.startswith(_GEMINI) or (called and "/models/" in path and ":" in path.rpartition("/models/")[2]):
        return "gemini"
    if path.startswith("/v1/messages"):
        return "anthropic"
    if path.startswith("/v1/models") and _has_google_key(headers, query):
        return "gemini"
    return "anthropic" if b"anthropic-version" in headers else "openai-chat"


def _meant(path: str) -> str:
    """Suggest the path that was missed by too much or too little in a base URL, or by a slash; "" = it is like none."""
    if _OF_CLAUDE in path:
        return "; did you mean /v1/messages?"
    asked = path.rstrip("/")
    of_model = _called(asked)[:200]
    end = of_model or next((end for end in _ENDS if asked.endswith(end)), "")
    version = "/v1beta" if of_model or (end == "/models" and "/v1beta/" in path) else "/v1"
    return f"; did you mean {version}{end}?" if end else ""


def _instead(path: str) -> str:
    """Say what to do where the official SDKs have more than this gateway; "" = nothing that is known."""
    asked = _ROOT.sub("", path) if is_dialect_path(path) else ""
    found = next((words for start, words in _INSTEAD if asked.startswith(start)), "")
    return f": {found}" if found else ""


def _called(path: str) -> str:
    """Give the end of a path that calls a model, whose name may have a slash in it; "" = it calls none."""
    resource, _, verb = path.rpartition(":")
    _, models, name = resource.partition("/models/")
    return f"{models}{name}:{verb}" if name and verb in _VERBS else ""


def _reason(path: str) -> str:
    """Say why a native call of Gemini is not served."""
    found = native_of(path)
    return f": no upstream here has Gemini's {found}" if found else ""


def native_of(path: str) -> str:
    """Say what a native call of Gemini asks for, "" = nothing that is known."""
    last = path.rpartition(":")[2] if ":" in path else _VERSION.sub("", path, count=1)
    return next((what for start, what in _ABSENT if last.startswith(start)), "")


def _has_google_key(headers: Mapping[bytes, bytes], query: bytes) -> bool:
    return b"x-goog-api-key" in headers or query.startswith(b"key=") or b"&key=" in query


def _wrong_method(dialect: DialectName, method: str, path: str, allow: str, streams: Streaming = "") -> Route:
    error = MethodNotAllowed(f"{path} takes {allow}, not {method}", headers={"allow": allow})
    return Route(dialect, "none", error=error, streams=streams)
