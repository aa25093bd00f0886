"""The metrics of the GenAI semantic conventions: of each upstream call as its client, of each request as a server."""

from typing import Final

from opentelemetry.metrics import Meter

__all__ = ["Instruments"]

# the bounds that the conventions ask for
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_S: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKENS: Final = tuple(float(4**power) for power in range(14))


class Instruments:
    """Named as the conventions name them."""

    def __init__(self, meter: Meter) -> None:
        histogram = meter.create_histogram
        self.call_seconds = histogram(
            "gen_ai.client.operation.duration",
            "s",
            "Upstream calls, from start to the end of the response.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.call_first_seconds = histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Upstream calls, from start to the first content.",
            explicit_bucket_boundaries_advisory=_FIRST_S,
        )
        self.tokens = histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of upstream calls.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.request_seconds = histogram(
            "gen_ai.server.request.duration",
            "s",
            "Requests, from start to the last byte.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.first_seconds = histogram(
            "gen_ai.server.time_to_first_token",
            "s",
            "Requests, from start to the first byte of content.",
            explicit_bucket_boundaries_advisory=_FIRST_S,
        )
