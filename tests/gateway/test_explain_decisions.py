"""Each decision stands with the line that made it; each loss with its path; each way with its share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import decode

from gateway.config import ConfigError, load
from gateway.explain import Explanation, explain, recorded, smallest, written
from tests.gateway.explained import GOOGLE, about, ask, live, of, only, settled

pytestmark = pytest.mark.anyio

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write gateway.toml of these lines."""
    return partial(settled, tmp_path)


def steps(explanation: Explanation) -> list[tuple[str, str, str]]:
    """Give name, key and the end of the source of every decision."""
    ways = [step for way in explanation.ways for step in way.decisions]
    members = [step for way in explanation.ways for member in way.members for step in member.decisions]
    found = (*ways, *explanation.decisions, *members)
    return [(step.name, step.key, step.source.rpartition("/")[2]) for step in found]


def source(explanation: Explanation, key: str) -> str:
    """Give the place that gave a key its value."""
    (found,) = {place for _, known, place in steps(explanation) if known == key}
    return found


async def test_each_rule_on_the_way_of_a_name_has_its_line(write: Write) -> None:
    file = write(
        "[models.alias]",
        'best = "claude-x-search"',
        "[models.family]",
        'claude = "google/claude-sonnet-4-5"',
        "[upstream.google]",
        'type = "v1internal"',
    )
    assert steps(await about(file, "best"))[:5] == [
        ("best", "models.alias.best", "gateway.toml:2"),
        ("claude-x-search", "models.variant.-search", "built-in default"),
        ("claude-x", "models.family.claude", "gateway.toml:4"),
        ("google/claude-sonnet-4-5", "upstream.google", "gateway.toml:5"),
        ("stream", "defaults.stream", "built-in default"),
    ]


@pytest.mark.parametrize(
    ("name", "model", "key", "line"),
    [
        ("gemini-3-flash", "gemini-3-flash", "upstream.google.models", "gateway.toml:3"),
        ("gemini-3-flash-20260101", "gemini-3-flash", "upstream.google.models", "gateway.toml:3"),
        ("gpt-4o", "claude-sonnet-4-5", 'upstream.google.alias."gpt-4*"', "gateway.toml:4"),
        ("claude-3-5-sonnet-20241022", "claude-sonnet-4-5", 'upstream.google.alias."claude-3*"', "built-in default"),
        ("any-other", "any-other", "models.unknown", "built-in default"),
    ],
)
async def test_each_kind_of_rule_is_named(name: str, model: str, key: str, line: str, write: Write) -> None:
    file = write(
        "[upstream.google]",
        'type = "v1internal"',
        'models = ["gemini-3-flash", "claude-sonnet-4-5"]',
        'alias = { "gpt-4*" = "claude-sonnet-4-5" }',
    )
    explanation = await about(file, name)
    assert only(explanation).model == model
    assert source(explanation, key) == line


async def test_a_rule_on_another_line_is_named_with_that_line(write: Write) -> None:
    rules = ('[thinking]\n"gemini-*" = { budget = 700 }', "[defaults]\ntop_k = 7", GOOGLE)
    before = await about(write(*rules), "gemini-2.5-flash")
    after = await about(write("# a comment", "", *reversed(rules)), "gemini-2.5-flash")
    keys = ('thinking."gemini-*"', "defaults.top_k", "upstream.google.type")
    assert [source(before, key) for key in keys] == ["gateway.toml:2", "gateway.toml:4", "gateway.toml:6"]
    assert [source(after, key) for key in keys] == ["gateway.toml:9", "gateway.toml:7", "gateway.toml:4"]


async def test_a_value_of_the_environment_is_named_by_its_variable(write: Write) -> None:
    environ = {"GATEWAY_DEFAULTS__TOP_K": "9", "GATEWAY_UPSTREAM__GOOGLE__ENVELOPE": "gemini-cli"}
    explanation = await about(write(GOOGLE, "[defaults]", "top_k = 7"), "gemini-2.5-flash", environ)
    assert source(explanation, "defaults.top_k") == "env GATEWAY_DEFAULTS__TOP_K"
    assert source(explanation, "upstream.google.envelope") == "env GATEWAY_UPSTREAM__GOOGLE__ENVELOPE"
    assert decode(only(explanation).body or b"")["request"]["generationConfig"]["topK"] == 9


async def test_a_rule_of_which_a_variable_changes_one_key_names_both(write: Write) -> None:
    file = write('[models.variant."-plus"]', 'thinking = "max"', 'only = "gemini-*"', GOOGLE)
    explanation = await about(file, "gemini-2.5-flash-plus", {"GATEWAY_MODELS__VARIANT___PLUS__THINKING": "off"})
    assert source(explanation, "models.variant.-plus") == "gateway.toml:1, env GATEWAY_MODELS__VARIANT___PLUS__THINKING"


async def test_an_upstream_of_the_environment_is_named_by_its_variable(write: Write) -> None:
    explanation = await about(write(""), "mine/x", {"GATEWAY_UPSTREAM__MINE__TYPE": "demo"})
    assert source(explanation, "upstream.mine") == "env GATEWAY_UPSTREAM__MINE__TYPE"


async def test_an_upstream_that_is_named_after_its_type_is_its_table(write: Write) -> None:
    explanation = await about(write("", "[upstream.demo]"), "demo")
    assert [step for step in steps(explanation) if step[0] == "type"] == [("type", "upstream.demo", "gateway.toml:2")]


async def test_without_a_file_all_is_built_in() -> None:
    explanation = await explain(load({}, environ={}), recorded(b'{"messages": []}', "demo", "openai-chat"))
    assert explanation.configuration is None
    assert explanation.error is not None
    assert {place for *_, place in steps(explanation)} <= {"built-in default"}


async def test_the_output_limit_of_anthropic_callers_is_said(write: Write) -> None:
    explanation = await of(write(GOOGLE), smallest("m", "anthropic"))
    found = [step for step in only(explanation).decisions if step.name == "max_tokens"]
    assert [(step.gives, step.key, step.source) for step in found] == [
        ("8192", "defaults.max_tokens", "built-in default")
    ]


# what is lost


async def test_losses_stand_with_path_severity_and_reason(write: Write) -> None:
    member = only(await of(write(GOOGLE), ask("anthropic", "claude-sonnet-4-5", service_tier="auto")))
    assert [(loss.path, loss.severity) for loss in member.losses] == [
        ("service_tier", "hint"),
        ("system[0].cache_control", "hint"),
    ]
    assert all(loss.reason for loss in member.losses)


async def test_what_becomes_of_losses_is_a_decision(write: Write) -> None:
    file = write('[translate]\nlossy = "report"', GOOGLE)
    explanation = await of(file, ask("openai-chat", "gemini-2.5-flash"))
    assert ("logit_bias", "change") in [(loss.path, loss.severity) for loss in only(explanation).losses]
    assert source(explanation, "translate.lossy") == "gateway.toml:2"


async def test_strict_mode_refuses_lists_all_losses_and_has_no_body(write: Write) -> None:
    file = write(GOOGLE, "[translate]", 'lossy = "strict"')
    explanation = await of(file, ask("openai-chat", "gemini-2.5-flash"))
    member = only(explanation)
    assert member.error is not None
    assert (member.error.status, member.error.param, member.body, member.url) == (400, "logit_bias", None, None)
    assert {loss.path for loss in member.losses} >= {"logit_bias"}
    assert source(explanation, "translate.lossy") == "gateway.toml:5"


async def test_strict_mode_lets_hints_pass(write: Write) -> None:
    file = write(GOOGLE, "[translate]", 'lossy = "strict"')
    member = only(await of(file, ask("anthropic", "claude-sonnet-4-5")))
    assert (member.error, [loss.severity for loss in member.losses]) == (None, ["hint"])


async def test_the_rule_for_a_budget_above_the_limit_is_said(write: Write) -> None:
    file = write(GOOGLE, "[translate]", 'thinking_conflict = "raise"')
    thinking = {"type": "enabled", "budget_tokens": 5000}
    explanation = await of(file, ask("anthropic", "claude-sonnet-4-5", thinking=thinking))
    assert source(explanation, "translate.thinking_conflict") == "gateway.toml:5"


async def test_a_budget_below_the_limit_needs_no_rule(write: Write) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    explanation = await of(write(GOOGLE), ask("anthropic", "claude-sonnet-4-5", thinking=thinking))
    assert "translate.thinking_conflict" not in [key for _, key, _ in steps(explanation)]


async def test_what_becomes_of_signatures_is_said(write: Write) -> None:
    thoughts = {"type": "thinking", "thinking": "So.", "signature": "EqQBCgIYAhIM" * 20}
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [thoughts, {"type": "text", "text": "Yes?"}]},
        {"role": "user", "content": "Go on"},
    ]
    file = write(GOOGLE, "[translate]", 'signatures = "off"')
    explanation = await of(file, ask("anthropic", "claude-sonnet-4-5", messages=said))
    assert source(explanation, "translate.signatures") == "gateway.toml:5"


# what is refused


async def test_an_unknown_model_is_refused_with_suggestions_and_the_keys_that_say_so(write: Write) -> None:
    explanation = await about(write(GOOGLE, "[models]", 'unknown = "reject"'), "gemini-3-flsh")
    assert explanation.error is not None
    assert (explanation.error.status, explanation.error.code) == (404, "model_not_found")
    assert "did you mean gemini-3-flash" in explanation.error.message
    assert source(explanation, "models.unknown") == "gateway.toml:5"
    assert source(explanation, "models.default_upstream") == "built-in default"


async def test_a_request_that_its_dialect_refuses_is_refused(write: Write) -> None:
    explanation = await of(write(GOOGLE), ask("openai-chat", "gemini-2.5-flash", temperature=9))
    assert explanation.error is not None
    assert (explanation.error.status, explanation.error.param, explanation.ways) == (400, "temperature", ())


async def test_what_one_upstream_cannot_carry_is_refused_there(write: Write) -> None:
    explanation = await of(write("[upstream.demo]"), ask("gemini", "demo", cachedContent="cachedContents/1"))
    error = only(explanation).error
    assert error is not None
    assert (error.status, error.param, only(explanation).losses) == (400, "cachedContent", ())


async def test_a_body_above_the_limit_is_refused(write: Write) -> None:
    explanation = await of(write(GOOGLE, "[server]", 'max_body = "1KB"'), ask("openai-chat", "m", user="u" * 2000))
    assert explanation.error is not None
    assert (explanation.error.status, explanation.model) == (413, "m")


async def test_an_upstream_that_cannot_be_made_is_a_configuration_error(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"pool\.import: .*none\.json"):
        await about(write(GOOGLE, 'pool = { import = "none.json" }'), "gemini-2.5-flash")


# chains and weights


async def test_every_member_of_a_chain_is_shown_in_its_order(write: Write) -> None:
    file = write('[models.alias]\nbest = ["google/claude-sonnet-4-5", "demo/demo"]', GOOGLE, "[upstream.demo]")
    (way,) = (await about(file, "best")).ways
    assert [(member.upstream, member.model) for member in way.members] == [
        ("google", "claude-sonnet-4-5"),
        ("demo", "demo"),
    ]
    assert all(member.body is not None for member in way.members)


async def test_what_one_member_of_a_chain_cannot_carry_goes_to_the_next(write: Write) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.test/sea.png"}}
    asking = ask("openai-chat", "best", messages=[{"role": "user", "content": [picture]}])
    file = write('[models.alias]\nbest = ["google/gemini-2.5-flash", "demo", "demo/a"]', GOOGLE, "[upstream.demo]")
    explanation = await of(file, asking)
    (way,) = explanation.ways
    assert [(member.untried, member.error is None) for member in way.members] == [("", False), ("", True), ("", True)]
    assert not explanation.refusals
    text = written(explanation)
    assert "  refused, 400: " in text
    assert "2 of 3, tried in order: demo/demo (usable, no account needed)\n" in text
    await live(file, asking)


async def test_a_chain_whose_members_all_refuse_says_what_the_first_one_says(write: Write) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.test/sea.png"}}
    asking = ask("openai-chat", "best", messages=[{"role": "user", "content": [picture]}])
    explanation = await of(
        write('[models.alias]\nbest = ["google/gemini-2.5-flash", "google/gemini-3"]', GOOGLE), asking
    )
    (refusal,) = explanation.refusals
    assert refusal == explanation.ways[0].members[0].error


async def test_members_that_would_need_what_cannot_be_translated_are_never_tried(write: Write) -> None:
    asking = ask("gemini", "best", cachedContent="cachedContents/1")
    gemini = '[upstream.gemini]\ntype = "gemini"\napi_key = "k"'
    file = write('[models.alias]\nbest = ["demo", "gemini/gemini-2.5-flash"]', gemini, "[upstream.demo]")
    (way,) = (await of(file, asking)).ways
    left_out = "skipped: another member can carry what cannot be translated"
    assert [(member.untried, member.error is None) for member in way.members] == [(left_out, False), ("", True)]


async def test_every_member_of_a_weighted_rule_is_shown_with_its_share(write: Write) -> None:
    file = write('[models.alias]\nmix = { "google/gemini-2.5-flash" = 3, "demo" = 1 }', GOOGLE, "[upstream.demo]")
    first, second = [await about(file, "mix") for _ in range(2)]
    assert [(way.share, [member.upstream for member in way.members]) for way in first.ways] == [
        (0.75, ["google"]),
        (0.25, ["demo"]),
    ]
    assert [way.decisions for way in first.ways] == [way.decisions for way in second.ways]
    assert first.ways[0].decisions[0].gives == "google/gemini-2.5-flash"


async def test_each_way_fetches_the_files_that_it_needs(write: Write) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/sea.png"}}
    asking = ask("openai-chat", "mix", messages=[{"role": "user", "content": [picture]}])
    openai = '[upstream.openai]\ntype = "openai"\napi_key = "k"'
    mix = '[models.alias]\nmix = { "openai/gpt-4.1" = 1, "google/gemini-2.5-flash" = 1 }'
    members = [
        way.members[0] for way in (await of(write("[translate]\nfetch_urls = true", mix, openai, GOOGLE), asking)).ways
    ]
    assert [(member.upstream, member.error) for member in members] == [("openai", None), ("google", None)]
    assert ["fetched" in {step.name for step in member.decisions} for member in members] == [False, True]


async def test_the_shares_of_rules_behind_rules_are_multiplied(write: Write) -> None:
    file = write(
        '[models.alias]\nmix = { "my-word" = 1, "demo" = 3 }',
        '[models.family]\nword = { "demo/a" = 1, "demo/b" = 4 }',
        "[upstream.demo]",
    )
    ways = (await about(file, "mix")).ways
    assert [(round(way.share, 9), way.members[0].model) for way in ways] == [(0.05, "a"), (0.2, "b"), (0.75, "demo")]


@pytest.mark.parametrize("order", ['"nowhere" = 1, "demo" = 1', '"demo" = 1, "nowhere" = 1'])
async def test_a_way_that_leads_nowhere_does_not_hide_the_others(order: str, write: Write) -> None:
    file = write('[models]\nunknown = "reject"', f"[models.alias]\nmix = {{ {order} }}", "[upstream.demo]")
    explanation = await about(file, "mix")
    assert explanation.error is None
    assert sorted(way.error.code or "" if way.error else "served" for way in explanation.ways) == [
        "model_not_found",
        "served",
    ]
    assert [error.status for error in explanation.refusals] == [404]


async def test_a_strict_member_behind_one_that_works_says_that_it_would_refuse(write: Write) -> None:
    file = write(
        '[models.alias]\nbest = ["demo", "google/claude-sonnet-4-5"]',
        '[thinking]\n"claude-*" = { include = true, budget = 2000 }',
        '[translate]\nlossy = "strict"',
        GOOGLE,
        "[upstream.demo]",
    )
    explanation = await of(file, ask("openai-chat", "best"))
    errors = [member.error for member in explanation.ways[0].members]
    assert [error and error.param for error in errors] == [None, "logit_bias"]  # which only OpenAI knows
    assert explanation.refusals == []  # the first one gets it


# own middlewares


class Shout:
    """Change the body on its way."""

    def __init__(self, app: Any, word: str) -> None:
        self.app = app
        self.word = word

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def changed() -> Any:
            message = await receive()
            return message | {"body": message["body"].replace(b"Hello", self.word.encode())}

        await self.app(scope, changed, send)


class Closed:
    """Answer by itself."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 451, "headers": []})
        await send({"type": "http.response.body", "body": b""})


OWN = '[pipeline]\norder = ["auth", "rate_limit", {}, "protocol", "model_map"]\n[upstream.demo]\n'


async def test_what_a_middleware_of_ones_own_changes_is_in_the_body(write: Write) -> None:
    own = f'[middleware.shout]\nuse = "{__name__}:Shout"\noptions = {{ word = "HELLO" }}\n'
    explanation = await about(write(OWN.format('"shout"'), own), "demo")
    assert explanation.ran == ("shout", "protocol", "model_map")
    assert decode(only(explanation).body or b"") == {"model": "demo", "text": "HELLO"}


async def test_a_middleware_that_answers_by_itself_is_a_refusal(write: Write) -> None:
    explanation = await about(write(OWN.format(f'"{__name__}:Closed"')), "demo")
    assert explanation.error is not None
    assert (explanation.error.status, explanation.ways) == (451, ())


async def test_guards_do_not_stand_in_the_way(write: Write) -> None:
    file = write('[auth]\nkeys = ["sk-secret"]\nallow_anonymous = "never"\n[upstream.demo]')
    assert only(await about(file, "demo")).body is not None
