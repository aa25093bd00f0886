"""The body that reading is measured with: of the right size, and nothing in it is refused or lost."""

from __future__ import annotations

from itertools import chain, count

import pytest

from bench.decode import FORMS, body_of, decode_ms


@pytest.mark.parametrize("dialect", FORMS)
def test_the_body_is_as_large_as_asked_for_and_read_whole(dialect: str) -> None:
    body = body_of(dialect, 200_000)
    assert 200_000 <= len(body) < 230_000
    codec, route, _, _ = FORMS[dialect]
    request = codec.read_request(body, route=route)
    assert (len(request.tools), request.losses) == (40, ())
    assert len(request.turns) > 10


def test_a_figure_is_the_least_of_the_reads_for_a_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of("chat", 200_000)
    readings = chain.from_iterable((10 * nth, 10 * nth + (0.002 if nth == 3 else 0.004)) for nth in count())
    monkeypatch.setattr("bench.decode.time.process_time", lambda: next(readings))
    assert decode_ms("chat", body) == pytest.approx(2 * 1_000_000 / len(body))
