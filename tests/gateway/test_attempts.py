"""What is tried again, and when it stops."""

import anyio
import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.attempts import Begun, Policy, begin
from gateway.errors import (
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    NoCredential,
    StreamBroken,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream import Call, Journey, Step, Target
from tests.clocks import FakeClock
from tests.patience import patient
from tests.scripted import After, Play, Scripted, say

pytestmark = pytest.mark.anyio

POLICY = Policy(attempts=4, max_wait=10, first_byte=300)
DOWN = UpstreamUnavailable("the upstream answered 500")


def again(_: GatewayError) -> Step:
    return Step()


def call(*, visible: bool | None = None) -> Call:
    turn = ir.Turn(role="user", parts=(ir.Text(text="hi"),))
    request = ir.Request(model="m", turns=(turn,), reasoning=ir.Reasoning(visible=visible))
    return Call(request=request, request_id="req_1")


async def run(*scripts: Scripted, policy: Policy = POLICY, visible: bool | None = None) -> Begun:
    targets = [Target(script, "m") for script in scripts]

    def embark(target: Target) -> Journey:
        return target.adapter.open(call(visible=visible))

    return await begin(targets, embark, policy, FakeClock())


async def picky(refusing: str, *others: Scripted) -> Begun:
    """Ask a chain of the member a and others, of which those named refuse before they are called."""
    targets = [Target(one, "m") for one in (script(), *others)]

    def embark(target: Target) -> Journey:
        if target.adapter.name in refusing:
            raise InvalidRequest(f"{target.adapter.name} cannot carry it")
        return target.adapter.open(call())

    return await begin(targets, embark, POLICY, FakeClock())


def script(*plays: Play, after: After = again, name: str = "a") -> Scripted:
    return Scripted(*plays, after=after, name=name)


async def test_a_first_success_needs_one_call() -> None:
    upstream = script(say("Hello"))
    begun = await run(upstream)
    assert (len(upstream.calls), begun.target.label, begun.ended) == (1, "a/m", False)


async def test_a_failure_is_tried_again() -> None:
    upstream = script([DOWN], [DOWN], say("Hello"))
    await run(upstream)
    assert len(upstream.calls) == 3


async def test_counted_attempts_are_bounded() -> None:
    upstream = script([DOWN])
    with pytest.raises(UpstreamUnavailable):
        await run(upstream)
    assert (len(upstream.calls), upstream.done) == (POLICY.attempts, 1)


@pytest.mark.parametrize(("attempts", "told"), [(4, {"x-should-retry": "false"}), (1, {})])
async def test_a_client_is_told_not_to_multiply_the_attempts(attempts: int, told: dict[str, str]) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        await run(script([UpstreamUnavailable("the upstream answered 500")]), policy=replace(POLICY, attempts=attempts))
    assert caught.value.headers == told


async def test_another_credential_is_not_counted() -> None:
    left = [Step(counted=False)] * 9

    def after(error: GatewayError) -> Step | GatewayError:
        return left.pop() if left else error

    upstream = script([DOWN], after=after)
    with pytest.raises(UpstreamUnavailable):
        await run(upstream)
    assert len(upstream.calls) == 10


async def test_the_journeys_last_word_is_raised() -> None:
    verdict = NoCredential("2 of 2 credentials are disabled")
    with pytest.raises(NoCredential, match="2 of 2"):
        await run(script([DOWN], after=lambda _: verdict))


async def test_the_next_member_follows() -> None:
    first, second = script([DOWN], after=lambda error: error), script(say("Hello"), name="b")
    begun = await run(first, second)
    assert (begun.target.label, first.done) == ("b/m", 1)


async def test_a_member_that_cannot_begin_is_passed_over() -> None:
    first, second = script(say("never")), script(say("Hello"), name="b")

    def embark(target: Target) -> Journey:
        if target.adapter is first:
            raise NoCredential("the owner of this file is gone")
        return target.adapter.open(call())

    begun = await begin([Target(first, "m"), Target(second, "m")], embark, POLICY, FakeClock())
    assert (begun.target.label, len(first.calls)) == ("b/m", 0)
    with pytest.raises(NoCredential, match="is gone"):
        await begin([Target(first, "m")], embark, POLICY, FakeClock())


@pytest.mark.parametrize("dead_first", [True, False])
async def test_the_failure_of_a_member_that_can_be_used_is_told(dead_first: bool) -> None:
    dead = script([NoCredential("2 of 2 credentials are disabled")], after=lambda error: error, name="b")
    dead.usable = False
    down = script([DOWN], after=lambda error: error)
    with pytest.raises(UpstreamUnavailable):
        await run(*((dead, down) if dead_first else (down, dead)))
    assert len(dead.calls) == 1  # somebody may have mended it


async def test_a_pause_that_was_not_taken_is_no_wait_of_the_callers() -> None:
    down = script([UpstreamUnavailable("500")], after=lambda _: Step(wait_s=1), name="a")
    full = script([UpstreamRateLimited("used up", retry_after=40)], after=lambda error: error, name="b")
    with pytest.raises(UpstreamRateLimited) as caught:
        await run(down, full)
    assert caught.value.retry_after == 40


@pytest.mark.parametrize("waits", [(40, 3600), (3600, 40)])
async def test_the_shorter_wait_of_two_members_is_told(waits: tuple[float, float]) -> None:
    members = [
        script([UpstreamRateLimited("used up", retry_after=wait)], after=lambda error: error, name=name)
        for name, wait in zip("ab", waits, strict=True)
    ]
    with pytest.raises(UpstreamRateLimited) as caught:
        await run(*members)
    assert caught.value.retry_after == 40


async def test_a_refused_request_is_not_carried_to_the_next_member() -> None:
    first = script([UpstreamRejected("bad schema")], after=lambda error: error)
    second = script(say("Hello"), name="b")
    with pytest.raises(UpstreamRejected):
        await run(first, second)
    assert not second.calls


async def test_a_prompt_that_is_too_long_for_one_member_goes_to_the_next() -> None:
    small, large = script([ContextTooLong("9 tokens > 8")], after=lambda error: error), script(say("Hello"), name="b")
    begun = await run(small, large)
    assert (begun.target.label, len(small.calls), small.done) == ("b/m", 1, 1)


async def test_a_prompt_that_is_too_long_for_all_members_is_told_in_the_first_ones_words() -> None:
    first, second = (
        script([ContextTooLong(words)], after=lambda error: error, name=words) for words in ("9 > 8", "9 > 7")
    )
    with pytest.raises(ContextTooLong, match="9 > 8"):
        await run(first, second)
    assert len(second.calls) == 1


async def test_what_cannot_be_said_to_one_member_goes_to_the_next() -> None:
    able = script(say("Hello"), name="b")
    assert (await picky("a", able)).target.label == "b/m"


async def test_where_no_member_can_be_asked_the_first_ones_reason_is_the_answer() -> None:
    with pytest.raises(InvalidRequest, match="a cannot"):
        await picky("ab", script(name="b"))


async def test_the_failure_of_a_member_goes_before_what_others_cannot_carry() -> None:
    down = script([DOWN], after=lambda error: error, name="b")
    with pytest.raises(UpstreamUnavailable):
        await picky("ac", down, script(name="c"))


@pytest.mark.parametrize("after", [lambda _: Step(wait_s=5), lambda error: error], ids=["wait", "give up"])
async def test_no_wait_while_another_member_is_left(after: After) -> None:
    first, second = script([DOWN], after=after), script(say("Hello"), name="b")
    begun = await run(first, second)
    assert (len(first.calls), begun.target.label) == (1, "b/m")


@pytest.mark.parametrize("reason", [None, InvalidRequest("cannot carry it"), NoCredential("none is left"), "unusable"])
@pytest.mark.parametrize("wait_s", [5, POLICY.max_wait])
async def test_a_short_wait_is_taken_by_the_last_member_that_can_be_asked(
    wait_s: float, reason: GatewayError | str | None
) -> None:
    upstream, clock = script([DOWN], say("Hello"), after=lambda _: Step(wait_s=wait_s)), FakeClock()
    targets = [Target(upstream, "m"), *([Target(dead := script(name="b"), "m")] if reason else [])]
    if reason == "unusable":
        dead.usable = False
    begun: list[Begun] = []

    def embark(target: Target) -> Journey:
        if isinstance(reason, GatewayError) and target.adapter is not upstream:
            raise reason
        return target.adapter.open(call())

    async def go() -> None:
        begun.append(await begin(targets, embark, POLICY, clock))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        assert len(upstream.calls) == 1
        await clock.advance(wait_s)
    assert len(upstream.calls) == 2


async def test_a_long_wait_becomes_retry_after() -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        await run(script([UpstreamUnavailable("busy")], after=lambda _: Step(wait_s=11.2)))
    assert caught.value.retry_after == 12


async def test_an_error_before_content_is_tried_again() -> None:
    broken: Play = [[ir.Started()], [ir.Failed(UpstreamMalformed("malformed call"))]]
    upstream = script(broken, say("Hello"))
    await run(upstream)
    assert (len(upstream.calls), upstream.closed) == (2, 1)


@pytest.mark.parametrize("kind", ["text", "thinking"])
async def test_an_error_within_a_block_that_says_nothing_is_tried_again(kind: ir.BlockKind) -> None:
    broken: Play = [[ir.Started()], [ir.BlockStarted(kind=kind)], [ir.Failed(UpstreamMalformed("malformed call"))]]
    upstream = script(broken, say("Hello"))
    begun = await run(upstream)
    assert (len(upstream.calls), begun.events) == (2, [event for batch in say("Hello")[:2] for event in batch])


async def test_an_answer_of_an_empty_block_is_empty() -> None:
    empty: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="text"), ir.BlockEnded(), ir.Finished(reason="stop")]
    upstream = script([empty])
    begun = await run(upstream)
    assert (len(upstream.calls), begun.events) == (3, empty)


async def test_hidden_thoughts_are_not_content() -> None:
    thoughts: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="thinking"), ir.ThinkingDelta("hm")]
    broken: Play = [thoughts, [ir.Failed(UpstreamMalformed("malformed call"))]]
    upstream = script(broken, say("Hello"))
    await run(upstream, visible=False)
    assert len(upstream.calls) == 2


async def test_shown_thoughts_are_content() -> None:
    thoughts: list[ir.Event] = [ir.Started(), ir.BlockStarted(kind="thinking"), ir.ThinkingDelta("hm")]
    upstream = script([thoughts, [ir.Failed(UpstreamMalformed("malformed call"))]])
    begun = await run(upstream)
    assert (len(upstream.calls), begun.ended) == (1, False)


async def test_an_empty_answer_is_tried_twice_more_and_then_given() -> None:
    empty: Play = [[ir.Started(), ir.Finished(reason="stop")]]
    upstream = script(empty)
    begun = await run(upstream)
    assert (len(upstream.calls), begun.ended) == (3, True)


async def test_an_empty_answer_for_length_is_final() -> None:
    upstream = script([[ir.Started(), ir.Finished(reason="length")]])
    begun = await run(upstream)
    assert (len(upstream.calls), begun.ended) == (1, True)


async def test_an_end_without_any_answer_is_broken() -> None:
    upstream = script([[ir.Started()]], after=lambda error: error)
    with pytest.raises(StreamBroken):
        await run(upstream)


async def test_silence_before_the_first_event_is_a_timeout() -> None:
    upstream = script([5.0, *say("late")], after=lambda error: error)
    policy = Policy(attempts=4, max_wait=10, first_byte=0.02)
    with pytest.raises(UpstreamTimeout, match="timeouts.first_byte"):
        await run(upstream, policy=policy)
    assert upstream.closed == 1


@pytest.mark.parametrize(("passed", "opened"), [(":", True), ("ping", False), ("ping", True)])
async def test_a_ping_within_a_block_is_a_sign_of_life(passed: str, opened: bool) -> None:
    data = ir.Passed(passed.encode(), quiet=passed == ":")
    pause_s = patient(0.1)
    begins: list[ir.Event] = [ir.Passed(b"x"), ir.Started(), *([ir.BlockStarted(kind="thinking")] if opened else [])]
    play: Play = [begins, pause_s, [data], pause_s, [data], pause_s, [data], pause_s, [data], [ir.ThinkingDelta("hm")]]
    upstream = script(play, after=lambda error: error)
    running = run(upstream, policy=replace(POLICY, first_byte=3 * pause_s))
    if passed == "ping" and opened:
        assert (await running).events[-1] == ir.ThinkingDelta("hm")
    else:
        with pytest.raises(UpstreamTimeout):
            await running


async def test_the_journeys_verdict_ends_the_attempts() -> None:
    verdict = UpstreamRateLimited("2 of 2 credentials are cooling")
    upstream = script([DOWN], after=lambda _: Step(verdict=verdict))
    with pytest.raises(UpstreamRateLimited) as caught:
        await run(upstream, policy=replace(POLICY, attempts=2))
    assert (len(upstream.calls), caught.value.headers) == (2, {"x-should-retry": "false"})


async def test_a_long_wait_is_told_with_the_journeys_verdict() -> None:
    verdict = UpstreamRateLimited("2 of 2 credentials are cooling")
    with pytest.raises(UpstreamRateLimited) as caught:
        await run(script([DOWN], after=lambda _: Step(wait_s=11.2, verdict=verdict)))
    assert caught.value.retry_after == 12


@pytest.mark.parametrize("wrong", [RuntimeError, KeyError])
async def test_a_defect_is_not_tried_again(wrong: type[Exception]) -> None:
    def fail(_: GatewayError) -> Step:
        raise wrong

    upstream = script([DOWN], after=fail)
    with pytest.raises(wrong):
        await run(upstream)
    assert (len(upstream.calls), upstream.done) == (1, 1)
