"""Keys that are read but change nothing yet, each with a short reason; `gateway check` says so.

A pattern is a key path of `schema_keys()` or a glob over it; with `=value` only that value is without effect. A
key that begins to work loses its line here and gets the name of a test in `tests/gateway/config/behaviour.py`.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["NOT_IN_EFFECT", "why_not"]

NOT_IN_EFFECT: Final[Mapping[str, str]] = {
    # this version has no such part
    "store.database": "SQLite only",
    "store.redis": "one process only",
    "models.list_variants": "no variants",
    "models.variant.*": "no variants",
    "limits.tokens_per_*": "requests and concurrent only",
    "limits.usd_per_*": "requests and concurrent only",
    "key.*.limits.tokens_per_*": "requests and concurrent only",
    "key.*.limits.usd_per_*": "requests and concurrent only",
    "upstream.*.type=gemini": "no adapter",
    "upstream.*.type=vertex": "no adapter",
    "upstream.*.type=openai": "no adapter",
    "upstream.*.type=azure": "no adapter",
    "upstream.*.type=anthropic": "no adapter",
    "upstream.*.api_key": "no adapter that has it",
    "upstream.*.base_url": "no adapter that has it",
    "upstream.*.project": "no adapter that has it",
    "upstream.*.location": "no adapter that has it",
    "upstream.*.api": "no adapter that has it",
    "upstream.*.max_tokens_field": "no adapter that has it",
    "upstream.*.endpoint": "no adapter that has it",
    "upstream.*.api_version": "no adapter that has it",
    "upstream.*.deployments.*": "no adapter that has it",
    "upstream.*.pool.strategy": "round_robin only",
    "upstream.*.pool.health.*": "no health checks",
    "upstream.*.pool.quota_floor": "quotas are not read",
    "translate.images_out": "markdown only",
    "translate.fetch_urls": "never fetched",
    "log.file": "standard error only",
    "log.rotated": "standard error only",
    "log.keep": "standard error only",
    "log.bodies": "never logged",
    "responses.*": "no Responses",
    "usage.*": "no ledger",
    "admin.*": "no page",
    "metrics.*": "no metrics",
    "cors.*": "off",
    "record.*": "off",
    # read, and nothing asks for it so far
    "server.*": "not wired",
    "pipeline.*": "not wired",
    "middleware.*": "not wired",
    "auth.*": "not wired",
    "key.*.name": "not wired",
    "key.*.sha256": "not wired",
    "key.*.secret": "not wired",
    "key.*.models": "not wired",
    "key.*.scopes": "not wired",
    "key.*.expires": "not wired",
    "key.*.limits.requests_per_*": "not wired",
    "key.*.limits.concurrent": "not wired",
    "limits.requests_per_*": "not wired",
    "limits.concurrent": "not wired",
    "store.encryption_key": "not wired",
    "models.default_upstream": "not wired",
    "models.unknown": "not wired",
    "models.echo": "not wired",
    "models.alias.*": "not wired",
    "models.family.*": "not wired",
    "thinking.*": "not wired",
    "defaults.*": "not wired",
    "upstream.*.type": "not wired",
    "upstream.*.models": "not wired",
    "upstream.*.alias.*": "not wired",
    "upstream.*.base_urls": "not wired",
    "upstream.*.user_agent": "not wired",
    "upstream.*.headers.*": "not wired",
    "upstream.*.envelope": "not wired",
    "upstream.*.oauth.*": "not wired",
    "upstream.*.pool.refresh_tokens": "not wired",
    "upstream.*.pool.import": "not wired",
    "upstream.*.pool.uses_per_turn": "not wired",
    "upstream.*.pool.min_credentials": "not wired",
    "upstream.*.pool.refresh_before": "not wired",
    "upstream.*.pool.cooldown.*": "not wired",
    "upstream.*.pool.project_ids.*": "not wired",
    "upstream.*.pool.project_fallback": "not wired",
    "timeouts.*": "not wired",
    "retry.*": "not wired",
    "translate.lossy": "not wired",
    "translate.thinking_conflict": "not wired",
    "translate.signatures": "not wired",
    "log.level": "not wired",
    "log.format": "not wired",
}


def why_not(key: str, value: str = "", table: Mapping[str, str] = NOT_IN_EFFECT) -> str:
    """Say why a key of `schema_keys()`, or its value, has no effect yet; "" when it has."""
    reasons = (
        reason
        for pattern, reason in table.items()
        if fnmatchcase(key, pattern) or (value and fnmatchcase(f"{key}={value}", pattern))
    )
    return next(reasons, "")
