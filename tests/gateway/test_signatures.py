"""What is signed is remembered by call, bounded, and given back to its own caller and family only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir, signatures
from gateway.signatures import CALLS, PICTURES, SignatureMemory
from tests.clocks import FakeClock

pytestmark = pytest.mark.anyio

GEMINI, CLAUDE, GPT = "gemini-3-pro", "claude-opus-4-5", "gpt-5"
SIGNED = ir.Signature("gemini", "R0VN", "f")
SEALED = ir.Signature("claude", "RVE9PQ==")
SAID = ir.Signature("gemini", "U0FJRA==")


@dataclass
class Somewhere:
    """A shared memory in a dict; `gone`: it cannot be asked."""

    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    gone: bool = False

    async def get(self, caller: str, names: Sequence[str], *, pictures: bool = False) -> Mapping[str, bytes] | None:
        self.asked.append(tuple(names))
        return None if self.gone else {c: self.kept[caller, c] for c in names if (caller, c) in self.kept}

    async def put(self, caller: str, entries: Mapping[str, bytes], *, pictures: bool = False) -> None:
        self.kept |= {(caller, call): value for call, value in entries.items()}


def call(name: str = "c1", signature: ir.Signature | None = None) -> ir.ToolCall:
    return ir.ToolCall(id=name, name="f", arguments=Raw(b"{}"), signature=signature)


def asking(*parts: ir.Part, places: tuple[tuple[str, ...], ...] = ()) -> ir.Request:
    return ir.Request(model="m", turns=(ir.Turn(role="assistant", parts=parts, places=places),))


def of_gemini(name: str = "c1") -> list[ir.Event]:
    start = ir.BlockStarted(kind="tool_call", id=name, name="f")
    return [start, ir.SignatureDelta(SIGNED), ir.ArgumentsDelta("{}"), ir.BlockEnded()]


def of_claude(*names: str, words: str = "hm", signature: ir.Signature = SEALED) -> list[list[ir.Event]]:
    """Make batches of an answer: thoughts, words, and calls."""
    pieces: list[list[ir.Event]] = [[ir.ThinkingDelta(letter)] for letter in words]
    calls: list[list[ir.Event]] = [[ir.BlockStarted(kind="tool_call", id=n, name="f"), ir.BlockEnded()] for n in names]
    return [
        [ir.Started(), ir.BlockStarted(kind="thinking")],
        *pieces,
        [ir.SignatureDelta(signature), ir.BlockEnded()],
        [ir.BlockStarted(kind="text"), ir.TextDelta("so"), ir.BlockEnded()],
        *calls,
        [ir.Finished(reason="tool_calls")],
    ]


async def heard(
    memory: SignatureMemory,
    model: str,
    *batches: Sequence[ir.Event],
    who: str = "alice",
    asked: ir.Request | None = None,
) -> None:
    watch = memory.watch(who, model, asked)
    for batch in batches:
        if (shared := watch.take(batch)) is not None:
            await shared


def parts(request: ir.Request) -> tuple[ir.Part, ...]:
    return request.turns[0].parts


async def test_calls_of_other_answers_are_remembered_too() -> None:
    memory = SignatureMemory(FakeClock())
    others = [[ir.Alternative(1, event) for event in batch] for batch in of_claude("c2", words="or")]
    mixed = [one for both in zip(of_claude("c1"), others, strict=True) for one in both]
    await heard(memory, CLAUDE, *mixed)
    for name, words in (("c1", "hm"), ("c2", "or")):
        thought = ir.Thinking(text=words, signature=SEALED)
        assert parts(memory.recall("alice", asking(call(name)), CLAUDE)) == (thought, call(name))
    await heard(memory, GEMINI, [ir.Alternative(1, event) for event in of_gemini("c3")])
    assert parts(memory.recall("alice", asking(call("c3")), GEMINI)) == (call("c3", SIGNED),)


async def test_thoughts_that_were_not_shown_have_their_words_back() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, CLAUDE, *of_claude("c1"))
    shown, unsaid = ir.Thinking(text="hm", signature=SEALED), ir.Thinking(text="", signature=SEALED)
    other = ir.Thinking(text="", signature=ir.Signature("claude", "b3RoZXI="))
    given = asking(unsaid, other, call())
    assert parts(memory.recall("alice", given, CLAUDE)) == (shown, other, call())
    assert memory.recall("bob", given, CLAUDE) is given


async def test_the_signature_of_a_call_comes_back_by_its_id() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, GEMINI, of_gemini())
    assert parts(memory.recall("alice", asking(call()), GEMINI)) == (call(signature=SIGNED),)
    assert parts(memory.recall("alice", asking(call("c2")), GEMINI)) == (call("c2"),)


async def test_the_signature_of_a_picture_comes_back_by_its_bytes() -> None:
    memory, signed = SignatureMemory(FakeClock()), ir.Signature("gemini", "UElD")
    drawn: list[ir.Event] = [
        ir.BlockStarted(kind="media"),
        ir.SignatureDelta(signed),
        ir.MediaChunk(media_type="image/png", data="AAAA"),
        ir.BlockEnded(),
    ]
    await heard(memory, GEMINI, drawn, of_gemini())
    picture, other = (ir.Media(media_type="image/png", data=data) for data in ("AAAA", "BBBB"))
    given = asking(ir.Text(text="a"), picture, other, call())
    back = parts(memory.recall("alice", given, GEMINI))
    assert back == (ir.Text(text="a"), replace(picture, signature=signed), other, call(signature=SIGNED))
    assert parts(memory.recall("alice", asking(picture), GEMINI)) == (replace(picture, signature=signed),)
    assert parts(memory.recall("alice", asking(picture), CLAUDE)) == (picture,)
    assert memory.recall("bob", given, GEMINI) is given


def drawn(number: int, *, signed: int = 1_300_000, words: bool = False) -> list[ir.Event]:
    """Make a picture, and what signs it: about 1 MB for one of 1K."""
    told: list[ir.Event] = [
        ir.BlockStarted(kind="text"),
        ir.SignatureDelta(SAID),
        ir.TextDelta("Here"),
        ir.BlockEnded(),
    ]
    picture: list[ir.Event] = [
        ir.BlockStarted(kind="media"),
        ir.SignatureDelta(ir.Signature("gemini", str(number).zfill(4) * (signed // 4))),
        ir.MediaChunk(media_type="image/png", data=f"A{number:03}"),
        ir.BlockEnded(),
    ]
    return [*told, *picture] if words else picture


def shown(number: int) -> ir.Media:
    return ir.Media(media_type="image/png", data=f"A{number:03}")


async def test_a_picture_s_signature_of_a_megabyte_is_kept_and_pushes_out_no_call() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, GEMINI, of_gemini())
    for number in range(100):
        await heard(memory, GEMINI, drawn(number))
    assert memory.held_bytes <= CALLS.limit_bytes + PICTURES.limit_bytes
    known = [n for n in range(100) if parts(memory.recall("alice", asking(shown(n)), GEMINI)) != (shown(n),)]
    assert known == [*range(49, 100)]
    assert parts(memory.recall("alice", asking(call()), GEMINI)) == (call(signature=SIGNED),)
    await heard(memory, GEMINI, drawn(101, signed=PICTURES.largest))
    assert parts(memory.recall("alice", asking(shown(101)), GEMINI)) == (shown(101),)


async def test_pictures_whose_time_is_over_leave_with_the_next_one() -> None:
    clock = FakeClock()
    memory = SignatureMemory(clock, ttl_s=10)
    for number in range(5):
        await heard(memory, GEMINI, drawn(number))
    await clock.advance(10.5)
    await heard(memory, GEMINI, drawn(5))
    assert len(memory) == 1
    assert memory.held_bytes < 1_400_000


async def test_the_words_before_a_picture_have_their_signature_back_with_it() -> None:
    """The API wants it on the first part of a model's turn, too: langchain-ai/langchain-google#1431."""
    memory = SignatureMemory(FakeClock())
    await heard(memory, GEMINI, drawn(1, words=True), drawn(2), drawn(3, words=True))
    said, one, more = ir.Text(text="Here: "), ir.Text(text="and"), ir.Text(text="more")
    back = parts(memory.recall("alice", asking(said, shown(1), more, shown(2), one, more, shown(3)), GEMINI))
    assert [part.signature for part in back if isinstance(part, ir.Text)] == [SAID, None, SAID, None]
    assert all(part.signature for part in back if isinstance(part, ir.Media))
    assert parts(memory.recall("alice", asking(said, shown(1)), CLAUDE)) == (said, shown(1))


async def test_a_picture_that_nobody_signed_takes_no_other_signature() -> None:
    memory = SignatureMemory(FakeClock())
    bare: list[ir.Event] = [ir.BlockStarted(kind="media"), ir.MediaChunk(media_type="image/png", data="AAAA")]
    await heard(memory, GEMINI, [*of_gemini(), *bare])
    given = asking(ir.Media(media_type="image/png", data="AAAA"))
    assert memory.recall("alice", given, GEMINI) is given


async def test_what_signs_words_behind_a_call_does_not_take_its_place() -> None:
    memory, words = SignatureMemory(FakeClock()), ir.Signature("gemini", "V09SRFM=")
    begun: list[ir.Event] = [ir.BlockStarted(kind="text"), ir.TextDelta("so")]
    signed: list[ir.Event] = [ir.SignatureDelta(words), ir.BlockEnded()]
    await heard(memory, GEMINI, of_gemini(), begun, signed)
    assert parts(memory.recall("alice", asking(call()), GEMINI)) == (call(signature=SIGNED),)


async def test_an_id_that_comes_again_stands_for_its_last_call() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, GEMINI, of_gemini())
    turn, answer = ir.Turn(role="assistant", parts=(call(),)), ir.Turn(role="user", parts=(ir.ToolResult(id="c1"),))
    given = memory.recall("alice", ir.Request(model="m", turns=(turn, answer, turn)), GEMINI)
    assert [one.parts for one in given.turns] == [(call(),), answer.parts, (call(signature=SIGNED),)]


async def test_conversations_whose_calls_have_one_id_get_each_their_own() -> None:
    memory, model = SignatureMemory(FakeClock()), ir.Turn(role="assistant", parts=(call(),))
    asked = [ir.Request(model="m", turns=(ir.Turn(role="user", parts=(ir.Text(text=said),)),)) for said in "abc"]
    for words, request in zip(("hm", "so"), asked[:2], strict=True):
        await heard(memory, CLAUDE, *of_claude("c1", words=words), asked=request)
    found = [memory.recall("alice", replace(one, turns=(*one.turns, model)), CLAUDE).turns[1].parts for one in asked]
    thoughts = [tuple(part.text for part in parts if isinstance(part, ir.Thinking)) for parts in found]
    assert thoughts == [("hm",), ("so",), ()]


async def test_calls_of_one_id_in_a_conversation_get_each_its_own() -> None:
    memory, other = SignatureMemory(FakeClock()), ir.Signature("gemini", "T1dO", "f")
    user, model = ir.Turn(role="user", parts=(ir.Text(text="go"),)), ir.Turn(role="assistant", parts=(call(),))
    answer = ir.Turn(role="user", parts=(ir.ToolResult(id="c1"),))
    await heard(memory, GEMINI, of_gemini(), asked=ir.Request(model="m", turns=(user,)))
    again: list[ir.Event] = [ir.BlockStarted(kind="tool_call", id="c1", name="f"), ir.SignatureDelta(other)]
    await heard(memory, GEMINI, again, asked=ir.Request(model="m", turns=(user, model, answer)))
    given = memory.recall("alice", ir.Request(model="m", turns=(user, model, answer, model, answer)), GEMINI)
    assert [one.parts for one in given.turns[1::2]] == [(call(signature=SIGNED),), (call(signature=other),)]


async def test_what_stands_before_calls_of_one_id_is_marked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, model = SignatureMemory(FakeClock()), ir.Turn(role="assistant", parts=(call(),))
    asked = [ir.Request(model="m", turns=(ir.Turn(role="user", parts=(ir.Text(text=said),)),)) for said in "ab"]
    for request in asked:
        await heard(memory, GEMINI, of_gemini(), asked=request)
    marks, mark = 0, signatures._mark

    def marking(turn: ir.Turn | None) -> str:
        nonlocal marks
        marks += 1
        return mark(turn)

    monkeypatch.setattr(signatures, "_mark", marking)
    (said,) = asked[0].turns
    found = memory.recall("alice", replace(asked[0], turns=(said, *(model,) * 20)), GEMINI)
    assert [len(turn.parts) for turn in found.turns] == [1, 20]
    assert marks == 1


async def test_a_request_that_was_not_read_is_left_alone() -> None:
    memory, unread = SignatureMemory(FakeClock()), ir.Request(model="m", turns=())
    await heard(memory, GEMINI, of_gemini(), asked=unread)
    assert memory.recall("alice", unread, GEMINI) is unread


async def test_calls_of_one_id_share_no_thoughts() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, CLAUDE, *of_claude("c1"))
    thought = ir.Thinking(text="hm", signature=SEALED)
    assert parts(memory.recall("alice", asking(call(), call()), CLAUDE)) == (thought, call(), call())


async def test_another_caller_does_not_get_it() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, GEMINI, of_gemini())
    assert parts(memory.recall("bob", asking(call()), GEMINI)) == (call(),)


async def test_what_the_caller_brought_back_holds() -> None:
    memory, own = SignatureMemory(FakeClock()), ir.Signature("gemini", "T1dO", "f")
    await heard(memory, GEMINI, of_gemini())
    request = asking(call(signature=own))
    assert memory.recall("alice", request, GEMINI) is request


@pytest.mark.parametrize("model", [CLAUDE, GPT])
async def test_another_family_does_not_get_it(model: str) -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, GEMINI, of_gemini())
    assert parts(memory.recall("alice", asking(call()), model)) == (call(),)


@pytest.mark.parametrize(("model", "issuer"), [(CLAUDE, "claude"), (GPT, "openai")])
async def test_signed_thoughts_come_back_whole_before_their_call(model: str, issuer: ir.Family) -> None:
    memory, seal = SignatureMemory(FakeClock()), ir.Signature(issuer, "RVE9PQ==")
    await heard(memory, model, *of_claude("c1", "c2", words="I see", signature=seal))
    given = asking(ir.Text(text="so"), call("c1"), call("c2"))
    thought = ir.Thinking(text="I see", signature=seal)
    assert parts(memory.recall("alice", given, model)) == (thought, ir.Text(text="so"), call("c1"), call("c2"))


async def test_they_take_the_place_of_the_callers_own_copy() -> None:
    """A copy that nobody signed would be dropped, and told of; what is told is its place."""
    memory = SignatureMemory(FakeClock())
    await heard(memory, CLAUDE, *of_claude("c1"))
    given = asking(
        ir.Thinking(text="hm"), ir.Text(text="so"), call(), places=(("messages[1].reasoning_content",), (), ())
    )
    turn = memory.recall("alice", given, CLAUDE).turns[0]
    assert turn.parts == (ir.Thinking(text="hm", signature=SEALED), ir.Text(text="so"), call())
    assert turn.places == (("messages[1].reasoning_content",), (), ())


async def test_each_call_has_the_thoughts_since_the_call_before() -> None:
    memory = SignatureMemory(FakeClock())
    first, then = of_claude("c1", words="a"), of_claude("c2", words="b")
    await heard(memory, CLAUDE, *first[:-1], *then[1:2], *then)
    given = asking(ir.Text(text="x"), call("c1"), ir.Text(text="y"), call("c2"))
    said = parts(memory.recall("alice", given, CLAUDE))
    kinds = "".join({ir.Thinking: "t", ir.Text: "x", ir.ToolCall: "c"}[type(part)] for part in said)
    assert kinds == "txctxc"
    assert [part.text for part in said if isinstance(part, ir.Thinking)] == ["a", "b"]


async def test_thoughts_of_a_caller_who_kept_them_stay() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, CLAUDE, *of_claude("c1"))
    request = asking(ir.Thinking(text="hm", signature=ir.Signature("claude", "T1dO")), call())
    assert memory.recall("alice", request, CLAUDE) is request


async def test_thoughts_that_came_back_in_a_message_before_their_call_are_not_put_there_twice() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, CLAUDE, *of_claude("c1"))
    shown = (ir.Thinking(text="hm", signature=SEALED), ir.Text(text="so"))
    turns = (ir.Turn(role="assistant", parts=shown), ir.Turn(role="assistant", parts=(call(),)))
    request = ir.Request(model="m", turns=turns)
    assert memory.recall("alice", request, CLAUDE) is request
    unsaid = (ir.Thinking(text="", signature=SEALED), ir.Text(text="so"))
    bare = replace(request, turns=(ir.Turn(role="assistant", parts=unsaid), turns[1]))
    assert parts(memory.recall("alice", bare, CLAUDE)) == (*shown, call())


async def test_thoughts_without_a_signature_are_not_remembered() -> None:
    memory = SignatureMemory(FakeClock())
    batches = [[event for event in batch if not isinstance(event, ir.SignatureDelta)] for batch in of_claude("c1")]
    await heard(memory, CLAUDE, *batches)
    assert len(memory) == 0


async def test_nothing_is_kept_where_signatures_are_off() -> None:
    elsewhere = Somewhere()
    memory = SignatureMemory(FakeClock(), elsewhere, enabled=False)
    await heard(memory, GEMINI, of_gemini())
    await memory.fetch("alice", asking(call()))
    assert (len(memory), elsewhere.kept, elsewhere.asked, memory.asks) == (0, {}, [], False)


async def test_it_is_forgotten_in_time() -> None:
    clock = FakeClock()
    memory = SignatureMemory(clock, ttl_s=10)
    await heard(memory, GEMINI, of_gemini())
    await clock.advance(10.5)
    assert parts(memory.recall("alice", asking(call()), GEMINI)) == (call(),)


async def test_a_hundred_thousand_entries_stay_within_the_bounds() -> None:
    memory = SignatureMemory(FakeClock(), calls=replace(CALLS, size=10_000, limit_bytes=2_000_000))
    most = 0
    for number in range(100_000):
        memory.watch("alice", GEMINI).take(of_gemini(f"call_{number}"))
        most = max(most, memory.held_bytes)
    assert most <= 2_000_000
    assert 5_000 < len(memory) <= 10_000
    assert parts(memory.recall("alice", asking(call("call_99999")), GEMINI)) == (call("call_99999", SIGNED),)
    assert parts(memory.recall("alice", asking(call("call_0")), GEMINI)) == (call("call_0"),)


async def test_it_holds_so_many_entries_at_most() -> None:
    memory = SignatureMemory(FakeClock(), calls=replace(CALLS, size=100))
    for number in range(1_000):
        memory.watch("alice", GEMINI).take(of_gemini(f"call_{number}"))
    assert len(memory) == 100


async def test_one_too_large_is_not_kept() -> None:
    memory = SignatureMemory(FakeClock())
    await heard(memory, CLAUDE, *of_claude("c1", words="x" * 10), *of_claude("c2", words=("x" * 300_000,)))  # type: ignore[arg-type]  # pieces
    assert len(memory) == 1


async def test_what_is_used_is_kept_longest() -> None:
    memory = SignatureMemory(FakeClock(), calls=replace(CALLS, size=2))
    for name in ("c1", "c2"):
        await heard(memory, GEMINI, of_gemini(name))
    memory.recall("alice", asking(call("c1")), GEMINI)
    await heard(memory, GEMINI, of_gemini("c3"))
    assert parts(memory.recall("alice", asking(call("c1")), GEMINI)) == (call("c1", SIGNED),)
    assert parts(memory.recall("alice", asking(call("c2")), GEMINI)) == (call("c2"),)


# shared


async def test_another_worker_finds_it() -> None:
    elsewhere = Somewhere()
    one, other = SignatureMemory(FakeClock(), elsewhere), SignatureMemory(FakeClock(), elsewhere)
    await heard(one, GEMINI, of_gemini())
    await heard(one, CLAUDE, *of_claude("c2"))
    await other.fetch("alice", asking(call("c1"), call("c2")))
    assert parts(other.recall("alice", asking(call("c1")), GEMINI)) == (call("c1", SIGNED),)
    assert parts(other.recall("alice", asking(call("c2")), CLAUDE)) == (
        ir.Thinking(text="hm", signature=SEALED),
        call("c2"),
    )


async def test_it_is_asked_only_for_what_is_missing() -> None:
    elsewhere = Somewhere()
    memory = SignatureMemory(FakeClock(), elsewhere)
    await heard(memory, GEMINI, of_gemini("known"))
    for request in (asking(call("known")), asking(call("own", SIGNED), call("parallel")), asking(ir.Text(text="x"))):
        await memory.fetch("alice", request)
    assert elsewhere.asked == []
    await memory.fetch("alice", asking(call("known"), call("unknown")))
    assert elsewhere.asked == [("unknown",)]


async def test_what_it_does_not_have_is_not_asked_for_at_once_again() -> None:
    clock, elsewhere = FakeClock(), Somewhere()
    memory = SignatureMemory(clock, elsewhere)
    for _ in range(3):
        await memory.fetch("alice", asking(call()))
    assert len(elsewhere.asked) == 1
    await clock.advance(5.5)
    await memory.fetch("alice", asking(call()))
    assert len(elsewhere.asked) == 2


async def test_while_it_is_away_it_is_asked_each_time() -> None:
    elsewhere = Somewhere(gone=True)
    memory = SignatureMemory(FakeClock(), elsewhere)
    for _ in range(3):
        await memory.fetch("alice", asking(call()))
    assert len(elsewhere.asked) == 3


async def test_what_another_version_wrote_is_no_entry() -> None:
    elsewhere = Somewhere({("alice", "c1"): b"\xc1", ("alice", "c2"): b"\x93\x01\x02\x03"})
    memory = SignatureMemory(FakeClock(), elsewhere)
    request = asking(call("c1"), call("c2"))
    await memory.fetch("alice", request)
    assert memory.recall("alice", request, GEMINI) is request


async def test_calls_are_looked_for_in_pieces_the_last_ones_first_and_not_without_end() -> None:
    elsewhere = Somewhere()
    memory = SignatureMemory(FakeClock(), elsewhere)
    await memory.fetch("alice", asking(*(call(f"c{number}") for number in range(2000))))
    assert [len(asked) for asked in elsewhere.asked] == [64] * 16
    assert (elsewhere.asked[0][-1], elsewhere.asked[-1][0]) == ("c1999", "c976")


async def test_each_call_of_a_long_task_has_what_signed_it_where_another_process_goes_on() -> None:
    clock, elsewhere = FakeClock(), Somewhere()
    steps = [(call(f"{step}-a"), call(f"{step}-b")) for step in range(50)]
    other, memory = SignatureMemory(clock, elsewhere), SignatureMemory(clock, elsewhere)
    for first, second in steps:
        await heard(other, CLAUDE, *of_claude(first.id, second.id))
    await memory.fetch("alice", asking(*(one for step in steps for one in step)))
    thought = ir.Thinking(text="hm", signature=SEALED)
    for step in steps:
        assert parts(memory.recall("alice", asking(*step), CLAUDE)) == (thought, *step)


async def test_a_piece_without_an_answer_is_the_last_that_is_asked_for() -> None:
    elsewhere = Somewhere(gone=True)
    memory = SignatureMemory(FakeClock(), elsewhere)
    await memory.fetch("alice", asking(*(call(f"c{number}") for number in range(200))))
    assert len(elsewhere.asked) == 1
