"""What must be told of the requests so far: the one word that every place has to repeat, by the place's own names.

Money is counted in billionths of a dollar, so that sums are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from gateway.costs import BILLION

from .asking import Tokens
from .material import PRICES, Json

__all__ = ["GAUGES", "REPORTS", "Books", "Ended", "Key", "Said", "Sums", "billionths"]

Said = Mapping[Any, Any]  # by the names of what is told

REPORTS: Final = ("key", "upstream", "model")
GAUGES: Final = ("requests_under_way", "requests_waiting", "open_streams")
_OTHER: Final = "other"
_LEFT: Final = 499  # in the metrics, of a caller that left before there was a status


@dataclass(frozen=True)
class Ended:
    """One request. `called`: the upstream and the model of each call for it; `limit`: the one that has refused it.

    `sent`: the tokens by the word of the upstream; `heard`: by that of the answer to the caller. `room`: the requests
    that are left by its headers. `counts`: it is of a kind that limits and the ledger count.
    """

    id: str
    key: str
    dialect: str
    status: int | None
    end: str
    called: tuple[tuple[str, str], ...] = ()
    sent: Tokens | None = None
    heard: Tokens | None = None
    room: int | None = None
    limit: str = ""
    counts: bool = True

    @property
    def failed(self) -> bool:
        """Whether its caller has an error."""
        return self.end == "error"

    @property
    def upstream(self) -> str:
        """Name who was called last."""
        return self.called[-1][0] if self.called else ""

    @property
    def model(self) -> str:
        """Name the model that was called last."""
        return self.called[-1][1] if self.called else ""

    @property
    def label(self) -> str:
        """Name it as metrics do, which know the models that an upstream lists."""
        return self.model if not self.model or self.model in PRICES else _OTHER

    @property
    def billionths(self) -> int:
        """Say what it costs."""
        if self.sent is None:
            return 0
        price, cached_price, output_price = PRICES[self.model]
        prompt, cached, output = self.sent
        return (prompt - cached) * price + cached * cached_price + output * output_price


@dataclass(frozen=True)
class Sums:
    """What some requests came to."""

    requests: int
    errors: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    billionths: int

    @classmethod
    def of(cls, requests: Iterable[Ended]) -> Sums:
        """Add them up."""
        listed = list(requests)
        known = [one.sent for one in listed if one.sent is not None]
        prompt, cached, output = (sum(column) for column in zip((0, 0, 0), *known, strict=True))
        errors, cost = sum(one.failed for one in listed), sum(one.billionths for one in listed)
        return cls(len(listed), errors, prompt, cached, output, cost)

    @classmethod
    def told(cls, row: Json) -> Sums:
        """Read a row of a report."""
        tokens = row["input_tokens"], row["cached_tokens"], row["output_tokens"]
        return cls(row["requests"], row["errors"], *tokens, billionths(row["usd"]))


@dataclass
class Key:
    """One key. `unsure`: what it has used is known to the gateway alone, which has estimated it."""

    name: str
    secret: str
    limits: dict[str, float]
    lives: bool = True
    unsure: bool = False


@dataclass
class Books:
    """All requests that have ended, and all keys."""

    ended: list[Ended] = field(default_factory=list[Ended])
    keys: dict[str, Key] = field(default_factory=dict[str, Key])

    def enter(self, one: Ended) -> None:
        """Enter a request."""
        self.ended.append(one)
        if one.called and one.sent is None and not one.failed and one.counts:
            self.keys[one.key].unsure = True

    @property
    def booked(self) -> list[Ended]:
        """Those that the ledger has."""
        return [one for one in self.ended if one.counts and one.key and not one.limit]

    def is_over(self, name: str) -> bool:
        """Whether this key may make no request any more."""
        return self._made(name) >= self.keys[name].limits.get("requests_per_day", inf)

    def line(self) -> Said:
        """Say what the access log says of the last request."""
        one = self.ended[-1]
        prompt, cached, output = one.sent or (None, None, None)
        return {
            "request_id": one.id,
            "key": one.key or "anonymous",
            "dialect": one.dialect,
            "status": one.status,
            "end": one.end,
            "upstream": f"{one.upstream}/{one.model}" if one.called else None,
            "attempts": len(one.called) or None,
            "input_tokens": prompt,
            "cached_tokens": cached,
            "output_tokens": output,
        }

    def heard(self) -> Said:
        """Say what the answer to the caller says of its tokens."""
        one = self.ended[-1]
        return {one.id: one.sent if one.end == "done" else one.heard}

    def room(self) -> Said:
        """Say what the headers of the last answer say is left; Gemini's have none for it."""
        one = self.ended[-1]
        most = self.keys[one.key].limits.get("requests_per_day") if one.key and one.counts else None
        if most is None or one.dialect == "gemini" or one.end == "client_closed":
            return {}
        return {one.id: max(0, most - self._made(one.key))}

    def ledger(self) -> Said:
        """Say what the ledger says of each key, each upstream and each model, and of all."""
        said: dict[Hashable, Any] = {}
        for by in REPORTS:
            said[by, "all"] = Sums.of(self.booked)
            for name in {getattr(one, by) for one in self.booked}:
                said[by, name] = Sums.of(one for one in self.booked if getattr(one, by) == name)
        return said

    def own(self) -> Said:
        """Say what the key of the last request is told of itself."""
        key = self.keys.get(self.ended[-1].key)
        if key is None or not key.lives:
            return {}
        used = Sums.of(one for one in self.booked if one.key == key.name)
        spent = {"tokens_per_day": used.input_tokens + used.output_tokens, "usd_per_month": used.billionths}
        sure = {"requests_per_day": self._made(key.name)} | ({} if key.unsure else spent)
        left = {
            ("left", name): max(0, round(limit * (BILLION if name == "usd_per_month" else 1)) - sure[name])
            for name, limit in key.limits.items()
            if name in sure
        }
        return {"today": used, "this_month": used, **left}

    def metrics(self) -> Said:
        """Say what has been counted for Prometheus."""
        counts: Counter[Hashable] = Counter()
        for one in self.ended:
            status = str(one.status or _LEFT)
            counts["requests_total", one.dialect, one.upstream, one.label, status] += 1
            counts["request_ends_total", one.dialect, one.upstream, one.end] += 1
            counts["errors_total", one.dialect, one.upstream] += one.failed
            counts["cost_usd_total", one.upstream, one.label] += one.billionths
            counts["limit_refusals_total", one.limit] += bool(one.limit)
            for kind, tokens in zip(("input", "cached", "output"), one.sent or (), strict=False):
                counts["tokens_total", kind, one.upstream, one.label] += tokens
            for upstream, _ in one.called[:-1]:
                counts["retries_total", upstream] += 1
        return {name: count for name, count in counts.items() if count}

    def _made(self, name: str) -> int:
        """Count the requests of a key that the limit on requests has let in."""
        return sum(one.key == name and one.counts and one.limit != "requests_per_day" for one in self.ended)


def billionths(usd: float | None) -> int:
    """Count dollars in their billionths."""
    return round((usd or 0.0) * BILLION)
