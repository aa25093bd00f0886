"""The models of the Gemini API: a small table that is shipped, and what the service lists itself, page by page."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from gateway.dialects.raw import require
from gateway.upstream import ModelInfo

__all__ = ["SHIPPED", "Page", "read_page"]

_M: Final = 1_048_576
_GENERATE: Final = ("generateContent", "countTokens")
_EMBED: Final = ("embedContent", "countTokens")


def _table(rows: Iterable[tuple[str, str, int, bool]]) -> dict[str, ModelInfo]:
    return {
        name: ModelInfo(
            id=name, display_name=shown, max_input=_M, max_output=output, thinking=thinking, methods=_GENERATE
        )
        for name, shown, output, thinking in rows
    }


SHIPPED: Final[Mapping[str, ModelInfo]] = _table(
    (
        ("gemini-2.5-flash", "Gemini 2.5 Flash", 65_536, True),
        ("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", 65_536, True),
        ("gemini-2.5-pro", "Gemini 2.5 Pro", 65_536, True),
        ("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", 32_768, False),
        ("gemini-3-flash-preview", "Gemini 3 Flash Preview", 65_536, True),
        ("gemini-3-pro-preview", "Gemini 3 Pro Preview", 65_536, True),
        ("gemini-flash-latest", "Gemini Flash Latest", 65_536, True),
        ("gemini-pro-latest", "Gemini Pro Latest", 65_536, True),
    )
) | {
    "gemini-embedding-001": ModelInfo(
        id="gemini-embedding-001", display_name="Gemini Embedding 001", max_input=2048, max_output=1, methods=_EMBED
    )
}


class Page(Struct, frozen=True):
    """Some of the models, and the token of the next page; "" = there is none."""

    models: dict[str, ModelInfo]
    next: str = ""


class _Listed(Struct, rename="camel"):
    name: str = ""
    display_name: str | None = None
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    supported_generation_methods: list[str] | None = None
    thinking: bool | None = None


class _Page(Struct, rename="camel"):
    models: list[_Listed] | None = None
    next_page_token: str | None = None


_PAGE: Final = msgspec.json.Decoder(_Page, strict=False)


def read_page(body: bytes) -> Page:
    """Read one page of the list; ValueError."""
    page = require(body, _PAGE)
    models = (_info(listed) for listed in page.models or () if listed.name)
    return Page({info.id: info for info in models}, page.next_page_token or "")


def _info(listed: _Listed) -> ModelInfo:
    name = listed.name.removeprefix("models/")
    return ModelInfo(
        id=name,
        display_name=listed.display_name,
        max_input=listed.input_token_limit,
        max_output=listed.output_token_limit,
        thinking=listed.thinking,
        methods=tuple(listed.supported_generation_methods or ()),
    )
