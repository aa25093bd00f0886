"""What the middleware counts, and under which labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import ir
from gateway.context import RequestContext, attach
from gateway.errors import BodyTooLarge, InvalidRequest, RateLimited, Unauthenticated, UpstreamTimeout
from gateway.histogram import observe
from gateway.middleware import Metrics
from gateway.middleware.places import OTHER
from gateway.prices import Price, Prices
from gateway.refusal import refuse
from gateway.store.tally import Tally
from gateway.upstream import Target
from tests.clocks import FakeClock
from tests.exposed import Numbers
from tests.middleware.asgi import Inner, call, scope_of
from tests.scripted import Scripted, say

pytestmark = pytest.mark.anyio

WHERE = {"upstream": "up", "model": "m"}
Said = Callable[[RequestContext], None]


class Answers(Inner):
    """The app inside: says of each request what a relay would."""

    def __init__(self, *said: Said | Mapping[str, Any]) -> None:
        super().__init__()
        self.said = list(said)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if callable(said):
            said(context)
        else:
            for name, value in said.items():
                setattr(context, name, value)
        if context.error is not None:
            await refuse(context, send, context.error)
        else:
            await super().__call__(scope, receive, send)


async def scraped(app: ASGIApp) -> Numbers:
    answer = await call(app, scope_of("/metrics", method="GET"))
    assert answer.status == 200
    return Numbers(answer.body.decode())


async def after(inner: ASGIApp, *paths: str, times: int = 1, **options: Any) -> Numbers:
    app = Metrics(inner, **options)
    for path in paths or ("/v1/chat/completions",) * times:
        await call(app, scope_of(path))
    return await scraped(app)


def upstream(*models: str) -> dict[str, Any]:
    return {"up": Scripted(say("Hello"), name="up", models=models)}


async def test_an_answer_is_counted_under_who_gave_it() -> None:
    found = await after(Answers({"upstream": "up/m"}), times=2)
    assert found.get("requests_total", dialect="openai-chat", status="200", **WHERE) == 2
    assert found.get("request_ends_total", dialect="openai-chat", upstream="up", end="done") == 2
    assert found.get("request_seconds_count", **WHERE) == found.get("first_byte_seconds_count", **WHERE) == 2


async def test_tokens_are_summed_by_kind() -> None:
    usage = ir.Usage(input=10, cache_read=4, cache_write=3, output=7, reasoning=2)
    found = await after(Answers({"upstream": "up/m", "usage": usage}), times=2)
    kinds = {"input": 20, "cached": 8, "cache_write": 6, "output": 14, "reasoning": 4}
    assert {kind: found.get("tokens_total", kind=kind, **WHERE) for kind in kinds} == kinds


@pytest.mark.parametrize("severity", ["hint", "change", "content"])
@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "openai-chat"),
        ("/v1/responses", "openai-responses"),
        ("/v1/messages", "anthropic"),
        ("/v1beta/models/m:generateContent", "gemini"),
    ],
)
async def test_losses_are_counted_by_pair_and_severity(path: str, dialect: str, severity: Any) -> None:
    lost = (ir.Loss("seed", "nobody has it", severity), ir.Loss("top_k", "nobody has it", severity))
    found = await after(Answers({"upstream": "up/m", "losses": lost}), path)
    assert found.get("losses_total", dialect=dialect, upstream="up", severity=severity) == 2
    assert found.total("losses_total") == 2


async def test_a_call_after_a_failure_is_a_retry_with_its_reason() -> None:
    one, two = (Target(adapter, "m") for adapter in (*upstream("m").values(), Scripted([], name="two")))
    limited, silent = UpstreamTimeout("Quota exceeded"), UpstreamTimeout("silence")
    limited.cause = "rate_limit"

    def asked(context: RequestContext) -> None:
        for target, failure in ((one, None), (one, limited), (one, limited), (two, silent)):
            context.tries(target, failure)
        context.upstream = "two/m"

    found = await after(Answers(asked))
    assert found.get("retries_total", upstream="up", reason="rate_limit") == 2
    assert found.get("retries_total", upstream="up", reason="timeout") == 1
    assert found.total("retries_total") == 3


async def test_time_is_measured_to_the_first_byte_and_to_the_end() -> None:
    clock = FakeClock()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.upstream = "up/m"
        await clock.advance(0.5)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await clock.advance(2.5)
        await send({"type": "http.response.body", "body": b"b"})

    found = await after(slow, clock=clock)
    assert (found.get("first_byte_seconds_sum", **WHERE), found.get("request_seconds_sum", **WHERE)) == (0.5, 3)
    buckets = {le: found.get("first_byte_seconds_bucket", le=le, **WHERE) for le in ("0.25", "0.5", "1.0", "+Inf")}
    assert buckets == {"0.25": 0, "0.5": 1, "1.0": 1, "+Inf": 1}


async def test_a_stream_is_open_from_its_first_piece_to_its_end() -> None:
    begun, go = anyio.Event(), anyio.Event()

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        begun.set()
        await go.wait()
        await send({"type": "http.response.body", "body": b"b"})

    app = Metrics(streaming)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, app, scope_of())
        await begun.wait()
        assert (await scraped(app)).get("open_streams") == 1
        go.set()
    assert (await scraped(app)).get("open_streams") == 0


async def test_a_request_is_under_way_to_its_end_and_waits_for_its_first_word() -> None:
    begun, go = anyio.Event(), anyio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/answered":
            attach(scope, send)[0].begins()
        begun.set()
        await go.wait()
        await Inner()(scope, receive, send)

    app = Metrics(slow)
    seen = list[tuple[float | None, float | None]]()
    async with anyio.create_task_group() as tasks:
        for path in ("/waiting", "/answered"):
            begun = anyio.Event()
            tasks.start_soon(call, app, scope_of(path))
            await begun.wait()
        found = await scraped(app)
        seen.append((found.get("requests_under_way"), found.get("requests_waiting")))
        go.set()
    found = await scraped(app)
    assert [*seen, (found.get("requests_under_way"), found.get("requests_waiting"))] == [(2, 1), (0, 0)]


async def test_a_defect_leaves_nothing_under_way() -> None:
    async def defect(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    app = Metrics(defect)
    with pytest.raises(RuntimeError):
        await call(app, scope_of())
    found = await scraped(app)
    assert (found.get("requests_under_way"), found.get("requests_waiting")) == (0, 0)


async def test_silences_are_summed_by_model_and_the_long_ones_are_stalls() -> None:
    def silent(context: RequestContext) -> None:
        context.upstream = "up/m"
        assert context.silences is not None
        for seconds in (0.004, 0.2, 0.2, 5.0, 7.0, 40.0):
            observe(context.silences, seconds)

    found = await after(Answers(silent), times=2)
    assert found.get("chunk_gap_seconds_count", **WHERE) == 12
    assert found.get("chunk_gap_seconds_sum", **WHERE) == pytest.approx(104.808)
    assert found.get("chunk_gap_seconds_bucket", le="0.25", **WHERE) == 6
    assert found.get("stalls_total", outcome="resumed", **WHERE) == 4
    assert found.get("stalls_total", outcome="given_up", **WHERE) is None


async def test_an_upstream_that_was_given_up_has_stalled() -> None:
    found = await after(Answers({"upstream": "up/m", "fell_silent": True}))
    assert found.get("stalls_total", outcome="given_up", **WHERE) == 1


async def test_tokens_cost_what_their_model_costs() -> None:
    usage = ir.Usage(input=1_000_000, cache_read=500_000, output=100_000)
    prices = Prices({"up/m": Price(2.0, 0.5, 10.0)})
    found = await after(Answers({"upstream": "up/m", "usage": usage}), times=2, prices=prices)
    assert found.get("cost_usd_total", **WHERE) == 2 * (1.0 + 0.25 + 1.0)


async def test_what_has_no_price_costs_nothing_that_is_known() -> None:
    said = {"upstream": "up/m", "usage": ir.Usage(input=1, output=1)}
    assert (await after(Answers(said), prices=Prices({}))).total("cost_usd_total") == 0


async def test_a_model_without_a_label_of_its_own_has_its_price() -> None:
    said = [{"upstream": f"up/unlisted-{number}", "usage": ir.Usage(input=1_000_000)} for number in range(101)]
    prices = Prices({"unlisted-100": Price(3.0, 3.0, 3.0), "*": Price(1.0, 1.0, 1.0)})
    found = await after(Answers(*said), times=101, adapters=upstream("m"), prices=prices)
    assert found.get("cost_usd_total", upstream="up", model=OTHER) == 3


async def test_why_answers_ended_is_counted() -> None:
    found = await after(Answers({"upstream": "up/m", "finish": "length"}))
    assert found.get("finish_reasons_total", reason="length", **WHERE) == 1


@pytest.mark.parametrize(
    ("said", "upstream", "reason"),
    [
        ({"error": Unauthenticated("who?")}, "", "invalid_api_key"),
        ({"error": BodyTooLarge("no")}, "", "request_too_large"),
        ({"error": InvalidRequest("what?")}, "", "InvalidRequest"),
        ({"upstream": "up/m", "error": UpstreamTimeout("silence")}, "up", "timeout"),
    ],
)
async def test_failures_are_counted_by_reason(said: Mapping[str, Any], upstream: str, reason: str) -> None:
    found = await after(Answers(said))
    assert found.get("errors_total", dialect="openai-chat", upstream=upstream, reason=reason) == 1


# who makes a label


async def test_a_refusal_has_no_upstream_and_no_model() -> None:
    refused = {"requested_model": "made-up", "error": RateLimited("no more")}
    found = await after(Answers(refused))
    labels = {"dialect": "openai-chat", "upstream": "", "model": "", "status": "429"}
    assert found.get("requests_total", **labels) == 1
    assert found.get("request_ends_total", dialect="openai-chat", upstream="", end="error") == 1
    assert found.total("first_byte_seconds_count") == 0


async def test_an_upstream_that_was_asked_in_vain_is_named() -> None:
    up = upstream("m")
    failed = {"tried": Target(up["up"], "m"), "error": UpstreamTimeout("silence")}
    found = await after(Answers(failed), adapters=up)
    assert found.get("requests_total", dialect="openai-chat", status="504", **WHERE) == 1


async def test_a_model_that_nobody_lists_and_that_fails_makes_no_label() -> None:
    up = upstream("m")
    failures = [{"tried": Target(up["up"], f"made-up-{n}"), "error": UpstreamTimeout("silence")} for n in range(9)]
    found = await after(Answers(*failures), times=9, adapters=up)
    assert found.labels("requests_total", "model") == {OTHER}


async def test_no_request_is_lost_where_there_are_more_models_than_room() -> None:
    models = [f"listed-{number}-{'x' * 180}" for number in range(600)]
    said = [{"upstream": f"up/{model}"} for model in (*models, models[0], models[-1])]
    found = await after(Answers(*said), times=602, adapters=upstream(*models))
    assert found.total("requests_total", upstream="up") == found.total("request_seconds_count", upstream="up") == 602
    assert found.total("requests_total", model=models[0]) == 2
    assert found.total("requests_total", model=OTHER) > 100


async def test_models_that_nobody_lists_have_few_labels() -> None:
    said = [{"upstream": f"up/unlisted-{number}"} for number in range(120)]
    found = await after(Answers(*said, {"upstream": "up/m"}), times=121, adapters=upstream("m"))
    models = found.labels("requests_total", "model")
    assert (len(models), {"m", OTHER} <= models, found.total("requests_total")) == (102, True, 121)


@pytest.mark.parametrize("name", ["a\0b", "a\r\nb", "a\u2028b", "a" * 1000])
async def test_a_name_that_prometheus_cannot_read_makes_no_label(name: str) -> None:
    found = await after(Answers({"upstream": f"up/{name}"}), adapters=upstream("m"))
    assert found.labels("requests_total", "model") == {OTHER}


async def test_a_path_of_no_dialect_has_no_dialect() -> None:
    found = await after(Inner(), "/own", "/elsewhere")
    assert found.get("requests_total", dialect="", upstream="", model="", status="200") == 2


@pytest.mark.parametrize(("end", "status"), [("client_closed", "499"), ("cancelled", "499"), ("", "500")])
async def test_what_ends_without_a_status_has_one(end: str, status: str) -> None:
    async def ended(scope: Scope, receive: Receive, send: Send) -> None:
        attach(scope, send)[0].end = end

    found = await after(ended)
    assert found.labels("requests_total", "status") == {status}


async def test_a_defect_inside_is_counted_and_goes_on() -> None:
    async def defect(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    app = Metrics(defect)
    with pytest.raises(RuntimeError):
        await call(app, scope_of())
    found = await scraped(app)
    assert found.labels("requests_total", "status") == {"500"}
    assert found.labels("request_ends_total", "end") == {"error"}


async def test_counts_go_on_after_the_tally_was_opened_again() -> None:
    tally = Tally()
    app = Metrics(Answers({"upstream": "up/m"}), tally=tally)
    await call(app, scope_of())
    tally.close()
    await call(app, scope_of())
    assert (await scraped(app)).total("requests_total") == 1


# alone


async def test_the_path_can_be_another_or_none() -> None:
    assert (await call(Metrics(Inner(), path="/numbers"), scope_of("/numbers", method="GET"))).body != b"ok"
    assert (await call(Metrics(Inner(), path=""), scope_of("/metrics", method="GET"))).body == b"ok"


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("sk-1", 200), ("sk-2", 401)])
async def test_a_stranger_needs_one_of_the_keys(key: str | None, status: int) -> None:
    app = Metrics(Inner(), keys=["sk-1"])
    headers = {"authorization": f"Bearer {key}"} if key else {}
    assert (await call(app, scope_of("/metrics", method="GET", client="10.0.0.7", headers=headers))).status == status


async def test_two_of_one_app_do_not_mix() -> None:
    one, two = Metrics(Answers({"upstream": "up/m"})), Metrics(Answers({"upstream": "up/m"}))
    await call(one, scope_of())
    assert ((await scraped(one)).total("requests_total"), (await scraped(two)).total("requests_total")) == (1, 0)


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    found = await after(Inner(), folder=tmp_path / "file")
    assert found.total("requests_total") == 1
    assert "metrics are not shared with other workers" in capsys.readouterr().out
