"""What users of google-genai do, as a program that runs with any version of it.

    python genai_scenarios.py URL KEY      prints {scenario: outcome} as JSON

It imports nothing of this repository: older versions of the SDK live in environments of their own. Annotations are
evaluated here, for the SDK calls functions by them.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from typing import Any

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from pydantic import BaseModel

GEMINI, CLAUDE, DEMO = "gemini-3-flash", "claude-sonnet-4-6", "demo"
IMAGE = "gemini-3-pro-image"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ONE_CALL = '!think where is Rome\n!tool weather {"city": "Rome"}\n!then\n!say it is sunny'
TWO_CALLS = '!tool weather {"city": "Rome"}\n!tool weather {"city": "Oslo"}\n!then\n!say it is sunny in both'
LONG = "a long answer that comes in more than one piece"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            description="Tell the weather of a city",
            parameters=types.Schema(
                type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"]
            ),
        )
    ]
)
THOUGHTS = types.ThinkingConfig(include_thoughts=True)
HARMLESS = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}
BUDGET = types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)


class Capital(BaseModel):
    """A structured answer."""

    city: str
    people: int


Scenario = Callable[[genai.Client], Any]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Register a scenario by its name."""
    SCENARIOS[function.__name__] = function
    return function


def ask(client: genai.Client, contents: Any, model: str = GEMINI, **config: Any) -> Any:
    """Ask for a whole answer."""
    return client.models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config) if config else None
    )


def stream(client: genai.Client, contents: Any, model: str = GEMINI, **config: Any) -> list[Any]:
    """Ask for a stream."""
    given = types.GenerateContentConfig(**config) if config else None
    return list(client.models.generate_content_stream(model=model, contents=contents, config=given))


def parts(*answers: Any) -> list[Any]:
    """Give the parts of answers."""
    found = [one.candidates[0].content for one in answers if one.candidates and one.candidates[0].content]
    return [part for content in found for part in content.parts or ()]


def results(*answers: Any) -> Any:
    """Answer the calls as users do: by the name of the function."""
    calls = [part.function_call for part in parts(*answers) if part.function_call]
    given = [
        types.Part.from_function_response(name=call.name, response={"result": f"sunny in {call.args['city']}"})
        for call in calls
    ]
    return types.Content(role="user", parts=given)


def said(*answers: Any) -> dict[str, str]:
    """Give words and thoughts."""
    return {
        "text": "".join(part.text or "" for part in parts(*answers) if not part.thought),
        "thoughts": "".join(part.text or "" for part in parts(*answers) if part.thought),
    }


@scenario
def text(client: genai.Client) -> Any:
    found: dict[str, Any] = {}
    for model in (GEMINI, CLAUDE, DEMO):
        answer = ask(client, "!say good morning" if model != DEMO else "good morning", model)
        usage = answer.usage_metadata
        found[model] = [answer.text, answer.candidates[0].finish_reason.value, answer.model_version]
        assert usage.total_token_count >= usage.prompt_token_count + usage.candidates_token_count > 0
    return found


@scenario
def streaming(client: genai.Client) -> Any:
    found: dict[str, Any] = {}
    for model in (GEMINI, CLAUDE, DEMO):
        chunks = stream(client, f"!say {LONG}" if model != DEMO else LONG, model)
        reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
        found[model] = [said(*chunks)["text"], len(chunks) > 1, [one.value for one in reasons if one]]
        assert chunks[-1].usage_metadata.candidates_token_count > 0
    return found


@scenario
def event_loop(client: genai.Client) -> Any:
    async def both() -> list[str]:
        whole = await client.aio.models.generate_content(model=GEMINI, contents="!say good evening")
        pieces = await client.aio.models.generate_content_stream(model=GEMINI, contents="!say good night")
        return [whole.text or "", "".join([piece.text or "" async for piece in pieces])]

    return asyncio.run(both())


@scenario
def line_separators(client: genai.Client) -> Any:
    words = "a\u2028b\u2029c\x85d 🚀"
    candidate = {"content": {"parts": [{"text": words}]}, "finishReason": "STOP"}
    directed = f"!chunk {json.dumps({'response': {'candidates': [candidate]}})}"
    return [said(*stream(client, directed))["text"] == words, said(*stream(client, words, DEMO))["text"] == words]


@scenario
def chat(client: genai.Client) -> Any:
    """The SDK keeps each chunk of a stream as a content of its own, empty ones too."""
    found: dict[str, Any] = {}
    for model in (GEMINI, DEMO):
        talk = client.chats.create(model=model)
        talk.send_message("one")
        list(talk.send_message_stream(f"{LONG}"))
        list(talk.send_message_stream("two words"))
        found[model] = talk.send_message("three").text
    return found


@scenario
def tool_loop(client: genai.Client) -> Any:
    """The second turn brings the model's content back as it came, signatures and all."""
    found: dict[str, Any] = {}
    for model, thinks in ((GEMINI, THOUGHTS), (CLAUDE, BUDGET)):
        first = ask(client, ONE_CALL, model, tools=[WEATHER], thinking_config=thinks)
        contents = [types.Content(role="user", parts=[types.Part(text=ONE_CALL)]), first.candidates[0].content]
        second = ask(client, [*contents, results(first)], model, tools=[WEATHER], thinking_config=thinks)
        found[model] = [said(first)["thoughts"], any(part.thought_signature for part in parts(first)), second.text]
    return found


@scenario
def streamed_tool_loop(client: genai.Client) -> Any:
    found: dict[str, Any] = {}
    for model, thinks in ((GEMINI, THOUGHTS), (CLAUDE, BUDGET)):
        first = stream(client, ONE_CALL, model, tools=[WEATHER], thinking_config=thinks)
        contents = [types.Content(role="user", parts=[types.Part(text=ONE_CALL)])]
        contents.append(types.Content(role="model", parts=parts(*first)))
        second = stream(client, [*contents, results(*first)], model, tools=[WEATHER], thinking_config=thinks)
        found[model] = said(*second)["text"]
    return found


@scenario
def chat_with_tools(client: genai.Client) -> Any:
    """The SDK calls the functions by itself, streaming."""
    asked: list[str] = []

    def weather(city: str) -> str:
        """Tell the weather of a city."""
        asked.append(city)
        return f"sunny in {city}"

    said_last: list[str] = []
    for model in (GEMINI, CLAUDE):
        talk = client.chats.create(model=model, config=types.GenerateContentConfig(tools=[weather]))
        list(talk.send_message_stream(TWO_CALLS))
        said_last.append(talk.send_message("!say goodbye").text or "")
    return [said_last, asked]


@scenario
def tool_loop_with_another_upstream(client: genai.Client) -> Any:
    """Signatures in an envelope of the gateway come back as base64, and reach the family that made them."""
    directed = "!think a moment"
    first = stream(client, directed, DEMO, thinking_config=THOUGHTS)
    contents = [types.Content(role="user", parts=[types.Part(text=directed)])]
    contents.append(types.Content(role="model", parts=parts(*first)))
    contents.append(types.Content(role="user", parts=[types.Part(text="!say well")]))
    signed = [part.thought_signature.decode() for part in parts(*first) if part.thought_signature]
    return [said(*first), signed, ask(client, contents).text, ask(client, contents, DEMO).text]


@scenario
def demo_tool(client: genai.Client) -> Any:
    directed = '!tool weather {"city": "Rome"}'
    first = ask(client, directed, DEMO, tools=[WEATHER])
    contents = [types.Content(role="user", parts=[types.Part(text=directed)]), first.candidates[0].content]
    second = ask(client, [*contents, results(first)], DEMO, tools=[WEATHER])
    return [[call.args for call in first.function_calls], second.text]


@scenario
def automatic_function_calling(client: genai.Client) -> Any:
    asked: list[str] = []

    def weather(city: str) -> str:
        """Tell the weather of a city."""
        asked.append(city)
        return f"sunny in {city}"

    return [[ask(client, TWO_CALLS, model, tools=[weather]).text for model in (GEMINI, CLAUDE)], asked]


@scenario
def parallel_calls(client: genai.Client) -> Any:
    found: list[Any] = []
    for directed in (TWO_CALLS, f"!toolsplit\n{TWO_CALLS}"):
        first = stream(client, directed, tools=[WEATHER])
        contents = [types.Content(role="user", parts=[types.Part(text=directed)])]
        contents.append(types.Content(role="model", parts=parts(*first)))
        answer = ask(client, [*contents, results(*first)], tools=[WEATHER])
        found.append([[part.function_call.args for part in parts(*first) if part.function_call], answer.text])
    return found


@scenario
def thinking(client: genai.Client) -> Any:
    directed = "!think two and two\n!say four"
    shown = {
        model: said(ask(client, directed, model, thinking_config=config))
        for model, config in (
            (GEMINI, THOUGHTS),
            (CLAUDE, BUDGET),
        )
    }
    hidden = said(ask(client, directed))
    demo = [said(ask(client, "!think four", DEMO, **({"thinking_config": THOUGHTS} if on else {}))) for on in (1, 0)]
    return {"shown": shown, "hidden": hidden, "demo": demo}


@scenario
def pictures(client: genai.Client) -> Any:
    dot = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    seen = [ask(client, [dot, "!say a dot"], GEMINI).text, ask(client, [dot, "a dot"], DEMO).text]
    drawn = [
        part.inline_data.data == base64.b64decode(PIXEL)
        for answer in (ask(client, "!image", IMAGE), *stream(client, "!image", IMAGE), ask(client, "!image", DEMO))
        for part in parts(answer)
        if part.inline_data
    ]
    return [seen, drawn]


@scenario
def structured(client: genai.Client) -> Any:
    directed = '!say {"city": "Rome", "people": 3}'
    answer = ask(client, directed, response_mime_type="application/json", response_schema=Capital)
    return [answer.parsed.city, answer.parsed.people]


@scenario
def options(client: genai.Client) -> Any:
    answer = ask(
        client,
        "!say ok",
        system_instruction="Be brief.",
        temperature=0.5,
        top_k=40,
        max_output_tokens=100,
        stop_sequences=["END"],
        safety_settings=[types.SafetySetting.model_validate(HARMLESS)],
    )
    return answer.text


@scenario
def grounding(client: genai.Client) -> Any:
    answers = stream(client, "!fixture 15", tools=[types.Tool(google_search=types.GoogleSearch())])
    metadata = answers[-1].candidates[0].grounding_metadata
    return [len(metadata.grounding_chunks), metadata.grounding_chunks[0].web.uri.startswith("https://")]


@scenario
def code_execution(client: genai.Client) -> Any:
    answer = ask(client, "!fixture 16", tools=[types.Tool(code_execution=types.ToolCodeExecution())])
    return [answer.executable_code is not None, answer.code_execution_result is not None]


@scenario
def blocked(client: genai.Client) -> Any:
    return [
        one.prompt_feedback.block_reason.value for one in (ask(client, "!fixture 17"), *stream(client, "!fixture 17"))
    ]


@scenario
def counting(client: genai.Client) -> Any:
    counts = [
        client.models.count_tokens(model=model, contents="word " * times).total_tokens
        for model in (GEMINI, DEMO)
        for times in (10, 1000)
    ]
    return [0 < (counts[0] or 0) < (counts[1] or 0), 0 < (counts[2] or 0) < (counts[3] or 0)]


@scenario
def models(client: genai.Client) -> Any:
    names = [model.name for model in client.models.list(config={"page_size": 7})]
    one = client.models.get(model=GEMINI)
    return [{f"models/{GEMINI}", f"models/{CLAUDE}", "models/demo"} <= {*names}, one.name, one.supported_actions]


def raised(act: Callable[[], Any]) -> Any:
    """Give the error that an act ends in."""
    try:
        act()
    except errors.APIError as error:
        return [type(error).__name__, error.code, error.status, error.message]
    return None


@scenario
def vertex(client: genai.Client) -> Any:
    """A client for Vertex AI asks a path of its own, by an API key or for a project."""
    url, key = client._api_client._http_options.base_url, client._api_client.api_key or ""
    at = types.HttpOptions(base_url=url)
    older = types.HttpOptions(base_url=url, api_version="v1")
    token = Credentials(token=key)  # type: ignore[no-untyped-call]  # google-auth has no types
    clients = [
        genai.Client(vertexai=True, api_key=key, http_options=at),
        genai.Client(vertexai=True, api_key=key, http_options=older),
        genai.Client(vertexai=True, project="p", location="us-central1", credentials=token, http_options=at),
    ]
    found: list[Any] = []
    for one in clients:
        listed = [model.name for model in one.models.list()]
        asked = [ask(one, "!say good day", model).text for model in (GEMINI, CLAUDE, f"google/{GEMINI}")]
        pieces = said(*stream(one, "!say good night"))["text"]
        echoed = ask(one, "hello", f"models/{DEMO}").text
        counted = (one.models.count_tokens(model=GEMINI, contents="one two three").total_tokens or 0) > 0
        known = one.models.get(model=GEMINI).name
        found.append([*asked, pieces, echoed, counted, known, f"models/{GEMINI}" in listed])
    return found


@scenario
def versions(client: genai.Client) -> Any:
    found: dict[str, Any] = {}
    for version in ("v1", "v1beta", "v1alpha"):
        at = types.HttpOptions(base_url=client._api_client._http_options.base_url, api_version=version)
        one = genai.Client(api_key=client._api_client.api_key, http_options=at)
        listed = [model.name for model in one.models.list()]
        found[version] = [ask(one, "!say good day").text, f"models/{GEMINI}" in listed]
    return found


@scenario
def failures(client: genai.Client) -> Any:
    options_of = types.HttpOptions
    stranger = genai.Client(
        api_key="wrong", http_options=options_of(base_url=client._api_client._http_options.base_url)
    )
    acts: dict[str, Callable[[], Any]] = {
        "bad request": lambda: ask(client, "!error 400_invalid_argument_schema"),
        "streamed bad request": lambda: stream(client, "!error 400_invalid_argument_schema"),
        "rate limit": lambda: ask(client, "!error 429 7", DEMO),
        "overloaded": lambda: stream(client, "!error 503", DEMO),
        "wrong key": lambda: ask(stranger, "hi"),
        "unknown model": lambda: ask(client, "hi", "gemini-9-of-tomorrow"),
        "embeddings": lambda: client.models.embed_content(model=GEMINI, contents="hi"),
    }
    return {name: raised(act) for name, act in acts.items()}


@scenario
def broken_streams(client: genai.Client) -> Any:
    found: dict[str, Any] = {}
    breaks = {"error": "!fixture 24", "cut": "!fixture 26", "drop": "!say 12345678 more of it\n!drop 1"}
    for name, (directed, model) in {**{k: (v, GEMINI) for k, v in breaks.items()}, "demo": ("!cut", DEMO)}.items():
        heard: list[str] = []

        def listen(directed: str = directed, model: str = model, heard: list[str] = heard) -> None:
            pieces = client.models.generate_content_stream(model=model, contents=directed)
            heard.extend(piece.text or "" for piece in pieces)  # what came before the error stays

        error = raised(listen)
        found[name] = ["".join(heard), error and error[:3]]
    return found


def main(url: str, key: str) -> None:
    """Run all scenarios."""
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))
    outcomes: dict[str, Any] = {"version": genai.__version__}
    for name, run in SCENARIOS.items():
        try:
            outcomes[name] = run(client)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test of this scenario shows it
            outcomes[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
