"""Which call a path means, and which parameters its query may have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.fakes.v1internal_errors import Refusal, invalid, undecodable

__all__ = ["Route", "find", "query_refused"]

_MODEL_METHODS = "generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict"
_VERSION = "(?P<version>v1beta|v1alpha|v1)"
# HTTP method, path, method of the API (that of a model stands behind the last colon)
_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", f"{_VERSION}/(?P<name>(?:m|tunedM)odels/.+):(?P<method>{_MODEL_METHODS})", ""),
    ("GET", f"{_VERSION}/models", "models.list"),
    ("GET", f"{_VERSION}/(?P<name>models/[^/:]+)", "models.get"),
    ("GET", f"{_VERSION}/tunedModels", "tunedModels.list"),
    ("POST", f"upload/{_VERSION}/files", "files.upload"),
    ("GET", f"{_VERSION}/files", "files.list"),
    ("GET", f"{_VERSION}/(?P<name>files/[^/]+)", "files.get"),
    ("DELETE", f"{_VERSION}/(?P<name>files/[^/]+)", "files.delete"),
    ("POST", f"{_VERSION}/cachedContents", "cachedContents.create"),
    ("GET", f"{_VERSION}/cachedContents", "cachedContents.list"),
    ("GET", f"{_VERSION}/(?P<name>cachedContents/[^/]+)", "cachedContents.get"),
    ("DELETE", f"{_VERSION}/(?P<name>cachedContents/[^/]+)", "cachedContents.delete"),
)
_COMPILED = tuple((verb, re.compile(f"(?P<base>.*?)/{path}"), method) for verb, path, method in _ROUTES)
# https://cloud.google.com/apis/docs/system-parameters
_STANDARD = frozenset({"key", "alt", "prettyPrint", "quotaUser", "fields", "callback", "$.xgafv"})
_OWN = {
    "models.list": {"pageSize", "pageToken"},
    "tunedModels.list": {"pageSize", "pageToken", "filter"},
    "files.list": {"pageSize", "pageToken"},
    "cachedContents.list": {"pageSize", "pageToken"},
    "files.upload": {"upload_id", "upload_protocol", "uploadType"},
}


@dataclass(frozen=True)
class Route:
    """One call: its method, the resource it names, and what stood before the version."""

    method: str
    name: str
    version: str
    base: str


def find(verb: str, path: str) -> Route | None:
    """Find the call at a path, which is no longer percent-encoded."""
    for wanted, pattern, method in _COMPILED:
        found = pattern.fullmatch(path) if verb == wanted else None
        if found is not None:
            named = found.groupdict()
            return Route(
                named.get("method") or method, named.get("name") or "", found["version"], found["base"].strip("/")
            )
    return None


def query_refused(method: str, names: Iterable[str], alt: str) -> Refusal | None:
    """Refuse a parameter that the method has not, and a format that it cannot answer in."""
    unknown = [name for name in names if name not in _STANDARD | _OWN.get(method, set())]
    if unknown:
        return undecodable([(name, _unbound(name)) for name in unknown])
    formats = {"json", "sse"} if method == "streamGenerateContent" else {"json"}
    return None if alt in formats else invalid(f"Invalid value for alt: {alt}.")


def _unbound(name: str) -> str:
    return (
        f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
        f"Field '{name}' could not be found in request message."
    )
