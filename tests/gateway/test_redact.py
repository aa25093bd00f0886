"""A secret shows itself nowhere, and what reached a text is masked."""

import copy
import json
import pickle

import pytest

from gateway.redact import Hider, Secret, conceal, credentials_in, redact
from tests.cpu import cpu_seconds


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
        ("'query_string': b'key=abc&alt=sse'", "'query_string': b'key=***&alt=sse'"),
        ("/oauth2/callback?code=4%2F0&state=xyz", "/oauth2/callback?code=***&state=***"),
        ("Cookie: gateway_session=1.a.b; theme=dark\r\nhost: x", "Cookie: ***\r\nhost: x"),
        ("(b'set-cookie', b'gateway_login_0a1b=x; Path=/')", "(b'set-cookie', b'***')"),
        ("has gateway_session=1799.ab.password-1.cd only", "has gateway_session=*** only"),
        ("has gateway_session_8045=1799.ab.password-1.cd only", "has gateway_session_8045=*** only"),
        ("has gateway_login_0a1b2c3d=ab12; and no other", "has gateway_login_0a1b2c3d=***; and no other"),
        ('{"refresh_token": "abc"}', '{"refresh_token": "***"}'),
        ('{"name": "a", "authorization_token": "abc"}', '{"name": "a", "authorization_token": "***"}'),
        ('{\\"authorization_token\\":\\"abc\\"}', '{\\"authorization_token\\":\\"***\\"}'),
        ('{"apiKeyConfig": {"apiKeyString": "abc"}}', '{"apiKeyConfig": {"apiKeyString": "***"}}'),
        ('{"api_key_string": "abc"}', '{"api_key_string": "***"}'),
        ('{"type": "api_key", "key": "abc"}', '{"type": "api_key", "key": "***"}'),
        ('{\\"type\\":\\"api_key\\",\\"key\\":\\"abc\\"}', '{\\"type\\":\\"api_key\\",\\"key\\":\\"***\\"}'),
        ('{\\"client_secret\\":\\"abc\\"}', '{\\"client_secret\\":\\"***\\"}'),
        ("grant_type=x&refresh_token=abc&y=1", "grant_type=x&refresh_token=***&y=1"),
        ('{"code_verifier": "abc", "id_token": "d"}', '{"code_verifier": "***", "id_token": "***"}'),
        ('encryption_key = "abc"', 'encryption_key = "***"'),
        ("username=admin&password=abc", "username=admin&password=***"),
        ("GET /file?sig=ab%3D&signature=c&secret=d", "GET /file?sig=***&signature=***&secret=***"),
        ("postgresql://user:pass@host/db", "postgresql://user:***@host/db"),
        ("redis://:pass@host", "redis://:***@host"),
        ("https://user:p@ss@host/v1", "https://user:***@host/v1"),
        ("token ya29.a0Af-x_y refused", "token ya29.*** refused"),
        ("grant 1//0gAbCdEf-x", "grant 1//***"),
        ('{"grant":"1\\/\\/0gAbCdEf-x"}', '{"grant":"1\\/\\/***"}'),
        ("key sk-ant-api03-abc is wrong", "key sk-*** is wrong"),
        ("AIzaSyA-1234567890_abc", "AIza***"),
        ("made gw-AbCdEfGhIjKlMnOpQrSt_-1 today", "made gw-*** today"),
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
        "the cookie is for https",
        "the key gw-AbCdE was revoked",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_given_secrets_are_masked_wherever_they_stand() -> None:
    assert redact("a-hunter22-b hunter2", [Secret("hunter2"), "hunter22"]) == "a-***-b ***"


def test_a_given_secret_too_short_to_tell_apart_is_left() -> None:
    assert redact("abcabc", ["abc", ""]) == "abcabc"


@pytest.mark.parametrize(
    "spelt",
    [
        "p+s&/=é",
        "p%2Bs%26%2F%3D%C3%A9",
        "p%2bs%26/%3d%c3%a9",
        "p+s\\u0026/\\u003d\\u00e9",
        "p\\u002Bs\\u0026/=\\u00e9",
        "p+s&\\/=\\u00e9",  # as PHP writes JSON
        "p+s&\\\\\\/=\\\\u00e9",  # and JSON within JSON
    ],
)
def test_a_given_secret_is_masked_however_it_is_written(spelt: str) -> None:
    assert Hider([Secret("p+s&/=é")])(f"it was {spelt}.") == "it was ***."


@pytest.mark.parametrize("secret", ['quo"te', 'two\\\\\\"s', "back\\slash", "two words", "a.b*c", "𝄞 clef"])
def test_a_given_secret_is_masked_in_any_json(secret: str) -> None:
    once = json.dumps({"m": f"it was {secret}"})
    for text in (once, json.dumps({"m": f"it was {secret}"}, ensure_ascii=False), json.dumps(once)):
        assert redact(text, [secret]).count("***") == 1, text


# what a server repeats


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer canary-1"},
        {"Authorization": "canary-1"},
        {"x-api-key": "canary-1"},
        {"x-of-the-operator": "canary-1"},
    ],
)
def test_a_header_that_is_repeated_is_masked(headers: dict[str, str]) -> None:
    assert conceal(b'{"error":"no canary-1"}', credentials_in(headers)) == b'{"error":"no ***"}'


def test_headers_that_are_no_credentials_stay() -> None:
    headers = {"Content-Type": "application/json", "user-agent": "the gateway", "anthropic-version": "2023-06-01"}
    assert credentials_in({**headers, "accept": "text/event-stream", "anthropic-beta": "context-1m"}) == ()


def test_a_key_is_masked_where_slashes_are_escaped() -> None:
    shown = credentials_in({"x-goog-api-key": "canary/Key+1="})
    assert conceal(rb'{"error":{"message":"no canary\/Key+1="}}', shown) == b'{"error":{"message":"no ***"}}'


def test_a_form_that_is_repeated_is_masked() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    form = b"grant_type=authorization_code&client_id=the-client&client_secret=s%26canary&code=4%2Fcanary"
    said = b"authorization_code of the-client: s&canary, 4/canary, 4%2Fcanary"
    assert conceal(said, credentials_in(headers, form)) == b"authorization_code of the-client: ***, ***, ***"


def test_what_kind_of_token_a_form_is_about_is_no_secret() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    form = b"subject_token=canary-1&subject_token_type=urn:ietf:params:oauth:token-type:jwt"
    said = b"no urn:ietf:params:oauth:token-type:jwt: canary-1"
    assert conceal(said, credentials_in(headers, form)) == b"no urn:ietf:params:oauth:token-type:jwt: ***"


def test_what_a_local_server_is_shown_as_a_key_leaves_its_answers_whole() -> None:
    answer = b'{"error": {"message": "none", "param": "none"}}'
    assert conceal(answer, credentials_in({"authorization": "Bearer none"})) == answer


@pytest.mark.parametrize(
    "part",
    ["sk-", "eyJ", "eyJa.", "authorization ", "://", "://a:", "bearer ", "key=", "\\", "authorization\\\\", "password=",
     "api-key  ", "cookie: ", "cookie ", "gateway_session=", "gateway_login_a", "1//", "ya29.", "?key=", "'key=", '"',
     "AIza", "a:b@"],
)  # fmt: skip
def test_the_time_is_linear(part: str) -> None:
    secrets = ["+" * 20, "/a/b/c/d", "\\\\\\\\ee", "\\" * 30 + "e", '\\"' * 15 + "e", part + part]
    text = part * 50_000
    assert cpu_seconds(lambda: redact(text, secrets), below=2.0) < 2.0
    assert cpu_seconds(lambda: conceal(text.encode(), secrets), below=2.0) < 2.0
