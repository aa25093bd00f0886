"""Cached contents: prompts that a key stored, and their use before the contents of a call."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.gemini_api_checks import PROMPT, judged
from tests.fakes.gemini_api_errors import permission_denied
from tests.fakes.gemini_api_files import stamp
from tests.fakes.gemini_api_messages import PROTO
from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_reply import prompt_tokens

__all__ = ["Cache", "Caches"]

USUAL_LIFE = timedelta(hours=1)
TTL = re.compile(r"([0-9]+(?:\.[0-9]{1,9})?)s")
OWNED_BY_CACHE = ("systemInstruction", "tools", "toolConfig")


@dataclass
class Cache:
    """A cached prompt of one key; `model` is a resource name."""

    name: str
    owner: str
    model: str
    tokens: int
    expires: datetime
    display_name: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def shown(self) -> Json:
        """Write the resource, without what is cached."""
        entry: Json = {
            "name": self.name,
            "model": self.model,
            "createTime": stamp(self.created),
            "updateTime": stamp(self.created),
            "expireTime": stamp(self.expires),
            "usageMetadata": {"totalTokenCount": self.tokens},
        }
        return entry | ({"displayName": self.display_name} if self.display_name else {})


@dataclass
class Caches:
    """The caches of all keys; smaller prompts than `least_tokens` are not cached."""

    stored: dict[str, Cache] = field(default_factory=dict)
    least_tokens: int = 1024
    made: int = 0

    def create(self, body: Any, owner: str, find: Callable[[str], Model], allow: Callable[[Call], None]) -> Json:
        """Cache a prompt; `find` describes a model or refuses, `allow` judges the files of the prompt."""
        asked = PROTO.decode("CachedContent", body)
        if "model" not in asked:
            raise invalid("* CreateCachedContentRequest.cached_content.model: model is required.\n")
        if "ttl" in asked and "expireTime" in asked:
            raise invalid(
                "Invalid value at 'cached_content' (oneof), oneof field 'expiration' is already set. "
                "Cannot set 'expireTime'"
            )
        call = judged(asked, find(asked["model"]), PROMPT)
        allow(call)
        tokens = prompt_tokens(call)
        if tokens < self.least_tokens:
            raise invalid(
                f"Cached content is too small. total_token_count={tokens}, min_total_token_count={self.least_tokens}"
            )
        self.made += 1
        name = f"cachedContents/fake{self.made:08x}"
        expires = _expires(asked)
        self.stored[name] = Cache(name, owner, asked["model"], tokens, expires, asked.get("displayName", ""))
        return self.stored[name].shown()

    def of(self, owner: str) -> list[Cache]:
        """List the caches of one key."""
        return [cache for cache in self.stored.values() if cache.owner == owner]

    def get(self, name: str, owner: str) -> Cache:
        """Find a cache of this key that has not expired."""
        cache = self.stored.get(name)
        if cache is None or cache.owner != owner or cache.expires <= datetime.now(UTC):
            raise permission_denied("CachedContent not found (or permission denied)")
        return cache

    def delete(self, name: str, owner: str) -> Json:
        """Delete a cache."""
        del self.stored[self.get(name, owner).name]
        return {}

    def used(self, call: Call, model: str, owner: str) -> int:
        """Say how many tokens come from the cache that a call names, or refuse its use."""
        name = call.request.get("cachedContent")
        if not name:
            return 0
        cache = self.get(name, owner)
        if any(field in call.request for field in OWNED_BY_CACHE):
            raise invalid(
                "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
                "tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request."
            )
        if cache.model != model:
            raise invalid(
                f"Model used by GenerateContent request ({model}) and CachedContent ({cache.model}) has to be the same."
            )
        return cache.tokens


def _expires(asked: Json) -> datetime:
    if "expireTime" in asked:
        return _moment(asked["expireTime"])
    ttl = asked.get("ttl")
    if ttl is None:
        return datetime.now(UTC) + USUAL_LIFE
    found = TTL.fullmatch(ttl)
    if found is None:
        raise invalid(f"Invalid value at 'cached_content.ttl' (type.googleapis.com/google.protobuf.Duration), {ttl}")
    return datetime.now(UTC) + timedelta(seconds=float(found[1]))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        kind = "type.googleapis.com/google.protobuf.Timestamp"
        raise invalid(f"Invalid value at 'cached_content.expire_time' ({kind}), {text}")
    return moment
