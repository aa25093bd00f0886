"""A bounded memory of what was signed, for callers that drop what they were given.

    answer   Watch.take ─► what signs a call, by the call's id ─► memory ─► Redis, if there is one
    request  fetch ─► memory ─► recall: the call has its signature back, and the thoughts that stood before it

OpenAI Chat clients rarely send `extra_content` back. Gemini signs its calls, and its pictures, which no other dialect
has a signature for: they are known by their bytes. Claude and OpenAI sign the thoughts before
them, which must come back unchanged, so these are remembered whole. A caller to whom no thoughts are shown brings back
their signature without their words: it gets the words back. What is forgotten becomes the family's documented fallback,
or is left out. Nothing is done for what is not signed.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from itertools import groupby
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway import ir
from gateway.clock import Clock

__all__ = ["LIMIT_BYTES", "SIZE", "TTL_S", "Kept", "Shared", "SignatureMemory", "Watch"]

SIZE: Final = 10_000
LIMIT_BYTES: Final = 16 * 1024 * 1024
TTL_S: Final = 7200.0

_LARGEST: Final = 256 * 1024  # bytes of one entry
_ENTRY: Final = 200  # bytes that an entry takes besides what it holds
_MISS_S: Final = 5.0  # what Redis did not have is not asked for again; it may be on its way
_ASKED: Final = 64  # calls are looked for at once, the last ones first
_SOUGHT: Final = 1024  # and no more than these for one request

_OTHERS: Final = 3  # conversations whose calls of one id are remembered besides
_MARKS: Final = (ir.Text, ir.ToolResult)

_CALLS: Final[frozenset[type]] = frozenset({ir.SignatureDelta, ir.Alternative})
_THOUGHTS: Final[frozenset[type]] = frozenset({ir.SignatureDelta, ir.ThinkingDelta, ir.BlockStarted, ir.Alternative})
_TAKEN: Final[frozenset[type]] = _CALLS | _THOUGHTS | {ir.MediaChunk}
_NOTHING: Final[frozenset[type]] = frozenset()


class Kept(Struct, frozen=True, omit_defaults=True):
    """What belongs to one call: its signature, and the signed thoughts before it; `behind`: what was said before.

    To a picture belongs its signature alone.
    """

    signature: ir.Signature | None = None
    thoughts: tuple[ir.Thinking, ...] = ()
    behind: str = ""


_NONE: Final = Kept()


class _Entry(Struct):
    until: float
    bytes: int
    kept: Kept | None
    others: tuple[Kept, ...] = ()  # of other conversations: some upstreams count their calls from zero

    def of(self, behind: str) -> Kept | None:
        """Give what belongs to the call in its conversation; where there is one only, that one."""
        if self.kept is None or not self.others:
            return self.kept
        return next((one for one in (self.kept, *self.others) if one.behind == behind), None)


class Shared(Protocol):
    """Where other workers and hosts find it; it raises nothing and takes a few milliseconds at most."""

    async def get(self, caller: str, calls: Sequence[str]) -> Mapping[str, bytes] | None:
        """Give what there is for these calls; None when it cannot be asked."""
        ...

    async def put(self, caller: str, entries: Mapping[str, bytes]) -> None:
        """Keep entries."""
        ...


_encode: Final = msgspec.msgpack.Encoder().encode
_DECODER: Final = msgspec.msgpack.Decoder(Kept)


class SignatureMemory:
    """LRU of (caller, call id) → Kept; at most `size` entries and `limit_bytes`, each for `ttl_s` seconds."""

    def __init__(
        self,
        clock: Clock,
        shared: Shared | None = None,
        *,
        enabled: bool = True,
        size: int = SIZE,
        limit_bytes: int = LIMIT_BYTES,
        ttl_s: float = TTL_S,
    ) -> None:
        self._clock = clock
        self._shared = shared
        self._enabled = enabled
        self._size = size
        self._limit_bytes = limit_bytes
        self._ttl_s = ttl_s
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def held_bytes(self) -> int:
        """How much is held, about."""
        return self._bytes

    @property
    def asks(self) -> bool:
        """Whether there is a shared memory to ask before a request is written."""
        return self._shared is not None and self._enabled

    # answers

    def watch(self, principal: str, model: str, asked: ir.Request | None = None) -> "Watch":
        """Look out for what is signed in one answer of a model."""
        kinds = _CALLS if ir.family_of(model) == "gemini" else _THOUGHTS
        behind = asked.turns[-1] if asked is not None and asked.turns else None
        return Watch(self, principal, kinds if self._enabled else _NOTHING, behind)

    def remember(self, principal: str, found: Mapping[str, Kept]) -> Awaitable[None] | None:
        """Keep what belongs to calls; where it is shared too, what is given back does that."""
        values: dict[str, bytes] = {}
        for call, kept in found.items():
            value = _encode(kept)
            if len(value) <= _LARGEST:
                values[call] = value
                self._put((principal, call), kept, len(value), self._ttl_s, self._others(principal, call, kept))
        return None if self._shared is None or not values else self._shared.put(principal, values)

    # requests

    async def fetch(self, principal: str, request: ir.Request) -> None:
        """Ask the shared memory for what is not known here of a request's calls."""
        if self._shared is None or not self._enabled:
            return
        wanted = [call for turn in request.turns for call in _lacking(turn) if self._find(principal, call) is None]
        wanted = wanted[-_SOUGHT:]
        while wanted:  # one that is missed may keep Claude from thinking up to the end of its task
            asked, wanted = wanted[-_ASKED:], wanted[:-_ASKED]
            found = await self._shared.get(principal, asked)
            if found is None:
                return
            for call in asked:
                kept = _read(found.get(call))
                size, ttl_s = (0, _MISS_S) if kept is None else (len(found[call]), self._ttl_s)
                self._put((principal, call), kept, size, ttl_s)

    def recall(self, principal: str, request: ir.Request, model: str) -> ir.Request:
        """Give the request with what its caller left out, as far as the model's family made it."""
        if not self._entries or not self._enabled:
            return request
        family = ir.family_of(model)
        later: set[str] = set()
        said = _joined(request.turns)
        turns = [self._recall_turn(principal, said, at, family, later) for at in reversed(range(len(said)))][::-1]
        changed = any(new is not old for new, old in zip(turns, said, strict=True))
        return replace(request, turns=tuple(turns)) if changed else request

    def _recall_turn(
        self, principal: str, said: Sequence[ir.Turn], at: int, family: ir.Family, later: set[str]
    ) -> ir.Turn:
        """Give a turn with what belongs to it; `later`: the ids of the calls behind it."""
        turn, before = said[at], said[at - 1] if at else None
        found: dict[str, Kept] = {}
        mark = cache(partial(_mark, before))
        for call in _lacking(turn):
            entry = self._find(principal, call)
            # an id that comes again is remembered for its last call, unless it says which
            if entry is None or (call in later and not entry.others):
                continue
            kept = entry.of(mark() if entry.others else "")
            if kept is not None:
                self._entries.move_to_end((principal, call))
                found[call] = _of_family(kept, family)
        later.update(part.id for part in turn.parts if isinstance(part, ir.ToolCall))
        if not found:
            return turn
        turn = _drawn(turn, found)
        if found.keys().isdisjoint(later):
            return turn
        return _worded(turn, found) if any(map(_signs, turn.parts)) else _restored(turn, found)

    # entries

    def _find(self, principal: str, call: str) -> _Entry | None:
        entry = self._entries.get((principal, call))
        return None if entry is None or entry.until < self._clock.monotonic() else entry

    def _others(self, principal: str, call: str, kept: Kept) -> tuple[Kept, ...]:
        """Give what calls of this id in other conversations have, the last ones first."""
        before = self._find(principal, call)
        if before is None or before.kept is None:
            return ()
        return tuple(one for one in (before.kept, *before.others) if one.behind != kept.behind)[:_OTHERS]

    def _put(
        self, key: tuple[str, str], kept: Kept | None, size: int, ttl_s: float, others: tuple[Kept, ...] = ()
    ) -> None:
        before = self._entries.pop(key, None)
        if before is not None:
            self._bytes -= before.bytes
        size += _ENTRY + len(key[0]) + len(key[1]) + sum(len(_encode(one)) for one in others)
        self._entries[key] = _Entry(self._clock.monotonic() + ttl_s, size, kept, others)
        self._bytes += size
        while len(self._entries) > self._size or self._bytes > self._limit_bytes:
            self._bytes -= self._entries.popitem(last=False)[1].bytes


class Watch:
    """Takes the events of one answer, and remembers what is signed. Where nothing can be, that costs one look."""

    def __init__(self, memory: SignatureMemory, principal: str, kinds: frozenset[type], behind: ir.Turn | None) -> None:
        self._memory = memory
        self._behind = behind
        self._principal = principal
        self._kinds = kinds
        self._found: dict[str, Kept] = {}
        self._signed = _Signed(self._found, thoughts=kinds is _THOUGHTS)
        self._others: dict[int, _Signed] = {}

    def take(self, events: Sequence[ir.Event]) -> Awaitable[None] | None:
        """Take a batch; what is given back is to be awaited before the caller has the calls in it."""
        if self._kinds.isdisjoint(map(type, events)):
            return None
        for event in events:
            if type(event) not in _TAKEN:
                continue
            if isinstance(event, ir.Alternative):
                self._other(event.place).take(event.event)
            else:
                self._signed.take(event)
        if not self._found:
            return None
        mark = _mark(self._behind)
        found = {call: replace(kept, behind=mark) for call, kept in self._found.items()}
        self._found.clear()
        return self._memory.remember(self._principal, found)

    def _other(self, place: int) -> "_Signed":
        if place not in self._others:
            self._others[place] = _Signed(self._found, thoughts=self._kinds is _THOUGHTS)
        return self._others[place]


class _Signed:
    """What is signed in one answer goes to `found`, by the call's id; `thoughts`: they are wanted, too."""

    def __init__(self, found: dict[str, Kept], *, thoughts: bool) -> None:
        self._found = found
        self._wants_thoughts = thoughts
        self._block: ir.BlockStarted | None = None
        self._picture: ir.Signature | None = None
        self._words: list[str] = []
        self._thoughts: list[ir.Thinking] = []  # signed, and no call has come since

    def take(self, event: ir.Event) -> None:
        """Take one event."""
        if isinstance(event, ir.BlockStarted):
            self._start(event)
        elif isinstance(event, ir.ThinkingDelta):
            self._words.append(event.text)
        elif isinstance(event, ir.SignatureDelta):
            self._sign(event.signature)
        elif isinstance(event, ir.MediaChunk) and self._picture is not None:
            self._found[_picture(event.data)] = Kept(self._picture)

    def _start(self, block: ir.BlockStarted) -> None:
        self._block, self._picture = block, None
        self._words.clear()
        if block.kind == "tool_call" and block.id and self._thoughts:
            self._found[block.id] = Kept(thoughts=tuple(self._thoughts))
            self._thoughts.clear()

    def _sign(self, signature: ir.Signature) -> None:
        block = self._block
        if block is None:
            return
        # one of words stands behind the call: their start was in a read that is not looked at
        if block.kind == "tool_call" and block.id and signature.kind == "f":
            self._found[block.id] = replace(self._found.get(block.id, Kept()), signature=signature)
        elif block.kind == "media":
            self._picture = signature  # whose bytes come next
        elif block.kind == "thinking" and self._wants_thoughts:
            self._thoughts.append(ir.Thinking(text="".join(self._words), signature=signature))


def _of_family(kept: Kept, family: ir.Family) -> Kept:
    """Give what a family has signed."""
    signature = kept.signature
    return Kept(
        signature if signature is not None and signature.issuer == family else None,
        tuple(one for one in kept.thoughts if one.signature is not None and one.signature.issuer == family),
    )


def _joined(turns: Sequence[ir.Turn]) -> list[ir.Turn]:
    """Make one turn of those of the model in a row: its thoughts may have come back in a message before its calls."""
    joined: list[ir.Turn] = []
    for role, group in groupby(turns, lambda turn: turn.role):
        said = list(group)
        if role == "assistant" and len(said) > 1:
            parts = tuple(part for turn in said for part in turn.parts)
            places = tuple(at for turn in said for at in _places(turn))
            joined.append(replace(said[0], parts=parts, places=places if any(places) else ()))
        else:
            joined += said
    return joined


def _places(turn: ir.Turn) -> tuple[tuple[str, ...], ...]:
    return turn.places if len(turn.places) == len(turn.parts) else ((),) * len(turn.parts)


def _mark(turn: ir.Turn | None) -> str:
    """Tell a turn from others by its words and the calls that it answers."""
    parts = turn.parts if turn is not None else ()
    words = (part.id if isinstance(part, ir.ToolResult) else part.text for part in parts if isinstance(part, _MARKS))
    return sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _lacking(turn: ir.Turn) -> Iterator[str]:
    """Give the ids of a turn's calls, if the caller has brought back nothing that signs them, or thoughts unsaid.

    Of parallel calls of Gemini's only the first one is signed. Pictures without a signature are named by their bytes.
    """
    if turn.role != "assistant":
        return
    if ir.Media in map(type, turn.parts):
        yield from (_picture(part.data) for part in turn.parts if isinstance(part, ir.Media) and _is_bare(part))
    if ir.ToolCall not in map(type, turn.parts):
        return
    if any(map(_unsaid, turn.parts)) or not any(map(_signs, turn.parts)):
        yield from (part.id for part in turn.parts if isinstance(part, ir.ToolCall))


def _picture(data: str | None) -> str:
    """Name a picture, as no call is named."""
    return f"picture {sha256((data or '').encode()).hexdigest()}"


def _is_bare(media: ir.Media) -> bool:
    return media.signature is None and bool(media.data)


def _drawn(turn: ir.Turn, found: Mapping[str, Kept]) -> ir.Turn:
    """Put signatures to the pictures."""
    if ir.Media not in map(type, turn.parts):
        return turn
    parts = tuple(
        replace(part, signature=found.get(_picture(part.data), _NONE).signature)
        if isinstance(part, ir.Media) and _is_bare(part)
        else part
        for part in turn.parts
    )
    return replace(turn, parts=parts)


def _unsaid(part: ir.Part) -> bool:
    return isinstance(part, ir.Thinking) and _signs(part) and not part.text


def _signs(part: ir.Part) -> bool:
    if not isinstance(part, ir.ToolCall | ir.Thinking) or part.signature is None:
        return False
    return isinstance(part, ir.ToolCall) or part.signature.issuer in ("claude", "openai")


def _worded(turn: ir.Turn, found: Mapping[str, Kept]) -> ir.Turn:
    """Put the words to thoughts of which the caller was given the signature alone."""
    said = {thought.signature: thought.text for kept in found.values() for thought in kept.thoughts}
    parts = tuple(
        replace(part, text=said.get(part.signature, "")) if isinstance(part, ir.Thinking) and _unsaid(part) else part
        for part in turn.parts
    )
    return turn if parts == turn.parts else replace(turn, parts=parts)


def _restored(turn: ir.Turn, found: Mapping[str, Kept]) -> ir.Turn:
    """Put signatures to the calls, and signed thoughts in the place of the caller's copies of them.

    Thoughts stand where the turn begins, or behind the call before: words between them and their call stay there.
    """
    given = list(zip(turn.parts, _places(turn), strict=True))
    copies: tuple[str, ...] = ()
    waiting = dict(found)
    if any(kept.thoughts for kept in found.values()):
        copies = tuple(place for part, at in given if isinstance(part, ir.Thinking) for place in at)
        given = [(part, at) for part, at in given if not isinstance(part, ir.Thinking)]
    said: list[tuple[ir.Part, tuple[str, ...]]] = []
    behind = 0
    for part, at in given:
        if isinstance(part, ir.ToolCall):
            kept = waiting.pop(part.id, _NONE)
            thoughts: list[tuple[ir.Part, tuple[str, ...]]] = [(thought, ()) for thought in kept.thoughts]
            if thoughts and copies:
                thoughts[0], copies = (kept.thoughts[0], copies), ()
            said[behind:behind] = thoughts
            said.append((replace(part, signature=kept.signature), at))
            behind = len(said)
        else:
            said.append((part, at))
    told = tuple(at for _, at in said)
    return replace(turn, parts=tuple(part for part, _ in said), places=told if any(told) else ())


def _read(value: bytes | None) -> Kept | None:
    try:
        return None if value is None else _DECODER.decode(value)
    except (msgspec.MsgspecError, RecursionError):  # written by another version
        return None
