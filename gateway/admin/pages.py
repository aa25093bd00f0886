"""Write the pages: Jinja2 templates, escaped unless they say otherwise. Loaded when the first page is asked for."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway import __version__
from gateway.admin.series import columns_of
from gateway.admin.wording import amount, held, iso, money, percent, seconds, span, standing, utc, words

__all__ = ["Pages"]

_PAGES: Final = (
    ("/", "Overview"),
    ("/admin/credentials", "Credentials"),
    ("/admin/keys", "Keys"),
    ("/admin/usage", "Usage"),
    ("/admin/models", "Models"),
    ("/admin/live", "Live"),
    ("/admin/playground", "Playground"),
    ("/admin/configuration", "Configuration"),
)
_WORDS: Final[Mapping[str, object]] = {
    "amount": amount,
    "columns_of": columns_of,
    "held": held,
    "iso": iso,
    "money": money,
    "seconds": seconds,
    "pages": _PAGES,
    "percent": percent,
    "span": span,
    "standing": standing,
    "utc": utc,
    "version": __version__,
    "words": words,
    "zip": zip,
}  # what every template knows
_SLICE: Final = 256  # pieces of a page, of some words each, which take a few milliseconds


class Pages:
    """The templates of one app."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("gateway.admin"),
            autoescape=True,
            undefined=StrictUndefined,
            enable_async=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def write(self, name: str, values: Mapping[str, object]) -> str:
        """Write a page as a whole; while a long one is written, others are served."""
        pieces: list[str] = []
        async for piece in self.stream(name, values):
            pieces.append(piece)
            if len(pieces) % _SLICE == 0:
                await asyncio.sleep(0)
        return "".join(pieces)

    def stream(self, name: str, values: Mapping[str, object]) -> AsyncIterator[str]:
        """Write a page piece by piece, as far as its values are known."""
        return self._templates.get_template(f"{name}.html").generate_async({**_WORDS, **values})
