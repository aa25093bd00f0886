"""Write a neutral request as a Gemini GenerateContentRequest: the inner `request` of Code Assist, or the public API's.

The body is built, never copied: no field of the caller's dialect can slip through, for one that the service does
not know is a 400. What has no place is told in `Written.losses`.
"""

from collections.abc import Collection
from operator import attrgetter
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.emulated import ANSWER, ANSWERS, IN_WORDS, json_instruction, unknown
from gateway.dialects.logprobs import asked
from gateway.dialects.patterns import CHOICES, unchosen
from gateway.dialects.place import Place
from gateway.dialects.rewriting import decoded, is_of_objects
from gateway.dialects.services import carried
from gateway.errors import InvalidRequest

from .addresses import addressed
from .declared import declared_by, found_in, functions_of, services_of
from .history import Step, arrange, leads_with_thoughts, write_contents
from .leftover import RESOLUTIONS, told
from .names import NameMap
from .safety import SAFETY, read_safety
from .schema import Cleaned, Profile, SchemaCache, light, response_schema
from .signatures import Replay
from .target import GeminiTarget
from .thinking import Plan, is_latest, plan
from .vertex import nameless, numbers
from .written import Written

__all__ = [
    "NOT_BESIDE_THINKING",
    "GeminiTarget",
    "Written",
    "beside_each_other",
    "beside_thinking",
    "write_request",
]

_MAX_STOPS: Final = 5
_BUILTIN: Final = {
    "web_search": "googleSearch",
    "web_fetch": "urlContext",
    "code_execution": "codeExecution",
}
_OPTIONS: Final[dict[str, dict[ir.OptionName, str]]] = {
    "v1internal": {"allowed_domains": "includedDomains"},
    "vertex": {"blocked_domains": "excludeDomains"},
}
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
_SAMPLING: Final = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_drawn: Final = attrgetter(*_SAMPLING)
_PENALTIES: Final = frozenset({"presence_penalty", "frequency_penalty"})
_NOT_CLAUDE: Final = _PENALTIES | {"seed"}
_SEEDS: Final = 1 << 31  # a seed is an int32 of the proto; what is larger is refused
_NOT_DRAWN: Final = (None,) * len(_SAMPLING)
NOT_BESIDE_THINKING: Final = "Claude accepts only its default while it thinks"
_LEAST_TOP_P: Final = 0.95  # that Claude takes while it thinks
_DRAWING: Final[dict[bool, tuple[str, ir.Severity]]] = {
    True: ("this model decides this itself", "hint"),
    False: ("this model does not generate images", "change"),
}


def write_request(request: ir.Request, target: GeminiTarget) -> Written:
    """Write a request for one target; raise InvalidRequest for what cannot be carried."""
    return _Writer(request, target).write()


class _Writer:
    """One request on its way: what has been decided so far, and what got lost."""

    def __init__(self, request: ir.Request, target: GeminiTarget) -> None:
        self.request = request
        self.target = target
        self.claude = target.family == "claude"
        self.image = "image" in target.model
        self.latest = target.family == "gemini" and is_latest(target.model)
        self.public = target.surface != "v1internal"
        self.losses: list[ir.Loss] = []
        self.schemas = target.schemas or SchemaCache()
        self.functions = functions_of(request) if request.tools else []
        self.services = services_of(request) if request.tools else []
        self.media, called = found_in(request.turns)
        self.names = NameMap(declared_by(request) | called if request.tools else called)
        self.placeholders: dict[str, Cleaned] = {}
        self.answer = ""

    def write(self) -> Written:
        thinking, replay, steps = self._conversation()
        self.answer = ANSWER if self.claude and self._answers_by_tool(thinking) else ""
        surface = self.target.surface
        if surface == "vertex" and not (self.target.ids and numbers(self.target.model)):
            steps = nameless(steps)
        if any(media.data is None for media in self.media):
            steps = addressed(steps, surface)
        contents = write_contents(steps, self.names, replay)
        body: dict[str, object] = {"contents": contents}
        system = self._system()
        if system and (self.image or not self.target.instructions):  # they lead the user's words
            contents[0]["parts"][:0] = system
        elif system:
            body["systemInstruction"] = {"role": "user", "parts": system}
        if self.request.tools or self.answer:
            self._add_tools(body, thinking)
        if config := self._config(thinking):
            body["generationConfig"] = config
        if self.request.extras:
            self._add_extras(body)
        return Written(
            body=body,
            names=self.names,
            placeholders=self.placeholders,
            parallel=not self.functions or self._parallel(),
            answer=self.answer,
            candidates=self.request.sampling.n or 1,
            losses=told(self.request, body, self.losses, self.media, declares=bool(self.functions), public=self.public),
            image_model=self.image,
        )

    @property
    def light(self) -> bool:
        """Whether schemas stay JSON Schema."""
        return self.public and self.target.json_schemas

    def _refused(self, name: str, reason: str) -> InvalidRequest:
        path = self.request.paths.get(name, name)
        return InvalidRequest(f"{path}: {reason}", param=path)

    def _lose(self, path: str, reason: str, severity: ir.Severity = "change") -> None:
        self.losses.append(ir.Loss(path, reason, severity))

    def _add_extras(self, body: dict[str, object]) -> None:
        place = Place(self.request.paths.get(SAFETY, SAFETY), self.losses)
        for name, value in self.request.extras.items():
            if name != SAFETY or self.target.family != "gemini":
                self.losses.append(unknown(name, value))
            elif settings := read_safety(value, place):
                body["safetySettings"] = settings

    # conversation and thinking depend on each other

    def _conversation(self) -> tuple[Plan, Replay, list[Step]]:
        asked = self.request.reasoning.include is None  # else it is the configuration that wants thoughts
        thinking = self._plan()
        if self.claude and not asked and self._forced():
            thinking = Plan(max_tokens=self._limited())  # the caller's choice of a tool excludes them
        if not self.target.thinks and thinking.thinks:
            thinking = self._thoughtless("the upstream reports missing thoughts in this conversation", asked=asked)
        lost: list[ir.Loss] = []
        replay = self._replay(thinking)
        steps = arrange(self.request.turns, replay, lost)
        if not steps:
            raise self._refused("messages", "has nothing that the model could read")
        if self.claude and thinking.thinks and not leads_with_thoughts(steps):
            # With thinking on, Claude wants its thoughts before the calls of the current loop, and they are gone.
            thinking = self._thoughtless("this tool loop came back without its signed thoughts", asked=asked)
            lost = []
            replay = self._replay(thinking)
            steps = arrange(self.request.turns, replay, lost)
        if thinking.losses or lost:
            self.losses += [*thinking.losses, *lost]
        if self.target.refused:
            lacking = "thoughts" if self.claude else "signatures"
            self._lose(
                "messages",
                f"sent without its {lacking}: the upstream rejects them",
                "change" if self.claude else "hint",
            )
        return thinking, replay, steps

    def _thoughtless(self, reason: str, *, asked: bool) -> Plan:
        self._lose("thinking", f"thinking is off: {reason}", "change" if asked else "hint")
        return Plan(max_tokens=self._limited())

    def _forced(self) -> bool:
        choice = self.request.tool_choice
        return bool(self.functions) and choice is not None and choice.mode in ("required", "named")

    def _plan(self) -> Plan:
        target, limited = self.target, self._limited()
        if limited != self.request.sampling.max_tokens:
            self._lose("max_tokens", f"cut to the model's limit of {limited}", "hint")
        return plan(
            self.request.reasoning,
            limited,
            model=target.model,
            family=target.family,
            limit=target.max_output,
            conflict=target.thinking_conflict,
            configured=target.thinking_config,
            levels=target.levels,
        )

    def _replay(self, thinking: Plan) -> Replay:
        target = self.target
        return Replay(
            family=target.family,
            thoughts=thinking.thinks,
            latest=self.latest,
            trusted=target.signatures and not target.refused,
            sentinels=target.sentinels,
            begun=target.begun and not self.claude,
            unsigned=target.unsigned,
        )

    def _limited(self) -> int | None:
        wanted, limit = self.request.sampling.max_tokens, self.target.max_output
        return wanted if wanted is None or limit is None else min(wanted, limit)

    # system instruction and form of the answer

    def _system(self) -> list[dict[str, object]]:
        texts = [block.text for block in self.request.system]
        if self.request.output.kind != "text" and self._in_words():
            texts.append(self._instruction())
        if texts and not self.target.instructions:
            self._lose("system", "this model takes no instructions: they are sent with the user's words", "hint")
        return [{"text": text} for text in texts if (text.strip() if self.claude else text)] if texts else []

    def _answers_by_tool(self, thinking: Plan) -> bool:
        """Tell whether a tool that must be called stands for JSON mode, which Claude does not have here."""
        if thinking.thinks or self._forced() or self.names.known(ANSWER):
            return False
        schema = self.request.output.schema
        return schema is not None and is_of_objects(schema)

    def _in_words(self) -> bool:
        """Tell whether JSON can only be asked for in words."""
        if self.image or self.answer:
            return False
        # Before Gemini 3, JSON mode and tools exclude each other; the other families have no JSON mode here.
        has_mode = self.target.family == "gemini" and self.target.json_mode
        return not has_mode or (not self.latest and bool(self.request.tools))

    def _instruction(self) -> str:
        self._lose("response_format", IN_WORDS)
        return json_instruction(self.request.output.schema)

    def _output(self) -> dict[str, object]:
        output = self.request.output
        if self._in_words() or self.answer:
            return {}
        if self.image:
            self._lose("response_format", "an image model has no JSON mode")
            return {}
        config: dict[str, object] = {"responseMimeType": "application/json"}
        if output.schema is not None:
            schema = decoded(self._unchosen(bytes(output.schema), "response_format"))
            cleaned = light(schema) if self.light else response_schema(schema)
            self._lose_keywords("response_format", cleaned)
            if cleaned.schema is not None:
                config["responseJsonSchema" if self.light else "responseSchema"] = cleaned.schema
        return config

    # tools

    def _add_tools(self, body: dict[str, object], thinking: Plan) -> None:
        if tools := self._tools():
            body["tools"] = tools
        if config := self._tool_config(thinking):
            body["toolConfig"] = config

    def _tools(self) -> list[dict[str, object]]:
        if self.image:
            for tool in self.request.tools:
                self._lose(tool.path, "an image model does not support tools")
            return []
        if len(self.functions) + len(self.services) < len(self.request.tools):
            for tool in self.request.tools:
                if tool not in (self.functions if tool.builtin is None else self.services):
                    self._lose(tool.path, "the tool choice excludes it", "hint")
        functions = [self._declare(tool) for tool in self.functions]
        functions += [self._declare_answer()] if self.answer else []
        declared: list[dict[str, object]] = [{"functionDeclarations": functions}] if functions else []
        if functions and not self._combines():
            for tool in self.services:
                self._lose(tool.path, f"{tool.builtin} cannot be combined with functions")
            return declared
        hosted: list[dict[str, object]] = [
            {name: self._options(tool)} for tool in self.services if (name := self._hosted(tool))
        ]
        return declared + hosted

    def _combines(self) -> bool:
        """Tell whether the model takes services of the upstream beside functions: Gemini 3 does, on its own API."""
        return self.target.surface == "gemini" and self.latest

    def _hosted(self, tool: ir.Tool) -> str | None:
        name = _BUILTIN.get(tool.builtin or "") if self.target.family == "gemini" else None
        if name is None:
            self._lose(tool.path, f"this model has no {tool.builtin}")
        return name

    def _options(self, tool: ir.Tool) -> dict[str, object]:
        known = _OPTIONS.get(self.target.surface, {})
        return {known[one.name]: one.value for one in carried(tool, known, self.losses)}

    def _declare(self, tool: ir.Tool) -> dict[str, object]:
        name = self.names.upstream(tool.name)
        schema = bytes(tool.schema or b"null")
        if not self.target.choices:
            schema = self._unchosen(schema, tool.path)
        if self.light:
            cleaned = self.schemas.light_raw(schema)
        else:
            cleaned = self.schemas.clean_raw(schema, Profile.CLAUDE if self.claude else Profile.GEMINI)
        self._lose_keywords(f"{tool.path}.{tool.schema_path}".rstrip("."), cleaned)
        if self.claude:
            self.placeholders[name] = cleaned
        declaration: dict[str, object] = {"name": name}
        if tool.description:
            declaration["description"] = tool.description
        if cleaned.schema is not None:
            declaration["parametersJsonSchema" if self.light else "parameters"] = cleaned.schema
        return declaration

    def _unchosen(self, schema: bytes, path: str) -> bytes:
        if self.target.choices:
            return schema
        written = bytes(unchosen(Raw(schema)))
        if written != schema:
            self._lose(path, CHOICES, "hint")
        return written

    def _declare_answer(self) -> dict[str, object]:
        self._lose("response_format", "emulated: the response is a call of a tool with this schema")
        schema = self.request.output.schema
        return self._declare(ir.Tool(name=ANSWER, description=ANSWERS, schema=schema, path="response_format"))

    def _lose_keywords(self, path: str, cleaned: Cleaned) -> None:
        for dropped in cleaned.dropped:
            reason = "moved into the description" if dropped.hint else "not known upstream"
            self._lose(f"{path}.{dropped.path}", reason, "hint")

    def _tool_config(self, thinking: Plan) -> dict[str, object]:
        if self.answer:
            return {"functionCallingConfig": self._calling_answer()}
        if not self.functions or self.image:
            return {}
        calling = self._calling(thinking)
        config: dict[str, object] = {"functionCallingConfig": calling} if calling else {}
        if self._combines() and any(tool.builtin in _BUILTIN for tool in self.services):
            config["includeServerSideToolInvocations"] = True
        return config

    def _calling(self, thinking: Plan) -> dict[str, object]:
        choice = self.request.tool_choice
        if choice is None and not self.claude:
            return {}
        free: dict[str, object] = {"mode": "VALIDATED" if self.claude else "AUTO"}
        if choice is None or choice.mode == "auto":
            return free
        if self.claude and thinking.thinks and self._forced():
            self._lose("tool_choice", "Claude cannot be forced to call a tool while it thinks")
            return free
        calling: dict[str, object] = {"mode": _MODES[choice.mode]}
        if not choice.names or choice.mode == "none":
            return calling
        declared = {tool.name for tool in self.functions}
        chosen = [self.names.upstream(name) for name in choice.names if name in declared]
        if len(chosen) < len(choice.names):
            self._lose("tool_choice", "only functions can be named in the tool choice")
        return calling | {"allowedFunctionNames": chosen} if chosen else free

    def _calling_answer(self) -> dict[str, object]:
        """Let nothing but a call be the answer: of the tool that stands for it, or of one of the caller's."""
        choice = self.request.tool_choice
        if self.functions and (choice is None or choice.mode == "auto"):
            return {"mode": "ANY"}
        return {"mode": "ANY", "allowedFunctionNames": [self.answer]}

    def _parallel(self) -> bool:
        choice = self.request.tool_choice
        if choice is None or choice.parallel is not False:
            return True
        if choice.mode == "none":
            self._lose("parallel_tool_calls", "no tool may be called", "hint")
        else:
            self._lose("parallel_tool_calls", "emulated: only the first call of a response is passed on")
        return False

    # generationConfig

    def _config(self, thinking: Plan) -> dict[str, object]:
        sampling = self.request.sampling
        values = _drawn(sampling)
        config = {} if values == _NOT_DRAWN else self._sampling(values, thinking)
        if sampling.n is not None and sampling.n > 1:
            if self.target.family != "gemini":
                raise self._refused("n", "this model gives one response per request")
            config["candidateCount"] = sampling.n
        if sampling.logprobs is not None:
            config |= self._logprobs(sampling.logprobs)
        if self.request.output.kind != "text":
            config |= self._output()
        if thinking.max_tokens:
            config["maxOutputTokens"] = thinking.max_tokens
        if sampling.stop and (stops := self._stops()):
            config["stopSequences"] = stops
        if thinking.config:
            config["thinkingConfig"] = thinking.config
        if self.media and (resolution := self._resolution()):
            config["mediaResolution"] = resolution
        return config | self._drawn(self.request.output)

    def _sampling(self, drawn: tuple[float | None, ...], thinking: Plan) -> dict[str, object]:
        values = {name: value for name, value in zip(_SAMPLING, drawn, strict=True) if value is not None}
        if self.claude:
            values = self._for_claude(values, thinks=thinking.thinks)
        elif not self.target.penalties:
            for name in [name for name in values if name in _PENALTIES]:
                reason = "this model does not support penalties"
                self._lose(name, reason, "change" if values.pop(name) else "hint")
        if not -_SEEDS <= (seed := int(values.get("seed", 0))) < _SEEDS:
            values["seed"] = seed % _SEEDS
            self._lose("seed", "seeds have 32 bits here: another one is sent, always the same for this one", "hint")
        return {_SAMPLING[name]: value for name, value in values.items()}

    def _logprobs(self, others: int) -> dict[str, object]:
        """Ask how likely the tokens of the answer are."""
        if self.target.family == "gemini" and self.target.logprobs and not self.image:
            wanted: dict[str, object] = {"logprobs": others} if others else {}
            return {"responseLogprobs": True} | wanted
        for name in asked(self.request.sampling):
            self._lose(name, "this model does not report it")
        return {}

    def _drawn(self, output: ir.Output) -> dict[str, object]:
        """Ask for pictures: models that draw do so by themselves, the public API's also on demand."""
        config: dict[str, object] = {}
        if output.modalities and self.image and self.public:
            config["responseModalities"] = [one.upper() for one in output.modalities]
        elif output.modalities:
            self._lose("modalities", *_DRAWING[self.image])
        if (shape := output.shape) is not None and self.image:
            given = {"aspectRatio": shape.ratio, "imageSize": shape.size}
            config["imageConfig"] = {name: one for name, one in given.items() if one}
        elif shape is not None:
            self._lose(shape.path, *_DRAWING[False])
        return config

    def _for_claude(self, values: dict[str, float], *, thinks: bool) -> dict[str, float]:
        kept = dict(values)
        for name in [name for name in kept if name in _NOT_CLAUDE]:
            if kept.pop(name) or name == "seed":
                self._lose(name, "Claude does not support it")
        if thinks:
            for name in [name for name, value in kept.items() if not beside_thinking(name, value)]:
                del kept[name]
                self._lose(name, NOT_BESIDE_THINKING)
        if kept.keys() >= {"temperature", "top_p"}:
            left_out = beside_each_other(kept["temperature"], kept["top_p"], self.request.filled)
            severity: ir.Severity = "hint" if kept.pop(left_out) == 1 else "change"
            self._lose(left_out, "newer Claude models accept either temperature or top_p", severity)
        if kept.get("temperature", 0) > 1:
            kept["temperature"] = 1
            self._lose("temperature", "Claude's maximum is 1")
        return kept

    def _stops(self) -> list[str]:
        given = [stop for stop in self.request.sampling.stop if stop]
        stops = [stop for stop in given if stop.strip()] if self.claude else given
        if len(stops) < len(given):
            self._lose("stop", "Claude does not accept stop sequences of whitespace")
        if len(stops) > _MAX_STOPS:
            raise self._refused("stop", f"this upstream accepts up to {_MAX_STOPS} stop sequences")
        return stops

    def _resolution(self) -> str | None:
        """Give the first detail that a caller asked for; there is one for the whole request."""
        if self.target.family != "gemini":
            return None
        for part in self.media:
            if part.detail in RESOLUTIONS:
                return RESOLUTIONS[part.detail]
        return None


def beside_each_other(temperature: float, top_p: float, filled: Collection[str]) -> str:
    """Name what newer Claude models go without of these two: what was filled in, else what is 1, both's default."""
    if ("temperature" in filled) != ("top_p" in filled):
        return "temperature" if "temperature" in filled else "top_p"
    return "temperature" if temperature == 1 != top_p else "top_p"


def beside_thinking(name: str, value: float) -> bool:
    """Tell whether Claude takes this while it thinks."""
    return (name == "temperature" and value == 1) or (name == "top_p" and value >= _LEAST_TOP_P)
