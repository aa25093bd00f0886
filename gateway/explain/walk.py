"""The app that stands in the relay's place: it goes as far as the relay goes before it calls an upstream."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from gateway import ir
from gateway.clock import Clock
from gateway.config import Decision, Loaded
from gateway.context import RequestContext, attach
from gateway.dialects.raw import FIELDS
from gateway.dialects.tables import REPLY_EDITS
from gateway.errors import GatewayError, ModelNotFound
from gateway.explain.answer import Member, Refusal, Way, step_of
from gateway.explain.changes import changes
from gateway.explain.difference import difference
from gateway.explain.ways import Found, Ways
from gateway.fetching import stand_ins
from gateway.redact import MASK, redact
from gateway.relay import Relay
from gateway.resolution import Resolution
from gateway.upstream import Edit, Journey, Outgoing, Passing, Target, Telling

__all__ = ["Walk"]

_SETTINGS: Final = ("type", "base_urls", "base_url", "envelope", "user_agent", "headers")
_WITHIN: Final = {"v1internal": "request"}  # where an upstream has an envelope for what came
_LEFT_OUT: Final = "skipped: another member can carry what cannot be translated"
_SIGNED: Final = (ir.Text, ir.Media, ir.Thinking, ir.ToolCall)


class Walk:
    """ASGI app; `reached` and `ways` are what has come of the one request that it gets, whose body `came`."""

    def __init__(self, loaded: Loaded, resolver: Ways, clock: Clock, came: bytes) -> None:
        config = loaded.config
        self._came = came
        self._loaded = loaded
        self._resolver = resolver
        self._relay = Relay(config, clock)
        # to list in strict mode, too, all that would be lost
        self._lenient = Relay(replace(config, translate=replace(config.translate, lossy="report")), clock)
        self.reached = False
        self.ways: tuple[Way, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at one request."""
        context, send = attach(scope, send)
        self.reached = True
        self.ways = tuple(self._way(found, context) for found in self._found(context))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{}"})

    def _found(self, context: RequestContext) -> tuple[Found, ...]:
        """Give every way of the name, or the one that a middleware has chosen behind model_map."""
        found = self._resolver.found
        known = [one.resolution.targets for one in found if isinstance(one.resolution, Resolution)]
        return found if context.targets in known else (Found(1.0, Resolution(context.targets, ())),)

    def _way(self, found: Found, context: RequestContext) -> Way:
        resolution = found.resolution
        if isinstance(resolution, ModelNotFound):
            return Way(share=found.share, error=Refusal.of(resolution))
        if self._loaded.config.translate.fetch_urls and context.request is not None:
            context.fetched = stand_ins(self._relay.unfetched(context.request, resolution.targets))
        return Way(
            share=found.share,
            decisions=tuple(step_of(decision, self._loaded) for decision in resolution.decisions),
            members=tuple(self._members(context, resolution.targets)),
        )

    def _members(self, context: RequestContext, targets: Sequence[Target]) -> Iterator[Member]:
        """Look at each member of a chain, and whether the request would ever come to it."""
        able = self._relay.able(context.request, targets)
        for target in targets:
            yield replace(self._member(context, target), untried="" if target in able else _LEFT_OUT)

    def _member(self, context: RequestContext, target: Target) -> Member:
        """Look at one member."""
        notes = list(self._settings(target))
        try:
            journey = self._relay.embark(context, target, notes)
        except GatewayError as error:
            return replace(self._described(target, notes, self._losses(context, target)), error=Refusal.of(error))
        losses = journey.request.lost(journey.losses)
        notes += self._translation(journey.request)
        notes += [Decision("fetched", redact(url), ("translate", "fetch_urls")) for url in context.fetched]
        member = self._sent(self._described(target, notes, losses), target, journey)
        journey.done(None)
        return member

    def _described(self, target: Target, notes: list[Decision], losses: tuple[ir.Loss, ...]) -> Member:
        if any(loss.severity != "hint" for loss in losses):
            notes.append(Decision("losses", self._loaded.config.translate.lossy, ("translate", "lossy")))
        return Member(
            upstream=target.adapter.name,
            model=target.model,
            state=target.adapter.state(),
            decisions=tuple(step_of(note, self._loaded) for note in notes),
            losses=losses,
        )

    def _sent(self, member: Member, target: Target, journey: Journey) -> Member:
        """Add what would go out, and where to if the upstream tells it."""
        outgoing = journey.outgoing() if isinstance(journey, Telling) else None
        body, passed_on = Raw(bytes(journey.body())), journey.request.native is not None
        came, goes = msgspec.json.decode(self._came), msgspec.json.decode(body)
        member = replace(
            member,
            passed_on=passed_on,
            edits=self._edits(journey),
            body=body,
            changes=changes(came, goes, member.losses, outgoing.url if outgoing is not None else ""),
            difference=self._difference(target, body) if passed_on else (),
        )
        if outgoing is None:
            return member
        return replace(
            member,
            method=outgoing.method,
            url=redact(outgoing.url),
            headers=self._headers(target, outgoing),
            varies=dict(outgoing.varies),
            shortage=Refusal.of(outgoing.shortage) if outgoing.shortage is not None else None,
        )

    def _difference(self, target: Target, body: Raw) -> tuple[str, ...]:
        within = _WITHIN.get(self._loaded.config.upstream[target.adapter.name].type)
        return difference(self._came, bytes(body if within is None else FIELDS.decode(body)[within]))

    def _edits(self, journey: Journey) -> tuple[Edit, ...]:
        """Say what is written otherwise of the words that pass: in the request, and what may be in its answer."""
        if journey.request.native is None:
            return ()
        made = journey.edits if isinstance(journey, Passing) else ()
        return (*made, *REPLY_EDITS.get(journey.request.native.dialect, ()))

    def _losses(self, context: RequestContext, target: Target) -> tuple[ir.Loss, ...]:
        try:
            journey = self._lenient.embark(context, target)
        except GatewayError:
            return ()
        journey.done(None)
        return journey.request.lost(journey.losses)

    def _headers(self, target: Target, outgoing: Outgoing) -> dict[str, str]:
        """Show the headers; those that the operator has written may hold a secret of any shape."""
        written = getattr(self._loaded.config.upstream[target.adapter.name], "headers", {})
        hidden = {name.lower() for name in written}
        return {name: MASK if name in hidden else redact(value) for name, value in outgoing.headers.items()}

    # decisions beside those that the rules and the policies note themselves

    def _settings(self, target: Target) -> Iterator[Decision]:
        """Say what the upstream's own table has to do with the call."""
        name = target.adapter.name
        config = self._loaded.config.upstream[name]
        for setting in _SETTINGS:
            value = getattr(config, setting, None)
            if not value:
                continue
            path = ("upstream", name, setting)
            table = setting == "type" and path not in self._loaded.sources  # the name of the table says it
            shown = str(value) if isinstance(value, str) else ", ".join(value)
            yield Decision(setting, redact(shown), path[:2] if table else path)

    def _translation(self, request: ir.Request) -> Iterator[Decision]:
        """Say which keys of [translate] had a say."""
        if request.native is not None:
            return
        translate = self._loaded.config.translate
        if _too_much(request.reasoning, request.sampling.max_tokens) and ir.family_of(request.model) == "claude":
            yield Decision("budget ≥ max_tokens", translate.thinking_conflict, ("translate", "thinking_conflict"))
        parts = (part for turn in request.turns for part in turn.parts)
        if any(isinstance(part, _SIGNED) and part.signature is not None for part in parts):
            yield Decision("signatures", translate.signatures, ("translate", "signatures"))


def _too_much(reasoning: ir.Reasoning, max_tokens: int | None) -> bool:
    """Tell whether the thoughts may fill the whole answer; a level is no number of tokens before it is translated."""
    if max_tokens is None or reasoning.mode in ("unset", "off"):
        return False
    return reasoning.mode != "budget" or not 0 <= (reasoning.budget or 0) < max_tokens
