"""What some models demand of messages and tools, told by a refusal only: by the template that reads them.

developer ─► system                             the older role of instructions              Qwen, DeepSeek, Zhipu
system, system, user, system ─► system, user    one message of the system's, which leads    Qwen, Gemma
assistant ─► assistant with reasoning_content   thoughts with each answer                   DeepSeek, Moonshot
tool, without content ─► (empty)                words in each message                       MiniMax, Zhipu, Moonshot
parts of text, null ─► one text                 texts that are no lists                     Groq, Cloudflare
null or no parts, no calls ─► (an empty text)   a text, or calls                            OpenAI
tool, user ─► tool, assistant, user             an answer behind the results of calls       Mistral
call_1 ─► 8cb542c67, functions.f:0              ids of calls in a form of its own           Mistral, Kimi
maxLength, pattern ─► description               tools that make a small grammar             llama.cpp, LM Studio
arguments cut off ─► {"input": "…"}            objects as arguments                        vLLM, SGLang, llama.cpp, Qwen
system, assistant ─► system, user, assistant    somebody who asks                           Qwen, Zhipu
user, assistant ─► user, assistant, user        a last word of the user's                   Claude, Gemini
thoughts and words before a call ─► thoughts    one of both                                 gpt-oss
strict ─►                                       tools of which none is strict               Cerebras
no parameters ─► none of them                   an object of parameters for each tool       MiniMax
anyOf beside type, $ref, … ─► description       tools in a form of its own                  Moonshot
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import takewhile
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.history import BEGUN, CONTINUED, EMPTY, GO_ON, REMINDED, reminder
from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.moonshot_schema import PLAIN, plain
from gateway.dialects.outbound import Demand, OpenAITarget
from gateway.dialects.outbound_schema import NO_PARAMETERS
from gateway.dialects.patterns import BOUNDS, unbounded
from gateway.dialects.raw import NO_LIST, NULL

from .call_ids import IDS, argued, renamed

__all__ = ["SYSTEM", "demands_of", "equipped", "met"]

Message = Mapping[str, object]
Tell = Callable[[int, str, ir.Severity], None]

SYSTEM: Final = ("system", "developer")
# Mistral, Magistral, Codestral, Mixtral … refuse ids of another form, and a user who goes on behind results.
_MISTRALS: Final = re.compile(r"[sx]tral")
_OF_MISTRAL: Final[tuple[Demand, ...]] = ("plain ids", "answers")
_USER: Final = "user"
_THOUGHTS: Final = "reasoning_content"
_NONE: Final = " "  # an empty thought counts as none
_INSTEAD: Final = ("tool_calls", "function_call", "refusal", "audio")  # what a message may have in place of words
_NOTHING: Final = (None, NULL, NO_LIST)
_NOTED: Final = "OK."
_UNSAID: Final = "this upstream wants parameters of each tool: that there are none is said"
_LOOSE: Final = "this upstream holds no call to the schema of its tool, or each"


def demands_of(target: OpenAITarget) -> tuple[Demand, ...]:
    """Give what is demanded of messages that are written for a target: by its model, and as it has been told."""
    return (*_OF_MISTRAL, *target.demands) if _MISTRALS.search(target.model.lower()) else target.demands


def met(messages: Sequence[Message], demands: Collection[Demand], tell: Tell) -> list[Message]:
    """Meet demands. `tell`: is given the place of what means something else by that, and what, and how much."""
    after = [*map(_of_system, messages)] if "system roles" in demands else list(messages)
    if "leading system" in demands:
        after = _led(after, tell)
    if "answers" in demands:
        after = _answered(after)
    for demand in IDS:
        if demand in demands:
            after = renamed(after, demand)
    if "asker" in demands:
        after = _asked(after)
    if "last word" in demands:
        after = _continued(after, tell)
    for demand, write in _OF_EACH.items():
        if demand in demands:
            after = [*map(write, after)]
    return after


def _asked(messages: Sequence[Message]) -> list[Message]:
    """Let the user speak behind the instructions where nobody has asked anything."""
    if any(message.get("role") == _USER for message in messages):
        return [*messages]
    led = [*takewhile(lambda message: message.get("role") in SYSTEM, messages)]
    return [*led, {"role": _USER, "content": CONTINUED.text}, *messages[len(led) :]]


def _continued(messages: Sequence[Message], tell: Tell) -> list[Message]:
    """Ask for the rest of a response that the caller has begun."""
    last: Message = messages[-1] if messages else {}
    if last.get("role") != "assistant" or any(last.get(name, NULL) not in _NOTHING for name in _INSTEAD):
        return [*messages]
    tell(len(messages) - 1, BEGUN, "change")
    return [*messages, {"role": _USER, "content": GO_ON.text}]


def _answered(messages: Sequence[Message]) -> list[Message]:
    """Let the model say something behind the results of its calls, before anybody else does."""
    said: list[Message] = []
    for message in messages:
        if said and said[-1].get("role") == "tool" and message.get("role") in (_USER, *SYSTEM):
            said.append({"role": "assistant", "content": _NOTED})
        said.append(message)
    return said


def equipped(tools: Sequence[object], demands: Collection[Demand], tell: Callable[[str], None]) -> Sequence[object]:
    """Meet demands of tools. `tell`: is given what is lost by it."""
    for demand, (write, lost) in _OF_TOOLS.items():
        if demand in demands and (after := [*map(write, tools)]) != [*tools]:
            tools = after
            tell(lost)
    return tools


def _loose(tool: object) -> object:
    function = tool.get("function") if is_object(tool) else None
    if not is_object(tool) or not is_object(function):
        return tool
    return {**tool, "function": {name: value for name, value in function.items() if name != "strict"}}


def _with(rewrite: Callable[[Raw], Raw]) -> Callable[[object], object]:
    """Make of what rewrites parameters what rewrites a tool."""

    def rewritten(tool: object) -> object:
        function = tool.get("function") if is_object(tool) else None
        parameters = function.get("parameters") if is_object(function) else None
        if not is_object(tool) or not is_object(function) or not isinstance(parameters, Raw):
            return tool
        return {**tool, "function": {**function, "parameters": rewrite(parameters)}}

    return rewritten


def _parametered(tool: object) -> object:
    function = tool.get("function") if is_object(tool) else None
    if not is_object(tool) or not is_object(function) or function.get("parameters", NULL) != NULL:
        return tool
    return {**tool, "function": {**function, "parameters": NO_PARAMETERS}}


def _of_system(message: Message) -> Message:
    return {**message, "role": SYSTEM[0]} if message.get("role") == SYSTEM[1] else message


def _plain(message: Message) -> Message:
    """Write texts as one, and none as an empty one; other parts have no other form."""
    content = message.get("content")
    if content is None:
        return {**message, "content": ""}
    if not is_list(content):
        return message
    texts = [part.get("text") for part in content if is_object(part)]
    said = [text for text in texts if isinstance(text, str)]
    return {**message, "content": "\n\n".join(said)} if len(said) == len(content) else message


def _texted(message: Message) -> Message:
    """Let what says nothing else say an empty text, and no empty list of calls."""
    said = message
    if "tool_calls" in message and message["tool_calls"] in _NOTHING:
        said = {name: value for name, value in message.items() if name != "tool_calls"}
    if said.get("content") == []:
        said = {**said, "content": None}
    silent = said.get("content") is None and all(said.get(name) in _NOTHING for name in _INSTEAD)
    return {**said, "content": ""} if silent else said


_OF_TOOLS: Final[Mapping[Demand, tuple[Callable[[object], object], str]]] = {
    "unbounded tools": (_with(unbounded), BOUNDS),
    "loose tools": (_loose, _LOOSE),
    "plain tools": (_with(plain), PLAIN),
    "parameters": (_parametered, _UNSAID),
}


def _led(messages: Sequence[Message], tell: Tell) -> list[Message]:
    """Let the first instructions lead; the user says later ones, in one message with what stands beside them."""
    kept: list[Message] = []
    for place, given in enumerate(messages):
        message = given
        if given.get("role") in SYSTEM and kept and not (len(kept) == 1 and kept[0].get("role") in SYSTEM):
            tell(place, REMINDED, "hint")
            message = {"role": _USER, "content": reminder(_words(given.get("content"))).text}
        if kept and _beside(kept[-1], message):
            kept[-1] = {**kept[-1], "content": _joined(kept[-1].get("content"), message.get("content"))}
        else:
            kept.append(message)
    return kept


def _beside(one: Message, other: Message) -> bool:
    """Tell whether one speaker says both."""
    if "name" in one or "name" in other:
        return False
    roles = one.get("role"), other.get("role")
    return roles == (_USER, _USER) or all(role in SYSTEM for role in roles)


def _joined(one: object, other: object) -> object:
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n\n{other}"
    return [*_parts(one), *_parts(other)]


def _parts(content: object) -> Sequence[object]:
    if is_list(content):
        return content
    return [{"type": "text", "text": content}] if content else []


def _words(content: object) -> str:
    texts = (part.get("text") for part in _parts(content) if is_object(part))
    return "\n".join(text for text in texts if isinstance(text, str))


def _worded(message: Message) -> Message:
    """Say that a message is empty; one that calls says nothing."""
    content = message.get("content")
    if is_list(content):
        content = [part for part in content if not is_object(part) or part.get("text") != ""]
    if content or (content is None and message.get("tool_calls")):
        return message if content == message.get("content") else {**message, "content": content}
    return {**message, "content": None if message.get("tool_calls") else EMPTY.text}


def _thought(message: Message) -> Message:
    """Let what is said before a call be one of the thoughts beside it."""
    thoughts, said = message.get(_THOUGHTS), _words(message.get("content"))
    if not isinstance(thoughts, str) or not thoughts or not said or not message.get("tool_calls"):
        return message
    return {**message, _THOUGHTS: f"{thoughts}\n\n{said}", "content": None}


def _thoughtful(message: Message) -> Message:
    if message.get("role") != "assistant" or message.get(_THOUGHTS):
        return message
    return {**message, _THOUGHTS: _NONE}


_OF_EACH: Final[Mapping[Demand, Callable[[Message], Message]]] = {
    "arguments": argued,
    "one thought": _thought,
    "words": _worded,
    "plain texts": _plain,
    "no null": _texted,
    "thoughts": _thoughtful,
}
