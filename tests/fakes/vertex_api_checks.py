"""What Vertex AI refuses of a call to a Gemini model, in the order in which it looks.

The models are those of the Gemini API, so most checks are its; a content says its role, and the words are Vertex's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes import gemini_api_checks as gemini
from tests.fakes import gemini_api_config as gemini_config
from tests.fakes import gemini_api_thinking as gemini_thinking
from tests.fakes import gemini_api_tools as gemini_tools
from tests.fakes import gemini_api_turns as gemini_turns
from tests.fakes import v1internal_config as config
from tests.fakes import v1internal_thinking as thinking
from tests.fakes import v1internal_tools as tools
from tests.fakes import v1internal_turns as turns
from tests.fakes.proto import Proto
from tests.fakes.v1internal_call import Call
from tests.fakes.v1internal_errors import LEARN_MORE, invalid
from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_signatures import Signatures
from tests.fakes.vertex_api_messages import PROTO, WITHOUT_IDS

__all__ = ["counting", "generation"]

Check = Callable[[Call], None]


def files_fetched(call: Call) -> None:
    """A file has an address that is fetched, and says its type."""
    for path, part in call.parts:
        if "fileData" not in part:
            continue
        file = part["fileData"]
        if not file.get("mimeType"):
            raise invalid(
                "Unable to submit request because it must have a mimeType parameter. "
                f"Add a mimeType and try again. {LEARN_MORE}"
            )
        if not file.get("fileUri", "").startswith(("gs://", "https://")):
            raise invalid(f"Cannot fetch content from the provided URL. Invalid uri at {path}.")


def texts_filled(call: Call) -> None:
    """No text is empty, whoever said it, but for one that carries a signature."""
    if any(not turns.has_data(part, lenient=False) for _, part in call.parts if part.get("text") == ""):
        raise invalid(
            "Unable to submit request because it has an empty text parameter. "
            f"Add a value to the parameter and try again. {LEARN_MORE}"
        )


# of the Gemini API's checks, those whose place another one takes here
_INSTEAD: dict[Check, Check] = {
    gemini_config.media_known: turns.media_known,
    gemini_tools.tools_combined: tools.tools_unmixed,
    gemini_config.in_range: config.temperature_in_range,
    gemini_thinking.thinking_known: thinking.thinking_known,
    gemini_thinking.level_or_budget: thinking.level_or_budget,
    gemini_thinking.level_known: thinking.level_known,
    gemini_thinking.budget_in_range: thinking.budget_in_range,
}
_CHECKS = tuple(_INSTEAD.get(check, check) for check in gemini.CHECKS)
_PROMPT = tuple(_INSTEAD.get(check, check) for check in gemini.PROMPT)


def generation(
    body: Any,
    model: Model,
    *,
    headers: Mapping[str, str],
    signatures: Signatures,
    levels_known: bool = True,
    all_signed: bool = False,
) -> Call:
    """Decode and judge the body of a generating method; only models that number their calls know the field."""
    request = _proto(model).decode("GenerateContentRequest", body)
    if all_signed:
        model = replace(model, signed_calls=True)
    call = Call(
        {"request": request}, model, signatures, headers, levels_known, penalties_known=not model.signed_calls, root=""
    )
    contents = request.get("contents") or []
    whole = replace(call, envelope={"request": request | {"contents": _joined(contents)}})
    for check in (turns.roles_known, files_fetched, texts_filled, *_CHECKS):
        check(whole if check in gemini.HISTORY else call)
    return call


def counting(body: Any, model: Model) -> Call:
    """Decode and judge the body of `countTokens`."""
    call = Call({"request": _proto(model).decode("CountTokensRequest", body)}, model, root="")
    for check in (turns.contents_present, turns.roles_known, *_PROMPT):
        check(call)
    return call


def _proto(model: Model) -> Proto:
    return PROTO if model.numbered_calls else WITHOUT_IDS


def _joined(contents: list[Any]) -> list[Any]:
    return gemini_turns.joined(gemini_turns.with_roles(contents))
