// What users of `client.responses` of the npm package openai do.

import OpenAI from "openai";
import { standardTextFormat } from "openai/helpers/standard-schema";

import { BREAKS, CAPITAL, CITY, GEMINI, KEY, LONG, MODELS, PIXEL, TWO_CALLS, URL } from "./scenarios.mjs";
import { counting, each, oneCall, raised, run, sunny } from "./scenarios.mjs";

const clientOf = (options = {}) => new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, maxRetries: 0, ...options });
const client = clientOf();
const responses = client.responses;

const parameters = { ...CITY, additionalProperties: false };
const WEATHER = { type: "function", name: "weather", description: "Tell the weather", parameters, strict: true };
const SQL = { type: "custom", name: "sql", description: "Ask the database" };
const SEALED = ["reasoning.encrypted_content"];
const user = (content) => ({ role: "user", content });
const ask = (input, model = GEMINI, fields = {}, by = client) => by.responses.create({ model, input, ...fields });
const calls = (response) => response.output.filter((item) => item.type === "function_call");
const answered = (asked) =>
  asked.map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: sunny(JSON.parse(call.arguments)),
  }));
const shown = (error) => [error.constructor.name, error.status ?? null, error.code ?? null, error.message];

async function drain(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const deltas = (events) =>
  events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);

const text = () =>
  each(MODELS, async (model) => {
    const answer = await ask("!say good morning", model);
    const { input_tokens: input, output_tokens: output, total_tokens: total } = answer.usage;
    const counted = input > 0 && output > 0 && total === input + output;
    return [answer.output_text, answer.status, answer.model, counted];
  });

const stream = () =>
  each(MODELS, async (model) => {
    const events = await drain(await ask(`!say ${LONG}`, model, { stream: true }));
    const said = deltas(events);
    const gapless = events.every((event, index) => event.sequence_number === index);
    return [said.join(""), said.length > 1, gapless, events[0].type, events.at(-1).type];
  });

const helper = () =>
  each(MODELS, async (model) => {
    const streamed = responses.stream({ model, input: `!say ${LONG}` });
    const said = deltas(await drain(streamed)).join("");
    return [said, (await streamed.finalResponse()).output_text];
  });

const kept = () =>
  each(MODELS, async (model) => {
    const first = await ask("!say I am the first", model);
    const second = await ask("!say I am the second", model, { previous_response_id: first.id });
    const again = await responses.retrieve(second.id);
    const items = [];
    for await (const item of responses.inputItems.list(second.id)) items.push(item.content[0].text);
    await responses.delete(second.id);
    const gone = await raised(() => responses.retrieve(second.id), shown);
    return [second.output_text, again.output_text === second.output_text, items, gone?.slice(0, 2) ?? null];
  });

const counted = () =>
  each(MODELS, async (model) => {
    const short = await responses.inputTokens.count({ model, input: "hi" });
    const long = await responses.inputTokens.count({ model, input: "hi", instructions: "Be brief. ".repeat(20) });
    return [short.object, short.input_tokens > 0, long.input_tokens > short.input_tokens + 20];
  });

/** Nothing is kept: the output goes back as it came, with what seals the thoughts. */
const toolLoop = () =>
  each(MODELS, async (model) => {
    const input = [user(oneCall("responses, whole"))];
    const fields = { tools: [WEATHER], reasoning: { effort: "high" }, store: false, include: SEALED };
    const asked = await ask(input, model, fields);
    input.push(...asked.output, ...answered(calls(asked)));
    const answer = await ask(input, model, fields);
    return [calls(asked).length, answer.output_text];
  });

const streamedToolLoop = () =>
  each(MODELS, async (model) => {
    const input = [user(oneCall("responses, streamed"))];
    const fields = { model, tools: [WEATHER], reasoning: { effort: "high" } };
    const asked = await responses.stream({ ...fields, input }).finalResponse();
    const streamed = responses.stream({ ...fields, input: answered(calls(asked)), previous_response_id: asked.id });
    const answer = await streamed.finalResponse();
    return [calls(asked).length, answer.output_text];
  });

const parallelCalls = () =>
  each(MODELS, async (model) => {
    const asked = await ask(TWO_CALLS, model, { tools: [WEATHER] });
    const results = answered(calls(asked)).reverse();
    const answer = await ask(results, model, { tools: [WEATHER], previous_response_id: asked.id });
    return [new Set(calls(asked).map((call) => call.call_id)).size, answer.output_text];
  });

const freeForm = () =>
  each(MODELS, async (model) => {
    const asked = await ask('!tool sql {"input": "select 1"}\n!then\n!say one', model, { tools: [SQL] });
    const call = asked.output.at(-1);
    const result = { type: "custom_tool_call_output", call_id: call.call_id, output: "1" };
    const answer = await ask([result], model, { tools: [SQL], previous_response_id: asked.id });
    return [call.type, call.name, call.input, answer.output_text];
  });

const thoughts = () =>
  each(MODELS, async (model) => {
    const directed = "!think two and two\n!say four";
    const summaries = (answer) =>
      answer.output.flatMap((item) => (item.type === "reasoning" ? item.summary.map((part) => part.text) : []));
    const answer = await ask(directed, model, { reasoning: { effort: "high", summary: "auto" } });
    const hidden = await ask(directed, model, { reasoning: { effort: "high" } });
    return [summaries(answer), answer.output_text, summaries(hidden)];
  });

const imageIn = () =>
  each(MODELS, async (model) => {
    const picture = { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${PIXEL}` };
    return (await ask([user([{ type: "input_text", text: "!say a dot for responses" }, picture])], model)).output_text;
  });

const imageOut = async () =>
  (await ask("!image", "gemini-3-pro-image")).output.map((item) => [item.type, item.result]);

const structured = () =>
  each(MODELS, async (model) => {
    const capital = {
      "~standard": {
        version: 1,
        vendor: "tests",
        validate: (value) => ({ value }),
        jsonSchema: { input: () => CAPITAL },
      },
    };
    const text = { format: standardTextFormat(capital, "capital") };
    const answer = await responses.parse({ model, input: '!say {"city": "Oslo", "people": 700000}', text });
    return answer.output_parsed;
  });

async function headers() {
  const { data, response, request_id: id } = await ask("!say hi").withResponse();
  const known = id === data._request_id && id === response.headers.get("x-request-id");
  return [response.headers.get("x-gateway-upstream"), known];
}

async function failures() {
  const acts = {
    "own bad request": () => ask([]),
    "unknown previous": () => ask("hi", GEMINI, { previous_response_id: "resp_of_nobody" }),
    "unknown response": () => responses.retrieve("resp_of_nobody"),
    "bad request": () => ask("!error 400_invalid_argument_schema"),
    "streamed bad request": () => ask("!error 400_invalid_argument_schema", GEMINI, { stream: true }),
    "wrong key": () => ask("hi", GEMINI, {}, clientOf({ apiKey: "sk-of-nobody" })),
    "unknown model": () => ask("hi", "gemini-9-of-tomorrow"),
    "no capacity": () => ask("!error 503_no_capacity"),
    "streamed no capacity": () => ask("!error 503_no_capacity", GEMINI, { stream: true }),
    "cut short": () => ask(BREAKS.cut),
  };
  return each(Object.keys(acts), (name) => raised(acts[name], shown));
}

async function rateLimit() {
  const fetching = counting();
  const by = clientOf({ maxRetries: 1, fetch: fetching });
  const told = (error) => [error.constructor.name, error.status, Number(error.headers.get("retry-after"))];
  return [...(await raised(() => ask("!error 429 1", "demo", {}, by), told)), fetching.count];
}

const brokenStreams = () =>
  each(Object.keys(BREAKS), async (name) => {
    const events = await drain(await ask(BREAKS[name], GEMINI, { stream: true }));
    const { type, response } = events.at(-1);
    const final = await responses.stream({ model: GEMINI, input: BREAKS[name] }).finalResponse();
    return [deltas(events).join(""), type, response.status, response.error.code, final.status];
  });

await run({
  text,
  stream,
  helper,
  kept,
  counted,
  toolLoop,
  streamedToolLoop,
  parallelCalls,
  freeForm,
  thoughts,
  imageIn,
  imageOut,
  structured,
  headers,
  failures,
  rateLimit,
  brokenStreams,
});
