"""A secret shows itself nowhere, and what reached a text is masked."""

import copy
import pickle
import time

import pytest

from gateway.redact import Secret, redact


@pytest.mark.parametrize("show", [repr, str, lambda s: f"{s}", lambda s: f"{s!r:>5}".strip(), lambda s: f"{[s]}"[1:-1]])
def test_a_secret_is_never_shown(show: object) -> None:
    assert callable(show)
    assert show(Secret("canary")) == "***"


def test_a_secret_can_be_revealed_and_compared() -> None:
    secret = Secret("schlüssel\ud800")
    assert secret.reveal() == "schlüssel\ud800"
    assert secret == Secret("schlüssel\ud800")
    assert secret != Secret("other")
    assert secret != "schlüssel\ud800"


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")


def test_a_secret_is_neither_hashed_nor_pickled() -> None:
    with pytest.raises(TypeError):
        hash(Secret("a"))
    with pytest.raises(TypeError):
        pickle.dumps(Secret("a"))
    with pytest.raises(TypeError):
        copy.copy(Secret("a"))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("authorization: Basic dTpw\r\nhost: x", "authorization: ***\r\nhost: x"),
        ('{"authorization": "Bearer x", "a": 1}', '{"authorization": "***", "a": 1}'),
        ("(b'authorization', b'Bearer q1')", "(b'authorization', b'***')"),
        ("Proxy-Authorization: Basic x", "Proxy-Authorization: ***"),
        ("x-api-key: abc", "x-api-key: ***"),
        ("'x-goog-api-key': 'abc'", "'x-goog-api-key': '***'"),
        ("GET /v1beta/models?key=abc&alt=sse", "GET /v1beta/models?key=***&alt=sse"),
        ("/oauth2/callback?code=4%2F0&state=xyz", "/oauth2/callback?code=***&state=***"),
        ('{"refresh_token": "abc"}', '{"refresh_token": "***"}'),
        ('{\\"client_secret\\":\\"abc\\"}', '{\\"client_secret\\":\\"***\\"}'),
        ("grant_type=x&refresh_token=abc&y=1", "grant_type=x&refresh_token=***&y=1"),
        ("postgresql://user:pass@host/db", "postgresql://user:***@host/db"),
        ("redis://:pass@host", "redis://:***@host"),
        ("token ya29.a0Af-x_y refused", "token ya29.*** refused"),
        ("grant 1//0gAbCdEf-x", "grant 1//***"),
        ("key sk-ant-api03-abc is wrong", "key sk-*** is wrong"),
        ("AIzaSyA-1234567890_abc", "AIza***"),
        ("GOCSPX-abc_def", "GOCSPX-***"),
        ("sent Bearer abcdefgh to x", "sent Bearer *** to x"),
        ("id eyJhbGciOi.eyJzdWIi.c2ln end", "id eyJ*** end"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "without authorization, the request is refused",
        "admin.password: environment variable GATEWAY_ADMIN_PASSWORD is not set",
        "upstream.gemini.api_key: is empty",
        "http://127.0.0.1:8045/v1/models?alt=sse",
        "the task-based, risk-free disk-1 way",
        "https://1//x and monkey=1",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_given_secrets_are_masked_wherever_they_stand() -> None:
    assert redact("a-hunter22-b hunter2", [Secret("hunter2"), "hunter22"]) == "a-***-b ***"


def test_a_given_secret_too_short_to_tell_apart_is_left() -> None:
    assert redact("abcabc", ["abc", ""]) == "abcabc"


@pytest.mark.parametrize(
    "part",
    ["sk-", "eyJ", "eyJa.", "authorization ", "://", "://a:", "bearer ", "key=", "\\", "authorization\\\\", "password=",
     "api-key  ", "1//", "ya29.", "?key=", '"', "AIza", "a:b@"],
)  # fmt: skip
def test_the_time_is_linear(part: str) -> None:
    began = time.process_time()
    redact(part * 50_000)
    assert time.process_time() - began < 2.0
