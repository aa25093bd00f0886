// What users of the npm package @anthropic-ai/sdk do.

import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

import { BREAKS, CAPITAL, CITY, CLAUDE, GEMINI, KEY, LONG, MODELS, PIXEL, TWO_CALLS, URL } from "./scenarios.mjs";
import { counting, each, oneCall, raised, run, sunny } from "./scenarios.mjs";

const clientOf = (options = {}) => new Anthropic({ baseURL: URL, apiKey: KEY, maxRetries: 0, ...options });
const client = clientOf();
const { messages } = client;

const WEATHER = { name: "weather", description: "Tell the weather", input_schema: CITY };
const THINKING = { type: "enabled", budget_tokens: 2048 };
const user = (content) => ({ role: "user", content });
const answered = ({ content }) =>
  content
    .filter((block) => block.type === "tool_use")
    .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: sunny(block.input) }));
const said = ({ content }, kind = "text") =>
  content.filter((block) => block.type === kind).map((block) => block[kind]).join("");
const ask = (content, model = CLAUDE, fields = {}, by = client) =>
  by.messages.create({ model, max_tokens: 4096, messages: [user(content)], ...fields });
const listen = (content, model = CLAUDE, fields = {}) =>
  messages.stream({ model, max_tokens: 4096, messages: [user(content)], ...fields });
const shown = (error) => [error.constructor.name, error.status ?? null, error.type ?? null, error.message];

const text = () =>
  each(MODELS, async (model) => {
    const message = await ask("!say good morning", model);
    const counted = message.usage.input_tokens > 0 && message.usage.output_tokens > 0;
    return [said(message), message.stop_reason, message.model, counted];
  });

const stream = () =>
  each(MODELS, async (model) => {
    const pieces = [];
    const message = await listen(`!say ${LONG}`, model)
      .on("text", (piece) => pieces.push(piece))
      .finalMessage();
    return [pieces.join(""), pieces.length > 1, said(message), message.stop_reason, message.usage.output_tokens > 0];
  });

async function events() {
  const kinds = [];
  for await (const event of await ask("!say hi", CLAUDE, { stream: true })) kinds.push(event.type);
  return kinds;
}

const loop = (mark, fields, turn) =>
  each(MODELS, async (model) => {
    const history = [user(oneCall(mark))];
    const asked = await turn({ model, max_tokens: 4096, tools: [WEATHER], messages: history, ...fields });
    history.push({ role: "assistant", content: asked.content }, user(answered(asked)));
    const answer = await turn({ model, max_tokens: 4096, tools: [WEATHER], messages: history, ...fields });
    return [said(asked, "thinking"), asked.stop_reason, said(answer), answer.stop_reason];
  });
const whole = (fields) => messages.create(fields);
const streamed = (fields) => messages.stream(fields).finalMessage();

/** Its content goes back as it came, thinking and signatures and all. */
const toolLoop = () => loop("anthropic, whole", { thinking: THINKING }, whole);
const streamedToolLoop = () => loop("anthropic, streamed", { thinking: THINKING }, streamed);
const unaskedThoughts = () => loop("anthropic, unasked", {}, streamed);

/** The SDK's own loop: it would keep the conversation at the server, and goes on without when it hears that it cannot. */
const toolRunner = () =>
  each(MODELS, async (model) => {
    const asked = [];
    const tell = (args) => asked.push(args.city) && sunny(args);
    const tool = betaTool({ name: "weather", description: "Tell the weather", inputSchema: CITY, run: tell });
    const fields = { model, max_tokens: 4096, tools: [tool], messages: [user(TWO_CALLS)] };
    const finals = [];
    for (const stream of [false, true]) finals.push(said(await client.beta.messages.toolRunner({ ...fields, stream })));
    return [finals, asked];
  });

const parallelCalls = () =>
  each(MODELS, async (model) => {
    const history = [user(TWO_CALLS)];
    const asked = await messages.create({ model, max_tokens: 500, tools: [WEATHER], messages: history });
    const results = answered(asked);
    history.push({ role: "assistant", content: asked.content }, user(results.toReversed()));
    const answer = await messages.create({ model, max_tokens: 500, tools: [WEATHER], messages: history });
    return [new Set(results.map((result) => result.tool_use_id)).size, said(answer)];
  });

const streamedParallelCalls = () =>
  each(MODELS, async (model) => {
    const message = await listen(`!toolsplit\n${TWO_CALLS}`, model, { tools: [WEATHER] }).finalMessage();
    return message.content.filter((block) => block.type === "tool_use").map((block) => block.input);
  });

const thoughts = () =>
  each(MODELS, async (model) => {
    const directed = "!think two and two\n!say four";
    const message = await ask(directed, model, { thinking: THINKING });
    const adaptive = await listen(directed, model, { thinking: { type: "adaptive" } }).finalMessage();
    return [message, adaptive].map((one) => [said(one, "thinking"), said(one)]);
  });

const imageIn = () =>
  each(MODELS, async (model) => {
    const source = { type: "base64", media_type: "image/png", data: PIXEL };
    return said(await ask([{ type: "text", text: "!say a dot for anthropic" }, { type: "image", source }], model));
  });

const structured = () =>
  each(MODELS, async (model) => {
    const output_config = { format: jsonSchemaOutputFormat(CAPITAL) };
    const asked = [user('!say {"city": "Oslo", "people": 700000}')];
    return (await messages.parse({ model, max_tokens: 500, messages: asked, output_config })).parsed_output;
  });

async function models() {
  const names = [];
  for await (const model of client.models.list({ limit: 5 })) names.push(model.id);
  return [names, (await client.models.retrieve(CLAUDE)).max_tokens];
}

const countTokens = () =>
  each(MODELS, async (model) => {
    const [short, long] = await Promise.all(
      [10, 1000].map((times) => messages.countTokens({ model, messages: [user("word ".repeat(times))] })),
    );
    return 0 < short.input_tokens && short.input_tokens < long.input_tokens;
  });

async function headers() {
  const { data, response, request_id: id } = await ask("!say hi").withResponse();
  const known = id === data._request_id && id === response.headers.get("x-request-id");
  return [response.headers.get("x-gateway-upstream"), known];
}

async function failures() {
  const acts = {
    "own bad request": () => messages.create({ model: CLAUDE, max_tokens: 100, messages: [] }),
    "bad request": () => ask("!error 400_claude_schema_draft"),
    "streamed bad request": () => listen("!error 400_claude_schema_draft").finalMessage(),
    thread: () => ask("hi", CLAUDE, { thread: { type: "create" } }),
    "wrong key": () => ask("hi", CLAUDE, {}, clientOf({ apiKey: "sk-of-nobody" })),
    "unknown model": () => ask("hi", "claude-of-tomorrow"),
    "model not listed": () => client.models.retrieve("claude-of-tomorrow"),
    "no capacity": () => ask("!error 503_no_capacity"),
    "streamed no capacity": () => listen("!error 503_no_capacity").finalMessage(),
    "cut short": () => ask(BREAKS.cut),
  };
  return each(Object.keys(acts), (name) => raised(acts[name], shown));
}

/** A 429 with its time, which the SDK waits for and tries again, and one of a day, at which it gives up. */
async function rateLimits() {
  const limits = { short: ["!error 429 1", "demo"], long: ["!error 429_quota_exhausted_hours", "gemini-3.1-pro-low"] };
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
  const message = await ask("!error 503_no_capacity 1\n!say now anthropic works", CLAUDE, {}, by);
  return [said(message), fetching.count];
}

const brokenStreams = () =>
  each(Object.keys(BREAKS), async (name) => {
    let heard = "";
    const error = await raised(() => listen(BREAKS[name]).on("text", (piece) => (heard += piece)).finalMessage(), shown);
    const raw = await raised(async () => {
      for await (const event of await ask(BREAKS[name], GEMINI, { stream: true })) void event;
    }, shown);
    return [heard, error?.slice(0, 1) ?? null, raw?.slice(0, 1) ?? null, error?.at(2) ?? null];
  });

await run({
  text,
  stream,
  events,
  toolLoop,
  streamedToolLoop,
  unaskedThoughts,
  toolRunner,
  parallelCalls,
  streamedParallelCalls,
  thoughts,
  imageIn,
  structured,
  models,
  countTokens,
  headers,
  failures,
  rateLimits,
  retries,
  brokenStreams,
});
