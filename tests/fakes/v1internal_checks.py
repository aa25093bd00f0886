"""What the service refuses, in the order in which it looks.

A check is a function of a `Call` that raises `Refusal`. `judge` runs those of the method and of the model's family;
decoding, the outer envelope and the rules of counting come first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes import v1internal_claude as anthropic
from tests.fakes import v1internal_config as config
from tests.fakes import v1internal_thinking as thinking
from tests.fakes import v1internal_tools as tools
from tests.fakes import v1internal_turns as turns
from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import Refusal, claude, google, invalid, recorded
from tests.fakes.v1internal_models import describe
from tests.fakes.v1internal_proto import decode
from tests.fakes.v1internal_signatures import Signatures

Check = Callable[[Call], None]


def not_countable(call: Call) -> None:
    """Counting does not know thoughts: a thought part has no data there."""
    for path, part in call.parts:
        if part.get("thought"):
            raise invalid(f"* CountTokensRequest.{path}.data: {turns.NO_DATA}\n")


SHAPE: tuple[Check, ...] = (
    turns.contents_present,
    turns.parts_present,
    turns.roles_known,
    turns.one_data_field,
    turns.data_present,
    turns.media_decodes,
    turns.media_known,
    turns.call_names,
    turns.response_present,
)
GENERATION: tuple[Check, ...] = (
    turns.model_calls_user_responds,
    turns.user_first,
    turns.model_turns_apart,
    tools.tools_filled,
    tools.declaration_names,
    tools.tools_unmixed,
    tools.one_schema,
    tools.arrays_have_items,
    tools.required_defined,
    tools.types_given,
    tools.any_of_alone,
    tools.mode_has_functions,
    tools.allowed_names_declared,
    tools.allowed_names_in_mode,
    config.output_in_range,
    config.temperature_in_range,
    config.penalties_enabled,
    config.stops_in_range,
    config.one_response_schema,
    config.json_without_functions,
    config.features_enabled,
    config.drawing_size,
    config.drawing_in_one_piece,
    thinking.thinking_known,
    thinking.level_or_budget,
    thinking.level_known,
    thinking.budget_in_range,
)
CLAUDE: tuple[Check, ...] = (
    anthropic.user_last,
    anthropic.call_ids,
    anthropic.response_ids,
    anthropic.responses_first,
    anthropic.texts_filled,
    anthropic.thoughts_signed,
    anthropic.thought_leads_calls,
    anthropic.budget_large_enough,
    anthropic.output_above_budget,
    anthropic.output_within_limit,
    anthropic.tool_names,
    anthropic.input_schemas,
    anthropic.validated_schemas,
)
OTHERS: tuple[Check, ...] = (
    tools.names_unique,
    thinking.signatures_readable,
    thinking.calls_signed,
    turns.user_last,
)
EXCHANGES: tuple[Check, ...] = (
    turns.responses_follow_calls,
    turns.calls_answered,
    turns.responses_named_as_calls,
    turns.response_ids_match,
    turns.responses_stand_alone,
    turns.references_answered,
)


def generation(
    body: Any,
    *,
    served: Collection[str],
    headers: Mapping[str, str],
    signatures: Signatures,
    levels_known: bool = True,
    penalties_known: bool = True,
    all_signed: bool = False,
    projects: Collection[str] | None = None,
    own_project: str = "",
) -> Call:
    """Decode and judge the body of a generating method."""
    envelope = _decoded("GenerateContent", body)
    _addressed(envelope, served, projects, own_project)
    model = describe(envelope["model"])
    if all_signed and model.family == "gemini":
        model = replace(model, signed_calls=True)
    call = Call(envelope, model, signatures, headers, levels_known, penalties_known)
    for check in (*SHAPE, *GENERATION, *(CLAUDE if model.is_claude else OTHERS), *EXCHANGES):
        check(call)
    return call


def counting(body: Any, *, served: Collection[str]) -> Call:
    """Decode and judge the body of `countTokens`, whose model is inside, with its prefix, or absent."""
    envelope = decode("CountTokens", body)
    name = (envelope.get("request") or {}).get("model", "").removeprefix("models/")
    if name and name not in served:
        raise recorded("404_not_found_model")
    call = Call(envelope, describe(name))
    for check in (*SHAPE, not_countable):
        check(call)
    return call


def _decoded(message: str, body: Any) -> Json:
    """Decode; a leftover `cache_control` of a Claude request is refused in Anthropic's words."""
    try:
        return decode(message, body)
    except Refusal as refusal:
        names_cache = '"cache_control"' in refusal.body["error"]["message"]
        model = body.get("model") if isinstance(body, dict) else None
        if names_cache and isinstance(model, str) and describe(model).is_claude:
            where = refusal.body["error"]["details"][0]["fieldViolations"][0]["field"].removeprefix("request.")
            raise claude(f"{where}.cache_control: Extra inputs are not permitted") from None
        raise


def _addressed(envelope: Json, served: Collection[str], projects: Collection[str] | None, own_project: str) -> None:
    """The envelope names a project, a model as the service spells it, and holds a request."""
    project = envelope.get("project", "")
    if not project:
        raise recorded("400_invalid_project", project)
    if projects is not None and project not in projects:
        raise recorded("404_project", project)
    if own_project and project != own_project:
        raise recorded("403_iam_permission_denied", project)
    model = envelope.get("model", "")
    if model.startswith("models/"):
        raise google(400, f"Invalid model name: `{model}`; the model is named without `models/`.")
    if model not in served:
        raise recorded("404_not_found_model")
