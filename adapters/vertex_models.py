"""The models of Vertex AI that are shipped, and the publisher behind each name. A location has some of them."""

from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import quote

from gateway import ir
from gateway.adapters import anthropic_models, gemini_models
from gateway.upstream import ModelInfo

__all__ = ["COUNT", "SHIPPED", "Publisher", "publisher_of", "resource"]

Publisher = Literal["google", "anthropic"]

COUNT: Final = "count-tokens"  # stands in the place of a model of Anthropic's
_ENDPOINTS: Final = "endpoints/"  # a tuned model, once it is deployed
_LATEST: Final = "-latest"  # names that the Gemini API alone has
_EMBED: Final = ("embedContent",)
_TEXTS: Final = (
    ("text-embedding-005", "Text Embedding 005"),
    ("text-multilingual-embedding-002", "Text Multilingual Embedding 002"),
)
SHIPPED: Final[Mapping[str, ModelInfo]] = (
    {name: info for name, info in gemini_models.SHIPPED.items() if not name.endswith(_LATEST)}
    | {
        name: ModelInfo(id=name, display_name=shown, max_input=2048, max_output=1, methods=_EMBED)
        for name, shown in _TEXTS
    }
    | dict(anthropic_models.SHIPPED)
)


def publisher_of(model: str) -> Publisher:
    """Say whose a model is."""
    return "anthropic" if ir.family_of(model) == "claude" and not model.startswith(_ENDPOINTS) else "google"


def resource(model: str) -> str:
    """Give the path of a model below its location."""
    if model.startswith(_ENDPOINTS):
        return _ENDPOINTS + quote(model.removeprefix(_ENDPOINTS), safe="")
    publisher = "anthropic" if model == COUNT else publisher_of(model)
    return f"publishers/{publisher}/models/{quote(model, safe='@')}"
