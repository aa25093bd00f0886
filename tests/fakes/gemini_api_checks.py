"""What the public API refuses of a call, in the order in which it looks.

Most checks are those of v1internal, whose models are the same; what differs in rule or wording is in the other
`gemini_api_*` modules. The model comes from the path, and there is no envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes import gemini_api_config as own_config
from tests.fakes import gemini_api_schemas as schemas
from tests.fakes import gemini_api_thinking as thinking
from tests.fakes import gemini_api_tools as own_tools
from tests.fakes import gemini_api_turns as own_turns
from tests.fakes import v1internal_config as config
from tests.fakes import v1internal_tools as tools
from tests.fakes import v1internal_turns as turns
from tests.fakes.gemini_api_messages import PROTO
from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import invalid
from tests.fakes.v1internal_models import Model
from tests.fakes.v1internal_signatures import Signatures
from tests.fakes.v1internal_thinking import calls_signed

__all__ = ["CHECKS", "PROMPT", "counting", "generation", "judged", "same_model"]

Check = Callable[[Call], None]

SHAPE: tuple[Check, ...] = (
    turns.parts_present,
    turns.roles_known,
    turns.one_data_field,
    own_turns.data_present,
    turns.media_decodes,
    own_config.media_known,
    turns.call_names,
    turns.response_present,
)
TOOLS: tuple[Check, ...] = (
    tools.tools_filled,
    own_tools.one_kind_a_tool,
    tools.declaration_names,
    tools.names_unique,
    own_tools.tools_combined,
    tools.one_schema,
    own_tools.parameters_are_objects,
    tools.arrays_have_items,
    tools.required_defined,
    tools.types_given,
    tools.any_of_alone,
    own_tools.formats_known,
    own_tools.enums_of_strings,
    schemas.schemas_valid,
    schemas.parameters_are_objects,
    schemas.keywords_known,
    schemas.references_alone,
    schemas.references_lead,
    schemas.items_few,
    schemas.choices_few,
    tools.mode_has_functions,
    tools.allowed_names_declared,
    tools.allowed_names_in_mode,
)
CONFIG: tuple[Check, ...] = (
    config.output_in_range,
    own_config.in_range,
    own_config.candidates_enabled,
    config.penalties_enabled,
    own_config.categories_once,
    config.stops_in_range,
    config.one_response_schema,
    config.json_without_functions,
    config.features_enabled,
    config.drawing_size,
    thinking.thinking_known,
    thinking.level_or_budget,
    thinking.level_known,
    thinking.budget_in_range,
)
# these see the turns of the model joined
HISTORY: tuple[Check, ...] = (
    turns.model_calls_user_responds,
    turns.user_first,
    thinking.signatures_readable,
    thinking.pictures_signed,
    calls_signed,
    turns.responses_follow_calls,
    turns.calls_answered,
    turns.responses_named_as_calls,
    turns.response_ids_match,
    turns.responses_stand_alone,
    turns.references_answered,
    turns.user_last,
)
# what may be cached or counted: a prompt that need not be a whole conversation
PROMPT: tuple[Check, ...] = (*SHAPE, *TOOLS)
CHECKS: tuple[Check, ...] = (turns.contents_present, *SHAPE, *TOOLS, *CONFIG, *HISTORY)


def generation(
    body: Any,
    name: str,
    model: Model,
    *,
    headers: Mapping[str, str],
    signatures: Signatures,
    levels_known: bool = True,
    all_signed: bool = False,
) -> Call:
    """Decode and judge the body of a generating method, called for the model of this resource name."""
    request = PROTO.decode("GenerateContentRequest", body)
    same_model(request, name, "GenerateContentRequest")
    if all_signed:
        model = replace(model, signed_calls=True)
    return judged(request, model, CHECKS, headers, signatures, levels_known=levels_known)


def counting(body: Any, name: str, model: Model) -> Call:
    """Decode and judge the body of `countTokens`: contents, or a whole request that names its model."""
    asked = PROTO.decode("CountTokensRequest", body)
    same_model(asked, name, "CountTokensRequest")
    whole = asked.get("generateContentRequest")
    if whole is None:
        return judged(asked, model, (turns.contents_present, *PROMPT))
    if "contents" in asked:
        raise invalid("* CountTokensRequest: contents and generate_content_request are mutually exclusive.\n")
    if "model" not in whole:
        raise invalid("* CountTokensRequest.generate_content_request.model: model is required.\n")
    same_model(whole, name, "CountTokensRequest.generate_content_request")
    return judged(whole, model, (turns.contents_present, *PROMPT))


def judged(
    request: Json,
    model: Model,
    checks: Collection[Check],
    headers: Mapping[str, str] | None = None,
    signatures: Signatures | None = None,
    *,
    levels_known: bool = True,
) -> Call:
    """Run checks over a decoded request; no current model has penalties."""
    contents = own_turns.with_roles(request.get("contents") or [])
    call = Call(
        {"request": request | {"contents": contents}},
        model,
        signatures or Signatures(),
        headers or {},
        levels_known,
        penalties_known=False,
        root="",
    )
    whole = replace(call, envelope={"request": request | {"contents": own_turns.joined(contents)}})
    for check in checks:
        check(whole if check in HISTORY else call)
    return call


def same_model(request: Json, name: str, shown: str) -> None:
    """A model that the body repeats is the one of the path."""
    given = request.get("model", name)
    if given != name:
        raise invalid(f"* {shown}.model: model `{given}` does not match the model of the path, `{name}`.\n")
