"""A bounded memory of what was signed, for callers that drop what they were given.

    answer   Watch.take ─► what signs a call, by the call's id ─► memory ─► Redis, if there is one
    request  fetch ─► memory ─► recall: the call has its signature back, and the thoughts that stood before it

OpenAI Chat clients rarely send `extra_content` back. Gemini signs its calls, and its pictures, which no other dialect
has a signature for: they are known by their bytes. A picture's signature is about as large as the picture, so pictures
have a place of their own, where they do not push calls out. Claude and OpenAI sign the thoughts before
them, which must come back unchanged, so these are remembered whole. A caller to whom no thoughts are shown brings back
their signature without their words: it gets the words back. What is forgotten becomes the family's documented fallback,
or is left out. Nothing is done for what is not signed.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from itertools import groupby
from typing import Final, Protocol

from msgspec.structs import replace

from gateway import ir
from gateway.clock import Clock
from gateway.shelf import Bounds, Kept, Shelf, pack, unpack

__all__ = ["CALLS", "PICTURES", "TTL_S", "Kept", "Shared", "SignatureMemory", "Watch"]

CALLS: Final = Bounds(
    size=10_000,
    limit_bytes=16 * 1024 * 1024,
    shared_bytes=16 * 1024 * 1024,
    largest=256 * 1024,
    asked=64,
    sought=1024,
)
# what signs a picture of 1K is about 1 MB, and one of 4K a multiple
PICTURES: Final = Bounds(
    size=1_000,
    limit_bytes=64 * 1024 * 1024,
    shared_bytes=32 * 1024 * 1024,
    largest=8 * 1024 * 1024,
    asked=4,
    sought=16,
)
TTL_S: Final = 7200.0

_MISS_S: Final = 5.0  # what Redis did not have is not asked for again; it may be on its way
_MARKS: Final = (ir.Text, ir.ToolResult)

_CALLS: Final[frozenset[type]] = frozenset({ir.SignatureDelta, ir.Alternative})
_THOUGHTS: Final[frozenset[type]] = frozenset({ir.SignatureDelta, ir.ThinkingDelta, ir.BlockStarted, ir.Alternative})
_TAKEN: Final[frozenset[type]] = _CALLS | _THOUGHTS | {ir.MediaChunk}
_NOTHING: Final[frozenset[type]] = frozenset()
_NONE: Final = Kept()
_PICTURE: Final = "picture "  # so no call is named


class Shared(Protocol):
    """Where other workers and hosts find it; it raises nothing, and takes a few milliseconds at most for calls."""

    async def get(self, caller: str, names: Sequence[str], *, pictures: bool = False) -> Mapping[str, bytes] | None:
        """Give what there is for these calls, or pictures; None when it cannot be asked."""
        ...

    async def put(self, caller: str, entries: Mapping[str, bytes], *, pictures: bool = False) -> None:
        """Keep entries."""
        ...


class SignatureMemory:
    """What calls and pictures of each caller have, within the bounds of each, for `ttl_s` seconds."""

    def __init__(
        self,
        clock: Clock,
        shared: Shared | None = None,
        *,
        enabled: bool = True,
        calls: Bounds = CALLS,
        pictures: Bounds = PICTURES,
        ttl_s: float = TTL_S,
    ) -> None:
        self._shared = shared
        self._enabled = enabled
        self._holds = False  # anything, ever
        self._bounds = (calls, pictures)
        self._ttl_s = ttl_s
        self._calls = Shelf(clock, calls.size, calls.limit_bytes)
        self._pictures = Shelf(clock, pictures.size, pictures.limit_bytes)
        self._shelves = (self._calls, self._pictures)

    def __len__(self) -> int:
        return len(self._calls) + len(self._pictures)

    @property
    def held_bytes(self) -> int:
        """How much is held, about."""
        return self._calls.held_bytes + self._pictures.held_bytes

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
        """Keep what belongs to calls and pictures; where it is shared too, what is given back does that."""
        values: dict[bool, dict[str, bytes]] = {}
        for name, kept in found.items():
            drawn, value = name.startswith(_PICTURE), pack(kept)
            shelf = self._shelves[drawn]
            if len(value) <= self._bounds[drawn].largest:
                values.setdefault(drawn, {})[name] = value
                self._holds = True
                shelf.put((principal, name), kept, len(value), self._ttl_s, shelf.others(principal, name, kept))
        return None if self._shared is None or not values else _put(self._shared, principal, values)

    # requests

    async def fetch(self, principal: str, request: ir.Request) -> None:
        """Ask the shared memory for what is not known here of a request's calls and pictures."""
        if self._shared is None or not self._enabled:
            return
        await self._fetch(self._shared, principal, request, _lacking, pictures=False)
        await self._fetch(self._shared, principal, request, _bare, pictures=True)

    async def _fetch(
        self,
        shared: Shared,
        principal: str,
        request: ir.Request,
        names: Callable[[ir.Turn], Iterator[str]],
        *,
        pictures: bool,
    ) -> None:
        shelf, bounds = self._shelves[pictures], self._bounds[pictures]
        wanted = [name for turn in request.turns for name in names(turn) if shelf.find(principal, name) is None]
        wanted = wanted[-bounds.sought :]
        while wanted:  # one that is missed may keep Claude from thinking up to the end of its task
            asked, wanted = wanted[-bounds.asked :], wanted[: -bounds.asked]
            found = await shared.get(principal, asked, pictures=pictures)
            if found is None:
                return
            for name in asked:
                kept = unpack(found.get(name))
                size, ttl_s = (0, _MISS_S) if kept is None else (len(found[name]), self._ttl_s)
                self._holds = True
                shelf.put((principal, name), kept, size, ttl_s)

    def recall(self, principal: str, request: ir.Request, model: str) -> ir.Request:
        """Give the request with what its caller left out, as far as the model's family made it."""
        if not self._holds or not self._enabled:
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
            entry = self._calls.find(principal, call)
            # an id that comes again is remembered for its last call, unless it says which
            if entry is None or (call in later and not entry.others):
                continue
            kept = entry.of(mark() if entry.others else "")
            if kept is not None:
                self._calls.use(principal, call)
                found[call] = _of_family(kept, family)
        later.update(part.id for part in turn.parts if isinstance(part, ir.ToolCall))
        turn = self._recall_pictures(principal, turn, family)
        if not found:
            return turn
        return _worded(turn, found) if any(map(_signs, turn.parts)) else _restored(turn, found)

    def _recall_pictures(self, principal: str, turn: ir.Turn, family: ir.Family) -> ir.Turn:
        found: dict[str, Kept] = {}
        for name in _bare(turn):
            entry = self._pictures.find(principal, name)
            if entry is not None and entry.kept is not None:
                self._pictures.use(principal, name)
                found[name] = _of_family(entry.kept, family)
        return _drawn(turn, found) if found else turn


async def _put(shared: Shared, principal: str, values: Mapping[bool, Mapping[str, bytes]]) -> None:
    for pictures, entries in values.items():
        await shared.put(principal, entries, pictures=pictures)


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
        found = {  # of one picture there is one, whatever was said before
            name: kept if name.startswith(_PICTURE) else replace(kept, behind=mark)
            for name, kept in self._found.items()
        }
        self._found.clear()
        return self._memory.remember(self._principal, found)

    def _other(self, place: int) -> "_Signed":
        if place not in self._others:
            self._others[place] = _Signed(self._found, thoughts=self._kinds is _THOUGHTS)
        return self._others[place]


class _Signed:
    """What is signed in one answer goes to `found`, by the call's id or the picture; `thoughts`: are wanted, too."""

    def __init__(self, found: dict[str, Kept], *, thoughts: bool) -> None:
        self._found = found
        self._wants_thoughts = thoughts
        self._block: ir.BlockStarted | None = None
        self._picture: ir.Signature | None = None
        self._said: ir.Signature | None = None  # of words, and no picture has come since
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
            self._found[_picture(event.data)] = Kept(self._picture, words=self._said)
            self._said = None

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
        elif block.kind == "text":
            self._said = self._said or signature
        elif block.kind == "thinking" and self._wants_thoughts:
            self._thoughts.append(ir.Thinking(text="".join(self._words), signature=signature))


def _of_family(kept: Kept, family: ir.Family) -> Kept:
    """Give what a family has signed."""
    signature = kept.signature
    return Kept(
        signature if signature is not None and signature.issuer == family else None,
        tuple(one for one in kept.thoughts if one.signature is not None and one.signature.issuer == family),
        words=kept.words if kept.words is not None and kept.words.issuer == family else None,
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

    Of parallel calls of Gemini's only the first one is signed.
    """
    if turn.role != "assistant" or ir.ToolCall not in map(type, turn.parts):
        return
    if any(map(_unsaid, turn.parts)) or not any(map(_signs, turn.parts)):
        yield from (part.id for part in turn.parts if isinstance(part, ir.ToolCall))


def _bare(turn: ir.Turn) -> Iterator[str]:
    """Name the pictures of a model's turn that nothing signs."""
    if turn.role == "assistant" and ir.Media in map(type, turn.parts):
        yield from (_picture(part.data) for part in turn.parts if isinstance(part, ir.Media) and _is_bare(part))


def _picture(data: str | None) -> str:
    return f"{_PICTURE}{sha256((data or '').encode()).hexdigest()}"


def _is_bare(media: ir.Media) -> bool:
    return media.signature is None and bool(media.data)


def _drawn(turn: ir.Turn, found: Mapping[str, Kept]) -> ir.Turn:
    """Put signatures to the pictures, and to the words with which the model began before them."""
    parts = [*turn.parts]
    begun: int | None = None  # where the words are that stand before the next picture
    for place, part in enumerate(turn.parts):
        if isinstance(part, ir.Text) and part.text and begun is None:
            begun = place
        elif isinstance(part, ir.Media):
            kept = found.get(_picture(part.data), _NONE) if _is_bare(part) else _NONE
            if kept.signature is not None:
                parts[place] = replace(part, signature=kept.signature)
            if begun is not None and kept.words is not None and isinstance(words := parts[begun], ir.Text):
                parts[begun] = replace(words, signature=words.signature or kept.words)
            begun = None
    return replace(turn, parts=tuple(parts))


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
