"""What a request may use, and what it has used, in tokens and in money."""

from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway import ir
from gateway.context import RequestContext
from gateway.ir.estimate import estimate, estimate_body
from gateway.prices import Prices
from gateway.routes import MAKING

__all__ = ["BILLION", "Costs", "cost_of"]

BILLION: Final = 1_000_000_000  # money is counted in billionths of a dollar
_OUTPUT: Final = 1024  # where nobody says how much is wanted
_TOLD: Final = 100  # models without a price that are named in the log


def cost_of(context: RequestContext, prices: Prices) -> float | None:
    """Give what an answer that has ended costs in USD; None where its use or its price is not known."""
    if context.usd is None and context.usage is not None:
        upstream, model = context.answerer
        context.usd = prices.usd(upstream, model, context.usage) if model else None
    return context.usd


class Costs:
    """Knows what tokens cost; tells once of each model that has no price, for its use is not counted as money.

    `output`: the tokens that a caller is given who does not say how many it wants, None = nobody says.
    """

    def __init__(
        self, prices: Prices | None = None, logger: FilteringBoundLogger | None = None, *, output: int | None = None
    ) -> None:
        self._prices = prices
        self._logger = logger
        self._output = _OUTPUT if output is None else output
        self._told: set[tuple[str, str]] = set()

    def expected(self, context: RequestContext) -> ir.Usage:
        """Say what a request may use, before it is sent."""
        request = context.request
        if context.expected is not None or request is None:  # of a call that nobody here reads
            return context.expected or ir.Usage()
        if context.route.operation in MAKING:
            prompt = estimate_body(request.native.body) if request.native is not None else 0
            return ir.Usage(input=prompt, output=_OUTPUT if context.route.operation == "images" else 0)
        wanted = request.sampling.max_tokens
        output = (self._output if wanted is None else max(0, wanted)) * max(1, request.sampling.n or 1)
        return ir.Usage(input=estimate(request), output=min(output, ir.MOST_TOKENS))

    def used(self, context: RequestContext, expected: ir.Usage) -> ir.Usage | None:
        """Say what it has used, once it has ended; None = nothing.

        That is what the upstream has counted so far; what was expected, where an answer began and the upstream says
        nothing, or nobody knows, because the caller has left while one was asked.
        """
        if context.usage is not None:
            return context.usage
        if context.route.operation == "native":
            began = context.status is None or context.status < 400
        else:
            began = bool(context.upstream) or (context.error is None and not context.in_vain)
        return expected if began and context.attempts else None

    def at_most(self, context: RequestContext, usage: ir.Usage) -> int:
        """Give what this use would cost where it costs most, of those that may answer."""
        return max((self._cost(target.adapter.name, target.model, usage) for target in context.targets), default=0)

    def of(self, context: RequestContext, usage: ir.Usage) -> int:
        """Give what this use of the upstream that has answered costs."""
        upstream, model = context.answerer
        return self._cost(upstream, model, usage) if model else 0

    def _cost(self, upstream: str, model: str, usage: ir.Usage) -> int:
        usd = self._prices.usd(upstream, model, usage) if self._prices is not None else None
        if usd is None:
            self._tell(upstream, model)
            return 0
        return round(usd * BILLION)

    def _tell(self, upstream: str, model: str) -> None:
        if self._logger is not None and (upstream, model) not in self._told and len(self._told) < _TOLD:
            self._told.add((upstream, model))
            self._logger.warning(
                "limits on money do not count a model without a price; add one in [usage.price]",
                upstream=upstream,
                model=model,
            )
