"""What is told of what an upstream cannot carry: in the headers of an answer, or as a refusal in strict mode."""

import re
from functools import lru_cache
from typing import Final

from gateway import ir
from gateway.context import RequestContext
from gateway.errors import InvalidRequest
from gateway.upstream import Target

__all__ = ["of_variants", "refuse_losses", "tell", "tell_losses", "tell_upstream"]

_HIDDEN: Final = re.compile(rb"[^!-~]")
_NAMED: Final = 20  # losses, in one refusal


def tell(context: RequestContext, target: Target, losses: tuple[ir.Loss, ...]) -> None:
    """Note who answers, and what it does not carry."""
    context.upstream = label = target.label
    context.begins()
    context.reply_headers.append((b"x-gateway-upstream", _header(label)))
    tell_losses(context, losses)


def tell_upstream(context: RequestContext, label: str) -> None:
    """Note who answers, and no more."""
    context.reply_headers.append((b"x-gateway-upstream", _header(label)))


def tell_losses(context: RequestContext, losses: tuple[ir.Loss, ...]) -> None:
    """Note and count what is not carried."""
    context.losses = losses
    lost = sum(loss.severity != "hint" for loss in losses) if losses else 0
    if lost:
        context.reply_headers.append((b"x-gateway-lossy", str(lost).encode()))


def of_variants(target: Target) -> tuple[ir.Loss, ...]:
    """Give what the suffixes of a name lose where no words are asked for."""
    return tuple(ir.Loss("model", f"{suffix} is for text responses only", "change") for suffix in target.variants)


def refuse_losses(losses: tuple[ir.Loss, ...]) -> None:
    """Refuse in strict mode what would change or lose something (translate.lossy); name it, as far as a line goes."""
    lost = [loss for loss in losses if loss.severity != "hint"]
    if lost:
        listed = "; ".join(f"{loss.path}: {loss.reason} ({loss.severity})" for loss in lost[:_NAMED])
        more = f"; and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        reason = f"translate.lossy is strict, and this upstream cannot carry: {listed}{more}"
        raise InvalidRequest(reason, param=lost[0].path)


@lru_cache(maxsize=256)
def _header(text: str) -> bytes:
    """Make a header value of a model name: what is no visible ASCII is percent-encoded, so that it can be read."""
    return _HIDDEN.sub(lambda found: b"%%%02X" % ord(found[0]), text.encode(errors="replace"))
