"""What the service says is left of each model, in the answers to two questions."""

from pathlib import Path

import pytest

from gateway.adapters.v1internal_models import read_buckets, read_groups, read_quota
from gateway.admin.wording import iso
from gateway.store.known import Quota

CONTROL = Path(__file__).parents[1] / "fixtures" / "v1internal" / "control"
NOW = 1_800_000_000.0
MORNING = 1_795_168_800.0  # 2026-11-20T10:00:00Z


def test_the_model_list_says_what_is_left() -> None:
    found = read_quota((CONTROL / "fetchAvailableModels.json").read_bytes(), NOW)
    assert found["claude-sonnet-4-6"] == Quota(0.85, MORNING + 7200, NOW)
    assert found["gemini-3-flash"] == Quota(1.0, MORNING, NOW)
    assert found["tab_flash_lite_preview"] == Quota(1.0, None, NOW)


def test_a_reset_time_alone_means_that_nothing_is_left() -> None:
    found = read_quota((CONTROL / "fetchAvailableModels.json").read_bytes(), NOW)
    assert found["claude-opus-4-6-thinking"] == Quota(0.0, 1_795_251_986.0, NOW)  # 2026-11-21T09:06:26Z


@pytest.mark.parametrize("info", ["null", "{}", '{"resetTime": "soon"}', '{"resetTime": null}'])
def test_a_model_of_which_nothing_is_said_has_no_quota(info: str) -> None:
    assert read_quota(f'{{"models": {{"m": {{"quotaInfo": {info}}}}}}}'.encode(), NOW) == {}


def test_a_reset_beyond_all_calendars_can_be_shown() -> None:
    info = '{"resetTime": "9999-12-31T23:59:59-23:59"}'
    (quota,) = read_quota(f'{{"models": {{"m": {{"quotaInfo": {info}}}}}}}'.encode(), NOW).values()
    assert quota.reset_at is not None
    assert iso(quota.reset_at).startswith("2037-")


@pytest.mark.parametrize(("said", "left"), [("1.5", 1.0), ("-1", 0.0), ('"0.25"', 0.25), ("0", 0.0)])
def test_what_is_left_is_a_fraction(said: str, left: float) -> None:
    body = f'{{"models": {{"m": {{"quotaInfo": {{"remainingFraction": {said}}}}}}}}}'.encode()
    assert read_quota(body, NOW) == {"m": Quota(left, None, NOW)}


def test_the_buckets_of_the_other_client_are_its_models() -> None:
    found = read_buckets((CONTROL / "retrieveUserQuota.json").read_bytes(), NOW)
    midnight = MORNING + 14 * 3600
    assert found == {
        "gemini-2.5-pro": Quota(0.94, midnight, NOW),
        "gemini-2.5-flash": Quota(1.0, midnight, NOW),
    }


def test_of_several_buckets_of_a_model_the_emptiest_counts() -> None:
    body = b"""{"buckets": [
        {"modelId": "m", "tokenType": "REQUESTS", "remainingFraction": 0.5},
        {"modelId": "m", "tokenType": "TOKENS", "remainingFraction": 0.2},
        {"tokenType": "REQUESTS", "remainingFraction": 0.1}
    ]}"""
    assert read_buckets(body, NOW) == {"m": Quota(0.2, None, NOW)}


def test_what_models_share_has_the_name_of_its_group_and_window() -> None:
    found = read_groups((CONTROL / "retrieveUserQuotaSummary.json").read_bytes(), NOW)
    monday = MORNING + 3 * 86_400 + 14 * 3600
    assert found == {
        "Gemini Models, 5h": Quota(0.7, MORNING, NOW, group=True),
        "Gemini Models, weekly": Quota(0.9, monday, NOW, group=True),
        "Claude and GPT models, 5h": Quota(0.2, MORNING, NOW, group=True),
        "Claude and GPT models, weekly": Quota(0.0, monday, NOW, group=True),  # as proto-JSON writes a zero
    }


@pytest.mark.parametrize(
    ("bucket", "name"),
    [
        ('"bucketId": "gemini-weekly", "displayName": "Weekly Limit"', "Gemini, Weekly Limit"),
        ('"bucketId": "gemini-weekly"', "gemini-weekly"),
    ],
)
def test_a_group_without_a_window_has_the_name_that_there_is(bucket: str, name: str) -> None:
    """router-for-me/Cli-Proxy-API-Management-Center#317 has `displayName` beside `window`; others have neither."""
    body = f'{{"groups": [{{"displayName": "Gemini", "buckets": [{{{bucket}, "remainingFraction": 1}}]}}, {{}}]}}'
    assert read_groups(body.encode(), NOW) == {name: Quota(1.0, None, NOW, group=True)}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"groups": 1}', b"[" * 100_000])
def test_groups_that_cannot_be_read_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_groups(body, NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"buckets": 1}', b"[" * 100_000])
def test_buckets_that_cannot_be_read_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_buckets(body, NOW)
