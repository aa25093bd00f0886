// What users of the npm package openai do.

import OpenAI from "openai";
import { standardResponseFormat } from "openai/helpers/standard-schema";

import { BREAKS, CAPITAL, CITY, GEMINI, KEY, LONG, MODELS, PIXEL, TWO_CALLS, URL } from "./scenarios.mjs";
import { counting, each, oneCall, raised, run, sunny } from "./scenarios.mjs";

const clientOf = (options = {}) => new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, maxRetries: 0, ...options });
const client = clientOf();
const completions = client.chat.completions;

const parameters = { ...CITY, additionalProperties: false };
const WEATHER = { type: "function", function: { name: "weather", description: "Tell the weather", parameters } };
const user = (content) => ({ role: "user", content });
const answered = (calls) =>
  calls.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: sunny(JSON.parse(call.function.arguments)),
  }));
const ask = (content, model = GEMINI, fields = {}, by = client) =>
  by.chat.completions.create({ model, messages: [user(content)], ...fields });
const shown = (error) => [error.constructor.name, error.status ?? null, error.code ?? null, error.message];

async function drain(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const text = () =>
  each(MODELS, async (model) => {
    const answer = await ask("!say good morning", model);
    const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = answer.usage;
    const counted = completion > 0 && prompt > 0 && total === prompt + completion;
    return [answer.choices[0].message.content, answer.choices[0].finish_reason, answer.model, counted];
  });

const stream = () =>
  each(MODELS, async (model) => {
    const chunks = await drain(await ask(`!say ${LONG}`, model, { stream: true, stream_options: { include_usage: true } }));
    const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.content ?? "")).filter(Boolean);
    const ends = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.finish_reason)).filter(Boolean);
    return [deltas.join(""), deltas.length > 1, ends, chunks.at(-1).usage.completion_tokens > 0];
  });

const toolLoop = () =>
  each(MODELS, async (model) => {
    const messages = [user(oneCall("openai, whole"))];
    const fields = { model, tools: [WEATHER], reasoning_effort: "high" };
    const asked = (await completions.create({ ...fields, messages })).choices[0];
    messages.push(asked.message, ...answered(asked.message.tool_calls));
    const answer = (await completions.create({ ...fields, messages })).choices[0];
    return [asked.finish_reason, answer.message.content, answer.finish_reason];
  });

const streamedToolLoop = () =>
  each(MODELS, async (model) => {
    const messages = [user(oneCall("openai, streamed"))];
    const fields = { model, tools: [WEATHER], reasoning_effort: "high" };
    const asked = (await completions.stream({ ...fields, messages }).finalChatCompletion()).choices[0];
    messages.push(asked.message, ...answered(asked.message.tool_calls));
    const answer = await completions.stream({ ...fields, messages }).finalChatCompletion();
    return [asked.finish_reason, answer.choices[0].message.content];
  });

/** The SDK calls the functions by itself. */
const runTools = () =>
  each(MODELS, async (model) => {
    const asked = [];
    const tell = (args) => asked.push(args.city) && sunny(args);
    const tool = { name: "weather", description: "Tell the weather", parameters, parse: JSON.parse, function: tell };
    const fields = { model, messages: [user(TWO_CALLS)], tools: [{ type: "function", function: tool }] };
    const whole = await completions.runTools(fields).finalContent();
    const streamed = await completions.runTools({ ...fields, stream: true }).finalContent();
    return [whole, streamed, asked];
  });

const parallelCalls = () =>
  each(MODELS, async (model) => {
    const messages = [user(TWO_CALLS)];
    const { message } = (await completions.create({ model, messages, tools: [WEATHER] })).choices[0];
    messages.push(message, ...answered(message.tool_calls).reverse());
    const answer = await completions.create({ model, messages, tools: [WEATHER] });
    return [new Set(message.tool_calls.map((call) => call.id)).size, answer.choices[0].message.content];
  });

const streamedParallelCalls = () =>
  each(MODELS, async (model) => {
    const chunks = await drain(await ask(`!toolsplit\n${TWO_CALLS}`, model, { stream: true, tools: [WEATHER] }));
    const calls = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    const written = [0, 1].map((index) =>
      calls.filter((call) => call.index === index).map((call) => call.function.arguments ?? "").join(""),
    );
    return [calls.filter((call) => call.id).map((call) => call.index), written.map((json) => JSON.parse(json))];
  });

const thoughts = () =>
  each(MODELS, async (model) => {
    const directed = "!think two and two\n!say four";
    const { message } = (await ask(directed, model, { reasoning_effort: "high" })).choices[0];
    const hidden = (await ask(directed, model, { reasoning_effort: "none" })).choices[0].message;
    return [message.reasoning_content, message.content, "reasoning_content" in hidden];
  });

const imageIn = () =>
  each(MODELS, async (model) => {
    const picture = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
    const answer = await ask([{ type: "text", text: "!say a dot for openai" }, picture], model);
    return answer.choices[0].message.content;
  });

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
    const response_format = standardResponseFormat(capital, "capital");
    const messages = [user('!say {"city": "Oslo", "people": 700000}')];
    const answer = await completions.parse({ model, messages, response_format });
    return answer.choices[0].message.parsed;
  });

async function models() {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  return [names, (await client.models.retrieve(GEMINI)).id];
}

async function headers() {
  const { data, response, request_id: id } = await ask("!say hi").withResponse();
  const known = id === data._request_id && id === response.headers.get("request-id");
  return [response.headers.get("x-gateway-upstream"), known];
}

async function failures() {
  const acts = {
    "own bad request": () => completions.create({ model: GEMINI, messages: [] }),
    "bad request": () => ask("!error 400_invalid_argument_schema"),
    "streamed bad request": () => ask("!error 400_invalid_argument_schema", GEMINI, { stream: true }),
    "wrong key": () => ask("hi", GEMINI, {}, clientOf({ apiKey: "sk-of-nobody" })),
    "unknown model": () => ask("hi", "gemini-9-of-tomorrow"),
    "model not listed": () => client.models.retrieve("gemini-9-of-tomorrow"),
    "no capacity": () => ask("!error 503_no_capacity"),
    "streamed no capacity": () => ask("!error 503_no_capacity", GEMINI, { stream: true }),
    "cut short": () => ask(BREAKS.cut),
    embeddings: () => client.embeddings.create({ model: GEMINI, input: "hi" }),
  };
  return each(Object.keys(acts), (name) => raised(acts[name], shown));
}

/** A 429 with its time, which the SDK waits for and tries again, and one of a day, at which it gives up. */
async function rateLimits() {
  const limits = { short: ["!error 429 1", "demo"], long: ["!error 429_quota_exhausted_hours", "gemini-2.5-pro"] };
  return each(Object.keys(limits), async (name) => {
    const fetching = counting();
    const by = clientOf({ maxRetries: 1, fetch: fetching });
    const told = (error) => [error.constructor.name, error.status, Number(error.headers.get("retry-after"))];
    return [...(await raised(() => ask(...limits[name], {}, by), told)), fetching.count];
  });
}

async function retries() {
  const fetching = counting();
  const by = clientOf({ maxRetries: 1, fetch: fetching });
  const answer = await ask("!error 503_no_capacity 1\n!say now openai works", GEMINI, {}, by);
  return [answer.choices[0].message.content, fetching.count];
}

const brokenStreams = () =>
  each(Object.keys(BREAKS), async (name) => {
    let heard = "";
    const error = await raised(async () => {
      for await (const chunk of await ask(BREAKS[name], GEMINI, { stream: true }))
        heard += chunk.choices[0].delta.content ?? "";
    }, shown);
    const helper = await raised(
      () => completions.stream({ model: GEMINI, messages: [user(BREAKS[name])] }).finalChatCompletion(),
      shown,
    );
    return [heard, error?.slice(0, 3) ?? null, helper?.slice(0, 3) ?? null];
  });

await run({
  text,
  stream,
  toolLoop,
  streamedToolLoop,
  runTools,
  parallelCalls,
  streamedParallelCalls,
  thoughts,
  imageIn,
  structured,
  models,
  headers,
  failures,
  rateLimits,
  retries,
  brokenStreams,
});
