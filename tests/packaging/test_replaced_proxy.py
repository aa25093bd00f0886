"""The `.env` of the replaced Anthropic proxy is a whole set-up: every provider of it, asked by Anthropic's SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.replaced import (
    AZURE,
    EVERY,
    GOOGLE,
    OPENAI,
    TOKEN,
    VERTEX,
    Provider,
    Proxies,
    Proxy,
    answers,
)

# the SDK knows when Anthropic will retire a model; the names are what counts here
pytestmark = [WHEEL, pytest.mark.filterwarnings("ignore:The model 'claude-:DeprecationWarning")]

TOOL: Any = {
    "name": "weather",
    "description": "Tell the weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALL = '!tool weather {"city": "Rome"}\n!then\n!say it is sunny'
BIG, SMALL = "claude-sonnet-4-5", "claude-haiku-4-5"
LIMITS = ("max_tokens", "max_completion_tokens", "maxOutputTokens")
STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.fixture(scope="module")
def proxies(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxies]:
    with Proxies(programs, lambda: tmp_path_factory.mktemp("proxy")) as one:
        yield one


@pytest.fixture(scope="module")
def running(proxies: Proxies) -> Mapping[str, Proxy]:
    """Run a gateway for each provider."""
    return {name: proxies.before(provider) for name, provider in EVERY.items()}


@pytest.fixture(params=EVERY)
def proxy(request: pytest.FixtureRequest, running: Mapping[str, Proxy]) -> Iterator[Proxy]:
    """Give the gateway before this provider; the provider accepts whatever comes of the test."""
    one = running[request.param]
    one.reset()
    yield one
    assert {call.status for call in one.calls} <= {0, 200}  # 0: the answer has come, its end is not noted yet


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def ask(claude: anthropic.Anthropic, *messages: Any, model: str = BIG, stream: bool = False, **more: Any) -> Any:
    """Ask for a message; as a stream it is put together by the SDK."""
    fields: Any = {"model": model, "max_tokens": 100, "messages": [*messages], **more}
    if not stream:
        return claude.messages.create(**fields)
    with claude.messages.stream(**fields) as events:
        return events.get_final_message()


def said(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def limits(body: Any) -> list[int]:
    config = body.get("generationConfig", body)
    return [config[name] for name in LIMITS if name in config]


@STREAM
def test_each_name_of_claude_leads_to_its_model(proxy: Proxy, stream: bool) -> None:
    claude = proxy.claude()
    for name in proxy.provider.leads:
        message = ask(claude, user("!say hi"), model=name, stream=stream)
        assert (said(message), message.model, message.stop_reason) == ("hi", name, "end_turn")
    assert proxy.asked == list(proxy.provider.leads.values())


@STREAM
def test_a_tool_is_called_and_its_result_heard(proxy: Proxy, stream: bool) -> None:
    claude = proxy.claude()
    asked = ask(claude, user(CALL), tools=[TOOL], stream=stream)
    (call,) = [block for block in asked.content if block.type == "tool_use"]
    assert (asked.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "Rome"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "25 degrees"}
    turns = (user(CALL), {"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]})
    answer = ask(claude, *turns, tools=[TOOL], stream=stream)
    assert (said(answer), answer.stop_reason) == ("it is sunny", "end_turn")


@STREAM
def test_a_small_limit_is_honoured(proxy: Proxy, stream: bool) -> None:
    message = ask(proxy.claude(), user("!say hi"), max_tokens=16, stream=stream)
    assert said(message) == "hi"
    assert [limits(call.request) for call in proxy.calls] == [[16]]


def test_tokens_are_counted(proxy: Proxy) -> None:
    short = proxy.claude().messages.count_tokens(model=BIG, messages=[user("hi")])
    long = proxy.claude().messages.count_tokens(model=BIG, messages=[user("hi " * 500)])
    assert 0 < short.input_tokens < long.input_tokens


@pytest.mark.parametrize("path", ["messages", "messages/count_tokens", "models", "chat/completions"])
@pytest.mark.parametrize("shown", [{}, {"authorization": "Bearer sk-wrong"}], ids=["none", "wrong"])
def test_every_path_wants_the_token(running: Mapping[str, Proxy], path: str, shown: dict[str, str]) -> None:
    proxy = running["openai"]
    proxy.reset()
    method = "GET" if path == "models" else "POST"
    answer = httpx.request(method, f"{proxy.program.url}/v1/{path}", json={}, headers=shown)
    assert answer.status_code == 401
    assert [call for call in proxy.fake.requests if call.method != "models.list"] == []  # asked for at any time


def test_the_banner_says_which_variable_has_which_role(proxies: Proxies) -> None:
    proxy = proxies.before(OPENAI, GOOGLE)
    assert proxy.program.says("configuration:").strip() == "configuration: none, built-in defaults"
    assert proxy.program.says("keys:").strip() == "keys: 1, from ANTHROPIC_AUTH_TOKEN"
    upstreams = [proxy.program.says(f"upstream {name}:").strip() for name in ("openai", "gemini")]
    assert upstreams == [
        "upstream openai: usable: 1 of 1 credentials, from OPENAI_API_KEY, OPENAI_BASE_URL",
        "upstream gemini: usable: 1 of 1 credentials, from GEMINI_API_KEY, GATEWAY_UPSTREAM__GEMINI__BASE_URL",
    ]


# without a token


def test_without_a_token_everybody_on_this_machine_is_let_in(proxies: Proxies) -> None:
    proxy = proxies.before(OPENAI, ANTHROPIC_AUTH_TOKEN="")
    assert said(ask(proxy.claude(""), user("!say hi"))) == "hi"
    assert [call.token for call in proxy.calls] == ["key-1"]
    assert proxy.program.says("keys:").strip() == "keys: 0, anonymous access: loopback"


# prefixes


@pytest.mark.parametrize(
    ("name", "model"),
    [("gpt-4o", "gpt-4o"), ("openai/gpt-4o", "gpt-4o"), ("openai/o4-mini", "o4-mini"), ("gpt-99", "gpt-99")],
)
def test_other_names_go_to_openai_with_and_without_its_prefix(
    running: Mapping[str, Proxy], name: str, model: str
) -> None:
    proxy = running["openai"]
    proxy.reset()
    if model in ("gpt-4o", "o4-mini"):
        assert said(ask(proxy.claude(), user("!say hi"), model=name)) == "hi"
    else:
        with pytest.raises(anthropic.NotFoundError):
            ask(proxy.claude(), user("!say hi"), model=name)
    assert proxy.asked == [model]


@pytest.mark.parametrize("name", ["gpt-4.1", "openai/gpt-4.1"])
def test_names_of_openai_reach_it_where_google_is_preferred(proxies: Proxies, name: str) -> None:
    proxy = proxies.before(GOOGLE, OPENAI)
    assert proxy.fallback is not None
    assert said(ask(proxy.claude(), user("!say hi"), model=name)) == "hi"
    assert (proxy.asked, [call.model for call in answers(proxy.fallback)]) == ([], ["gpt-4.1"])


@pytest.mark.parametrize(
    ("provider", "name"),
    [(GOOGLE, "gemini-2.5-flash"), (GOOGLE, "gemini/gemini-2.5-flash"), (VERTEX, "gemini/gemini-2.5-flash")],
    ids=["bare", "prefixed", "vertex"],
)
def test_names_of_gemini_reach_it_where_openai_is_preferred(proxies: Proxies, provider: Provider, name: str) -> None:
    proxy = proxies.before(OPENAI, provider, BIG_MODEL="gpt-4.1", SMALL_MODEL="gpt-4.1-mini")
    assert proxy.fallback is not None
    assert said(ask(proxy.claude(), user("!say hi"), model=name)) == "hi"
    assert (proxy.asked, [call.model for call in answers(proxy.fallback)]) == ([], ["gemini-2.5-flash"])


def test_a_big_model_with_another_vendors_prefix_is_a_name_of_the_preferred_server(proxies: Proxies) -> None:
    """A server such as OpenRouter has such names, and no such upstream is configured."""
    proxy = proxies.before(OPENAI, BIG_MODEL="anthropic/claude-sonnet-4.5")
    fake = proxy.fake
    with pytest.raises(anthropic.NotFoundError):
        ask(proxy.claude(), user("hi"))
    assert [call.model for call in answers(fake)] == ["anthropic/claude-sonnet-4.5"]


def test_a_name_that_gemini_has_not_goes_to_openai_where_google_is_preferred(proxies: Proxies) -> None:
    proxy = proxies.before(GOOGLE, OPENAI, BIG_MODEL="gpt-4o")
    assert proxy.fallback is not None
    assert said(ask(proxy.claude(), user("!say hi"))) == "hi"
    assert said(ask(proxy.claude(), user("!say hi"), model=SMALL)) == "hi"
    assert [call.model for call in answers(proxy.fallback)] == ["gpt-4o"]
    assert proxy.asked == ["gemini-2.5-flash"]


# fall-backs


@STREAM
@pytest.mark.parametrize(
    ("provider", "fallback", "model"),
    [
        (GOOGLE, OPENAI, "gpt-4.1"),
        (VERTEX, OPENAI, "gpt-4.1"),
        (OPENAI, GOOGLE, "gemini-2.5-pro"),
        (AZURE, OPENAI, "gpt-4.1"),
    ],
    ids=["google", "vertex", "openai", "azure"],
)
def test_the_other_provider_answers_where_the_preferred_one_fails(
    proxies: Proxies, provider: Provider, fallback: Provider, model: str, stream: bool
) -> None:
    proxy = proxies.before(provider, fallback, **KEPT.get(provider.name, {}))
    assert proxy.fallback is not None
    proxy.fake.fail(503, times=99)
    assert said(ask(proxy.claude(), user("!say hi"), stream=stream)) == "hi"
    assert [call.model for call in answers(proxy.fallback)] == [model]


KEPT: Mapping[str, Mapping[str, str]] = {"openai": {"BIG_MODEL": "gpt-4.1", "SMALL_MODEL": "gpt-4.1-mini"}}


def test_without_another_provider_a_failure_is_told(proxies: Proxies) -> None:
    proxy = proxies.before(OPENAI)
    proxy.fake.fail(503, times=99)
    with pytest.raises(anthropic.InternalServerError) as caught:
        ask(proxy.claude(), user("hi"))
    assert caught.value.status_code in (502, 503, 529)


# log files


def test_the_log_goes_to_its_file_too(proxies: Proxies) -> None:
    proxy = proxies.before(OPENAI, LOG_FILE="./logs/proxy-%Y.log", LOG_FILE_BACKUP_COUNT="3", LOG_LEVEL="INFO")
    ask(proxy.claude(), user("!say hi"))
    proxy.program.says('"event":"request"')
    (file,) = (proxy.folder / "logs").iterdir()
    assert file.name.startswith("proxy-20")
    assert '"event":"request"' in file.read_text()


def test_without_a_log_file_there_is_none(running: Mapping[str, Proxy]) -> None:
    proxy = running["openai"]
    proxy.reset()
    ask(proxy.claude(), user("!say hi"))
    assert sorted(entry.name for entry in proxy.folder.iterdir()) == [".env", "data"]


def test_the_level_of_the_log_is_heeded(proxies: Proxies) -> None:
    proxy = proxies.before(OPENAI, LOG_FILE="proxy.log", LOG_FILE_PATTERN="proxy-%Y-%m-%d.log", LOG_LEVEL="WARNING")
    ask(proxy.claude(), user("!say hi"))
    proxy.fake.fail(503, times=99)
    with pytest.raises(anthropic.APIStatusError):
        ask(proxy.claude(TOKEN), user("hi"))
    assert '"event":"request"' not in (proxy.folder / "proxy.log").read_text()
