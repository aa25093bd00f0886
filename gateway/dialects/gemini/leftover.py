"""What a request says that the written body does not hold, each thing by the name that the caller has for it.

The writer tells what it decides against; here is what has no field at all upstream, or not in that detail.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from gateway import ir
from gateway.dialects.marks import uncarried
from gateway.dialects.outbound import emulated

from .schema_facets import is_object
from .thinking import BUDGETS

__all__ = ["RESOLUTIONS", "spelt", "told"]

RESOLUTIONS: Final = {
    "low": "MEDIA_RESOLUTION_LOW",
    "high": "MEDIA_RESOLUTION_HIGH",
    "original": "MEDIA_RESOLUTION_HIGH",
}

_JSON_SCHEMA: Final = "response_format.json_schema"
_NO_FUNCTIONS: Final = "there are no functions to call"
_SERVED: Final = "the model decides when to call a service of the upstream"
_UNSAID: Final = frozenset({None, "auto"})

_Body = Mapping[str, object]


def told(
    request: ir.Request,
    body: _Body,
    losses: Iterable[ir.Loss],
    media: Iterable[ir.Media],
    *,
    declares: bool,
    public: bool,
) -> tuple[ir.Loss, ...]:
    """Give all losses of a written request: the writer's own, and what is left over.

    `media`: all of the request. `declares`: whether it has functions. `public`: whether it goes to the Gemini API.
    """
    found = [*losses, *uncarried(request)]
    config = body.get("generationConfig")
    settings = config if is_object(config) else {}
    untold = request.reasoning.include is None and "thinkingConfig" in settings
    if untold and all(loss.path != "thinking" for loss in found):
        found += _thinking(request.reasoning, settings["thinkingConfig"])
    if request.reasoning.display == "updates":
        found.append(_hint("display", "this model gives no progress updates"))
    if request.user is not None or request.session is not None:
        found += _identity(request, public=public)
    if request.tools:
        found += _tools(request)
    if request.tool_choice is not None and (not body.get("toolConfig") or not declares):
        serves = "tools" in body and "toolConfig" not in body
        found += _choice(request.tool_choice, serves=serves, serviced=bool(request.tools))
    if request.output.kind != "text":
        found += _output(request.output)
    for one in media:
        found += _media(one, settings.get("mediaResolution"), request.paths)
    return tuple(spelt(loss, request.paths) for loss in found) if found and request.paths else tuple(found)


def spelt(loss: ir.Loss, paths: Mapping[str, str]) -> ir.Loss:
    """Name a loss as the caller does; what is below `response_format` is about its schema."""
    if "[" in loss.path:  # the caller's own name already
        return loss
    head, dot, rest = loss.path.partition(".")
    if head == "response_format" and rest:
        head = _JSON_SCHEMA if rest.startswith("json_schema.") else "schema"
        rest = rest.removeprefix("json_schema.")
    path = paths.get(head)
    return loss if path is None else ir.Loss(f"{path}{dot}{rest}", loss.reason, loss.severity)


def _hint(path: str, reason: str) -> ir.Loss:
    return ir.Loss(path, reason, "hint")


def _thinking(reasoning: ir.Reasoning, config: object) -> Iterator[ir.Loss]:
    """Compare what the caller wants to what the model takes."""
    if not is_object(config):
        return
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    wanted = BUDGETS.get(reasoning.level or "") if reasoning.mode == "level" else reasoning.budget
    if reasoning.mode == "off" and (level is not None or budget):
        yield _hint("thinking", f"this model always thinks; its minimum is {level or budget}")
    elif reasoning.mode in ("level", "budget", "off") and level is None and budget is None:
        yield _hint("thinking", "the name of this model sets how much it thinks")
    elif level is not None and reasoning.mode != "auto" and level != reasoning.level:
        yield _hint("thinking", f"the nearest value that this model accepts is {level}")
    elif budget is not None and wanted is not None and 0 < wanted != budget:
        yield _hint("thinking", f"the nearest value that this model accepts is {budget}")


def _identity(request: ir.Request, *, public: bool) -> Iterator[ir.Loss]:
    """The caller's key of a conversation goes to Code Assist, hashed; who the user is goes nowhere."""
    if request.session is not None and public:
        yield _hint("session", "this upstream has no sessions")
    if request.user is not None and (public or request.user != request.session):
        yield _hint("user", "this upstream has no field for the end user")


def _tools(request: ir.Request) -> Iterator[ir.Loss]:
    choice = request.tool_choice
    left_out = choice.left_out(request.tools) if choice is not None else ()
    for tool in request.tools:
        if tool.strict:
            yield _hint(f"{tool.path}.{tool.schema_path.rpartition('.')[0]}.strict".replace("..", "."), "not enforced")
        if tool.name not in left_out:
            yield from emulated(tool, choice)


def _choice(choice: ir.ToolChoice, *, serves: bool, serviced: bool) -> Iterator[ir.Loss]:
    """Without functions there is nothing to choose from; a service, if there is one, cannot be chosen.

    `serviced`: the caller named one, which the choice may leave out, or this upstream has not.
    """
    if serves and choice.mode in ("required", "named"):
        yield ir.Loss("tool_choice", _SERVED, "change")
    elif choice.mode != "none" or serviced:
        yield _hint("tool_choice", _NO_FUNCTIONS)
    if choice.parallel is not None:
        yield _hint("parallel_tool_calls", _NO_FUNCTIONS)


def _output(output: ir.Output) -> Iterator[ir.Loss]:
    if output.name:
        yield _hint(f"{_JSON_SCHEMA}.name", "schemas have no names here")
    if output.description:
        yield _hint(f"{_JSON_SCHEMA}.description", "schemas have no separate description here")
    if output.strict:
        yield _hint(f"{_JSON_SCHEMA}.strict", "this upstream always follows a schema as far as it can")


def _media(media: ir.Media, resolution: object, paths: Mapping[str, str]) -> Iterator[ir.Loss]:
    if media.detail not in _UNSAID:
        wanted = RESOLUTIONS.get(media.detail or "")
        if wanted is None:
            yield _hint(media.detail_path or media.path, "this detail is unknown")
        elif wanted != resolution:
            yield _hint(
                media.detail_path or media.path, "the detail applies to the whole request, and to Gemini models only"
            )
    if media.filename is not None:
        yield _hint(f"{media.path.rpartition('.')[0]}.{paths.get('filename', 'filename')}", "files have no names here")
