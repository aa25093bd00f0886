"""Checks of `contents`: what a part holds, who speaks when, and calls that meet their responses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from tests.fakes.v1internal_call import DATA_FIELDS, Call, Json, Turn
from tests.fakes.v1internal_errors import LEARN_MORE, claude, invalid
from tests.fakes.v1internal_models import accepts
from tests.fakes.v1internal_signatures import decodes

FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
NAME_RULE = (
    "Must start with a letter or an underscore. Must be a-z, A-Z, 0-9, or contain underscores (_), "
    "dots (.), colons (:), or dashes (-), with a maximum length of 64."
)
NO_DATA = "required oneof field 'data' must have one initialized field"
COUNTS_DIFFER = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)
CALL_MISPLACED = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
RESPONSE_MISPLACED = "Please ensure that function response turn comes immediately after a function call turn."


def contents_present(call: Call) -> None:
    """There is at least one turn."""
    if not call.turns:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")


def parts_present(call: Call) -> None:
    """Each turn has parts."""
    empty = [turn.index for turn in call.turns if not turn.parts]
    if empty:
        raise invalid(_listed(f"contents[{index}].parts: contents.parts must not be empty." for index in empty))


def roles_known(call: Call) -> None:
    """A turn is the user's or the model's."""
    if any(turn.role not in {"user", "model"} for turn in call.turns):
        raise invalid("Please use a valid role: user, model.")


def one_data_field(call: Call) -> None:
    """A part sets one member of the oneof `data`; setting a second one does not decode."""
    for path, part in call.parts:
        given = [name for name in DATA_FIELDS if name in part]
        if len(given) > 1:
            raise invalid(
                f"Invalid value at '{call.root}{path}' (oneof), oneof field 'data' is already set. "
                f"Cannot set '{given[1]}'"
            )


def data_present(call: Call) -> None:
    """A part has data; empty text counts only as the carrier of a signature (Claude judges its own texts)."""
    refuse_empty([path for path, part in call.parts if not has_data(part, lenient=call.model.is_claude)])


def media_decodes(call: Call) -> None:
    """Inline data is base64."""
    for path, blob in blobs(call):
        if not decodes(blob.get("data", "")):
            raise invalid(
                f"Invalid value at '{call.root}{path}.inline_data.data' (TYPE_BYTES), "
                f'Base64 decoding failed for "{blob.get("data", "")[:80]}"'
            )


def media_known(call: Call) -> None:
    """The model reads this media type."""
    for mime_type in unread_types(call):
        raise invalid(
            f"Unable to submit request because it has a mimeType parameter with value {mime_type}, "
            f"which is not supported. Update the mimeType and try again. {LEARN_MORE}"
        )


def unread_types(call: Call) -> list[str]:
    """List the media types that the model does not read."""
    given = [blob.get("mimeType", "") for _, blob in blobs(call)]
    return [mime_type for mime_type in given if not accepts(call.model, mime_type)]


def call_names(call: Call) -> None:
    """Calls and responses are named, by the rule for declarations."""
    for path, part in call.parts:
        for field, shown in (("functionCall", "function_call"), ("functionResponse", "function_response")):
            if field not in part:
                continue
            name = part[field].get("name", "")
            if not name:
                raise invalid(_listed([f"{path}.{shown}.name: Name cannot be empty."]))
            if not FUNCTION_NAME.fullmatch(name):
                raise invalid(
                    "The GenerateContentRequest proto is invalid:\n  * "
                    f"{path}.{shown}.name: [FIELD_INVALID] Invalid function name. {NAME_RULE}"
                )


def response_present(call: Call) -> None:
    """A function response has its `response` object."""
    for path, part in call.parts:
        if "functionResponse" in part and "response" not in part["functionResponse"]:
            raise invalid(_listed([f"{path}.function_response.response: response is required."]))


def model_calls_user_responds(call: Call) -> None:
    """Calls stand in the model's turns, responses in the user's."""
    for turn in call.turns:
        if turn.calls and turn.role != "model":
            raise invalid(CALL_MISPLACED)
        if turn.responses and turn.role != "user":
            raise invalid(RESPONSE_MISPLACED)


def user_first(call: Call) -> None:
    """The user begins."""
    first = call.turns[0]
    if first.role == "user":
        return
    if call.model.is_claude:
        raise claude('messages: first message must use the "user" role')
    raise invalid(CALL_MISPLACED if first.calls else "Please ensure that multiturn requests begin with a user turn.")


def model_turns_apart(call: Call) -> None:
    """No two turns of the model follow each other; two of the user may."""
    for before, after in pairwise(call.turns):
        if before.role == after.role == "model":
            plain = "Please ensure that multiturn requests alternate between user and model."
            raise invalid(CALL_MISPLACED if after.calls else plain)


def user_last(call: Call) -> None:
    """Since Gemini 3.6 the model does not go on with its own words."""
    if call.turns[-1].role == "model" and not call.model.prefills:
        raise invalid("Requests ending with a model turn are not supported.")


def responses_follow_calls(call: Call) -> None:
    """A turn of responses comes right after the turn of calls."""
    for before, after in pairwise([Turn(-1, "", []), *call.turns]):
        if after.responses and not before.calls:
            raise _unexpected(after) if call.model.is_claude else invalid(RESPONSE_MISPLACED)


def calls_answered(call: Call) -> None:
    """Each call of a turn has its response in the next one."""
    for before, after in pairwise([*call.turns, Turn(-1, "", [])]):
        if not before.calls:
            continue
        if not call.model.is_claude:
            if len(before.calls) != len(after.responses):
                raise invalid(COUNTS_DIFFER)
            continue
        answered = {response["id"] for response in after.responses}
        missing = [one["id"] for one in before.calls if one["id"] not in answered]
        if missing:
            raise _unanswered(before, ", ".join(missing))
        if len(before.calls) != len(after.responses):
            raise _unexpected(after)


def responses_named_as_calls(call: Call) -> None:
    """A response has the name of its call: the one with its id, else the one at its place."""
    for calls, responses in _exchanges(call):
        by_id = {one["id"]: one for one in calls if "id" in one}
        for place, response in enumerate(responses):
            one = by_id.get(response.get("id"), calls[place])
            if response["name"] != one["name"]:
                raise invalid(
                    f"Please ensure that the function response name `{response['name']}` matches "
                    f"the function call name `{one['name']}` of the function call turn."
                )


def response_ids_match(call: Call) -> None:
    """Ids of responses are ids of the calls; Claude needs them, the others may leave out both."""
    for calls, responses in _exchanges(call):
        known = {one["id"] for one in calls if "id" in one}
        given = [response["id"] for response in responses if "id" in response]
        if set(given) - known or len(given) != len(set(given)) or (given and known - set(given)):
            raise invalid("Please ensure that the function response ids match the function call ids.")


def responses_stand_alone(call: Call) -> None:
    """Gemini 3 takes no text beside responses, and media only after them."""
    for turn in call.turns if call.model.signed_calls else []:
        places = [place for place, _ in turn.holding("functionResponse")]
        if places and (turn.holding("text") or places != list(range(len(places)))):
            raise invalid(COUNTS_DIFFER)


def references_answered(call: Call) -> None:
    """Gemini 3 reads `$ref` in a response as the name of one of its parts."""
    for turn in call.turns if call.model.signed_calls else []:
        for response in turn.responses:
            names = {blob.get("displayName") for part in response.get("parts") or [] for blob in part.values()}
            for name in _references(response.get("response")):
                if name not in names:
                    raise invalid(
                        f"The referenced name `{name}` in function_response.response does not match to a "
                        "display_name in the function_response.parts."
                    )


def _exchanges(call: Call) -> Iterator[tuple[list[Json], list[Json]]]:
    for before, after in pairwise(call.turns):
        if before.calls:
            yield before.calls, after.responses


def _references(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        inner: Json = value
        for name, item in inner.items():
            if name == "$ref" and isinstance(item, str):
                yield item
            else:
                yield from _references(item)


def refuse_empty(paths: list[str]) -> None:
    """Refuse the parts at these paths, if any, for having no data."""
    if paths:
        raise invalid(_listed(f"{path}.data: {NO_DATA}" for path in paths))


def has_data(part: Json, *, lenient: bool) -> bool:
    """Say whether a part holds anything; empty text does for the lenient, and where it carries a signature."""
    if part.get("text") == "" and not lenient:
        return "thoughtSignature" in part
    return any(name in part for name in DATA_FIELDS)


def blobs(call: Call) -> Iterator[tuple[str, Json]]:
    """Visit inline data, also inside responses."""
    for path, part in call.parts:
        if "inlineData" in part:
            yield path, part["inlineData"]
        inner = part.get("functionResponse", {}).get("parts") or []
        for place, one in enumerate(inner):
            if "inlineData" in one:
                yield f"{path}.function_response.parts[{place}]", one["inlineData"]


def _unanswered(turn: Turn, ids: str) -> Exception:
    return claude(
        f"messages.{turn.index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{ids}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _unexpected(turn: Turn) -> Exception:
    return claude(
        f"messages.{turn.index}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
        f"{turn.responses[0].get('id', '')}. Each `tool_result` block must have a corresponding `tool_use` block "
        "in the previous message."
    )


def _listed(lines: Iterator[str] | list[str]) -> str:
    return "".join(f"* GenerateContentRequest.{line}\n" for line in lines)
