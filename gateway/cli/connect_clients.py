"""The clients that `gateway connect` knows: what each needs, and in which of its files it says so."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.cli.connect_files import Settings, Values, backup_of
from gateway.config import ConfigError, Problem

if TYPE_CHECKING:
    from gateway.upstream import ModelInfo

__all__ = ["CLIENTS", "Client", "Homeless", "Place"]

_VARIABLE: Final = "GATEWAY_KEY"
_CODEX: Final = ("model_providers", "gateway")
_OPENCODE: Final = ("provider", "gateway")
# of what it does not know, opencode thinks that it reads text alone, and keeps pictures from it
_SEEING: Final[Mapping[str, object]] = {
    "attachment": True,
    "modalities": {"input": ["text", "image"], "output": ["text"]},
}
_CLAUDE_CODE: Final = {"API_TIMEOUT_MS": "3000000", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
_CLAUDE_CODE_CONTEXT: Final = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
_CODEX_CONTEXT: Final = "model_context_window"
_LARGE: Final = ("FABLE", "OPUS", "SONNET")  # by which it names a model, as its agents do


class Homeless(ConfigError):
    """Nobody knows where the clients of this user have their files."""


class Place(Struct, frozen=True, kw_only=True):
    """Where the gateway is, a key that it takes, and the models that a client shall use.

    `url`: without a path. `small`: for a client's side work. `models`: all names that callers can use, and what is
    known of them. `context`: the tokens that `model` holds, None = nobody knows. `chosen`: whether the caller named
    the model; else one is only set where a client's own would lead nowhere. `lacks`: these do.
    """

    url: str
    key: str
    model: str
    small: str
    models: Mapping[str, "ModelInfo | None"]
    context: int | None = None
    chosen: bool
    lacks: bool = False


class Client(Struct, frozen=True, kw_only=True):
    """A client. `variables`: what does the same for one shell. `hints`: what no file says.

    `knows`: the models that it asks for by itself, first the one that a conversation is with. `models`: places in its
    files of the model that was chosen; `context`: the place of what that holds.
    """

    title: str
    settings: Callable[[Place], tuple[Settings, ...]]
    variables: Callable[[Place], Mapping[str, str]]
    hints: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()
    models: tuple[tuple[str, ...], ...] = ()
    context: tuple[str, ...] = ()


# Claude Code


def _claude_code(place: Place) -> tuple[Settings, ...]:
    own = os.environ.get("CLAUDE_CONFIG_DIR")
    folder = Path(own or _home() / ".claude")
    values: Values = {("env", name): value for name, value in _claude_code_variables(place).items()}
    return (
        Settings(file=folder / "settings.json", form="json", values=values),
        Settings(
            file=(folder if own else _home()) / ".claude.json",
            form="json",
            values={("hasCompletedOnboarding",): True},
        ),
    )


def _claude_code_variables(place: Place) -> Mapping[str, str]:
    models = {"ANTHROPIC_MODEL": place.model, "ANTHROPIC_SMALL_FAST_MODEL": place.small} if place.chosen else {}
    if place.lacks:
        models |= {f"ANTHROPIC_DEFAULT_{name}_MODEL": place.model for name in _LARGE}
        models["ANTHROPIC_DEFAULT_HAIKU_MODEL"] = place.small
    if models and place.context is not None:  # of a model that it does not know, it assumes a million
        models[_CLAUDE_CODE_CONTEXT] = str(place.context)
    return {"ANTHROPIC_BASE_URL": place.url, "ANTHROPIC_AUTH_TOKEN": place.key, **models, **_CLAUDE_CODE}


# Codex


def _codex(place: Place) -> tuple[Settings, ...]:
    folder = Path(os.environ.get("CODEX_HOME") or _home() / ".codex")
    provider = {
        "name": "gateway",
        "base_url": f"{place.url}/v1",
        "env_key": _VARIABLE,
        "wire_api": "responses",
    }
    holds = place.context is not None and not place.model.startswith("gpt-")  # of OpenAI's it knows
    values: Values = {
        ("model",): place.model,
        ("model_provider",): "gateway",
        **({(_CODEX_CONTEXT,): place.context} if holds else {}),
        **{(*_CODEX, name): value for name, value in provider.items()},
    }
    return (
        Settings(file=folder / "config.toml", form="toml", values=values),
        Settings(file=folder / ".env", form="env", values={(_VARIABLE,): place.key}),
    )


def _codex_variables(place: Place) -> Mapping[str, str]:
    return {_VARIABLE: place.key}


# Gemini CLI


def _gemini_cli(place: Place) -> tuple[Settings, ...]:
    folder = _home() / ".gemini"
    variables: Values = {(name,): value for name, value in _gemini_cli_variables(place).items()}
    chosen: Values = {("security", "auth", "selectedType"): "gemini-api-key"}
    return (
        Settings(file=folder / ".env", form="env", values=variables),
        Settings(file=folder / "settings.json", form="json", values=chosen),
    )


def _gemini_cli_variables(place: Place) -> Mapping[str, str]:
    model = {"GEMINI_MODEL": place.model} if place.chosen else {}
    return {"GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_API_KEY": place.key, **model}


# opencode


def _opencode(place: Place) -> tuple[Settings, ...]:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config")
    provider: dict[str, object] = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "gateway",
        "options": {"baseURL": f"{place.url}/v1", "apiKey": place.key},
        "models": {name: _opencode_model(info) for name, info in place.models.items()},
    }
    values: Values = {
        _OPENCODE: provider,
        ("model",): f"gateway/{place.model}",
        ("small_model",): f"gateway/{place.small}",
    }
    settings = Settings(file=home / "opencode" / "opencode.json", form="json", values=values)
    last = settings.file.with_suffix(".jsonc")  # opencode makes it at its first start, and what it says wins
    return (replace(settings, file=last) if last.exists() and not backup_of(settings).exists() else settings,)


def _opencode_model(info: "ModelInfo | None") -> Mapping[str, object]:
    """Tell the limits, too: without them opencode never shortens a conversation by itself."""
    if info is None or info.max_input is None or info.max_output is None:
        return _SEEING
    return {**_SEEING, "limit": {"context": info.max_input, "output": info.max_output}}


def _no_variables(_: Place) -> Mapping[str, str]:
    return {}


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        message = "is not set, and this user's home folder is unknown: set it to that of the client"
        raise Homeless([Problem("HOME", None, message)]) from None


# everything that speaks to OpenAI


def _openai(place: Place) -> tuple[Settings, ...]:
    variables: Values = {(name,): value for name, value in _openai_variables(place).items()}
    return (Settings(file=Path.cwd() / ".env", form="env", values=variables),)


def _openai_variables(place: Place) -> Mapping[str, str]:
    return {"OPENAI_BASE_URL": f"{place.url}/v1", "OPENAI_API_KEY": place.key}


CLIENTS: Final[Mapping[str, Client]] = {
    "claude-code": Client(
        title="Claude Code",
        settings=_claude_code,
        variables=_claude_code_variables,
        knows=("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
        models=(("env", "ANTHROPIC_MODEL"), ("env", "ANTHROPIC_DEFAULT_OPUS_MODEL")),
        context=("env", _CLAUDE_CODE_CONTEXT),
    ),
    "codex": Client(
        title="Codex",
        settings=_codex,
        variables=_codex_variables,
        models=(("model",),),
        context=(_CODEX_CONTEXT,),
        hints=("Codex warns about models that it does not know, and uses its defaults for them.",),
    ),
    "gemini-cli": Client(
        title="Gemini CLI",
        settings=_gemini_cli,
        variables=_gemini_cli_variables,
        knows=("gemini-2.5-pro",),
    ),
    "opencode": Client(title="opencode", settings=_opencode, variables=_no_variables),
    "openai": Client(
        title="OpenAI's SDKs, and programs that take an OpenAI base URL",
        settings=_openai,
        variables=_openai_variables,
        hints=(
            "Cursor and similar: enter the URL as `base URL`, the key as `API key`, and add the model to the list.",
            "Anthropic's SDKs: ANTHROPIC_BASE_URL is the same without /v1, ANTHROPIC_API_KEY the same key.",
            "Google's SDK: GOOGLE_GEMINI_BASE_URL is the same without /v1, GEMINI_API_KEY the same key.",
        ),
    ),
}
