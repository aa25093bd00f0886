"""What the public API answers beside generating: counts, embeddings, and the lists of models, files and caches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.gemini_api_checks import counting
from tests.fakes.gemini_api_embeddings import batch_embed_contents, embed_content
from tests.fakes.gemini_api_models import listed, served
from tests.fakes.gemini_api_paging import page
from tests.fakes.gemini_api_predict import predict
from tests.fakes.gemini_api_routes import Route
from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import google
from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_reply import prompt_tokens

if TYPE_CHECKING:
    from tests.fakes.gemini_api import FakeGemini

__all__ = ["Visit", "answers", "upload"]


@dataclass(frozen=True)
class Visit:
    """One call of a known key."""

    fake: FakeGemini
    route: Route
    record: Record
    key: str

    @property
    def address(self) -> str:
        """Give what the caller's addresses begin with, up to the version."""
        return "/".join(filter(None, (f"http://{self.record.headers['host']}", self.route.base)))

    def model(self, name: str = "", method: str = "") -> Model:
        """Describe the model of the path, or another one, if it takes the method."""
        name, method = name or self.route.name, method or self.route.method
        return served(name, method, self.fake.models, self.route.version)


def answers(visit: Visit) -> dict[str, Callable[[], Json]]:
    """Give the answer of each method that is one JSON object."""
    fake, key, name = visit.fake, visit.key, visit.route.name
    body, query = visit.record.body, visit.record.query
    return {
        "countTokens": lambda: _counted(counting(body, name, visit.model())),
        "embedContent": lambda: embed_content(body, name, visit.model()),
        "predict": lambda: _predicted(visit),
        "batchEmbedContents": lambda: batch_embed_contents(body, name, visit.model()),
        "models.list": lambda: page("models", [listed(one) for one in fake.models], query, usual=50, most=1000),
        "models.get": lambda: _listed(visit),
        "tunedModels.list": lambda: page("tunedModels", fake.tuned_models, query, usual=10, most=1000),
        "files.list": lambda: page(
            "files", [file.shown(visit.address) for file in fake.files.of(key)], query, usual=10, most=100
        ),
        "files.get": lambda: fake.files.look(name, key).shown(visit.address),
        "files.delete": lambda: fake.files.delete(name, key),
        "cachedContents.create": lambda: _cached(visit),
        "cachedContents.list": lambda: page(
            "cachedContents", [cache.shown() for cache in fake.caches.of(key)], query, usual=50, most=1000
        ),
        "cachedContents.get": lambda: fake.caches.get(name, key).shown(),
        "cachedContents.delete": lambda: fake.caches.delete(name, key),
    }


def upload(visit: Visit) -> tuple[Json | None, dict[str, str]]:
    """Begin or continue an upload; give the body, where there is one, and the headers that tell how it stands."""
    files, record, version = visit.fake.files, visit.record, visit.route.version
    if "upload_id" not in record.query:
        upload_id = files.start(record.headers, record.body, visit.key)
        address = f"{visit.address}/upload/{version}/files?upload_id={upload_id}&upload_protocol=resumable"
        return None, {
            "X-Goog-Upload-URL": address,
            "X-Goog-Upload-Control-URL": address,
            "X-Goog-Upload-Chunk-Granularity": str(files.granularity),
            "X-Goog-Upload-Status": "active",
        }
    file = files.append(record.query["upload_id"], record.headers, record.raw)
    if file is None:
        return None, {"X-Goog-Upload-Status": "active"}
    return {"file": file.shown(visit.address)}, {"X-Goog-Upload-Status": "final"}


def _predicted(visit: Visit) -> Json:
    visit.model()
    return predict(visit.record.body)


def _counted(call: Call) -> Json:
    tokens = prompt_tokens(call)
    return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}


def _listed(visit: Visit) -> Json:
    route = visit.route
    if route.name.removeprefix("models/") not in visit.fake.models:
        raise google(404, f"Model is not found: {route.name} for api version {route.version}")
    return listed(route.name.removeprefix("models/"))


def _cached(visit: Visit) -> Json:
    return visit.fake.caches.create(
        visit.record.body,
        visit.key,
        lambda name: visit.model(name, "createCachedContent"),
        lambda call: visit.fake.files.judge(call, visit.key),
    )
