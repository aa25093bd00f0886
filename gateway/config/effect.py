"""Keys that are read but change nothing yet, each with a short reason; `gateway check` says so.

A pattern is a key path of `schema_keys()` or a glob over it; with `=value` only that value is without effect. A
key that begins to work loses its line here and gets the name of a test in `tests/gateway/config/behaviour.py`.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["NOT_IN_EFFECT", "why_not"]

NOT_IN_EFFECT: Final[Mapping[str, str]] = {
    'pipeline.order=*"usage"*': "usage is not served",
    "store.database": "SQLite only",
    "store.redis": "signatures only",
    "limits.tokens_per_*": "requests and concurrent only",
    "limits.usd_per_*": "requests and concurrent only",
    "key.*.limits.tokens_per_*": "requests and concurrent only",
    "key.*.limits.usd_per_*": "requests and concurrent only",
    "upstream.*.oauth.authorize_url": "no web login",
    "upstream.*.oauth.scopes": "no web login",
    "upstream.*.pool.strategy": "round_robin only",
    "upstream.*.pool.health.*": "no health checks",
    "upstream.*.pool.quota_floor": "quotas are not read",
    "log.bodies": "never logged",
    "usage.*": "no ledger",
    "admin.*": "no page",
    "metrics.otlp": "no OpenTelemetry",
    "cors.*": "no CORS",
    "record.*": "no recorder",
}


def why_not(key: str, value: str = "", table: Mapping[str, str] = NOT_IN_EFFECT) -> str:
    """Say why a key of `schema_keys()`, or a part of its value, has no effect yet; "" when it has."""
    reasons = (
        reason
        for pattern, reason in table.items()
        if fnmatchcase(key, pattern) or (value and fnmatchcase(f"{key}={value}", pattern))
    )
    return ", ".join(dict.fromkeys(reasons))
