// What users of the npm package @google/genai do.

import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";

import { BREAKS, CAPITAL, CITY, CLAUDE, GEMINI, KEY, LONG, MODELS, PIXEL, PUBLIC, TWO_CALLS, URL } from "./scenarios.mjs";
import { counting, each, oneCall, raised, run, sunny } from "./scenarios.mjs";

const DEMO = "demo";
const clientOf = (httpOptions = {}, apiKey = KEY) =>
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl: URL, ...httpOptions } });
const client = clientOf();

const DECLARED = { name: "weather", description: "Tell the weather", parametersJsonSchema: CITY };
const WEATHER = [{ functionDeclarations: [DECLARED] }];
const THINKING = {
  [GEMINI]: { includeThoughts: true },
  [CLAUDE]: { includeThoughts: true, thinkingBudget: 2048 },
  [PUBLIC]: { includeThoughts: true },
};
const ask = (contents, model = GEMINI, config = {}, by = client) => by.models.generateContent({ model, contents, config });
const listen = (contents, model = GEMINI, config = {}) => client.models.generateContentStream({ model, contents, config });
const partsOf = (...answers) => answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? []);
const said = (parts, thought = false) =>
  parts.filter((part) => Boolean(part.thought) === thought).map((part) => part.text ?? "").join("");
const answered = (parts) => ({
  role: "user",
  parts: parts
    .filter((part) => part.functionCall)
    .map(({ functionCall: { id, name, args } }) => ({ functionResponse: { id, name, response: { result: sunny(args) } } })),
});
const user = (text) => ({ role: "user", parts: [{ text }] });
const shown = (error) => {
  const told = error instanceof ApiError ? JSON.parse(error.message.slice(error.message.indexOf("{"))).error : {};
  return [error.name, error.status ?? null, told.status ?? null, told.message ?? error.message];
};

async function drain(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const text = () =>
  each([...MODELS, DEMO], async (model) => {
    const answer = await ask(model === DEMO ? "good morning" : "!say good morning", model);
    return [answer.text, answer.candidates[0].finishReason, answer.usageMetadata.totalTokenCount > 0];
  });

const stream = () =>
  each([...MODELS, DEMO], async (model) => {
    const chunks = await drain(await listen(model === DEMO ? LONG : `!say ${LONG}`, model));
    const ends = chunks.map((chunk) => chunk.candidates?.[0]?.finishReason).filter(Boolean);
    return [said(partsOf(...chunks)), chunks.length > 1, ends, chunks.at(-1).usageMetadata.candidatesTokenCount > 0];
  });

const loop = (mark, turn) =>
  each(MODELS, async (model) => {
    const config = { tools: WEATHER, thinkingConfig: THINKING[model] };
    const first = partsOf(...(await turn([user(oneCall(mark))], model, config)));
    const contents = [user(oneCall(mark)), { role: "model", parts: first }, answered(first)];
    const second = partsOf(...(await turn(contents, model, config)));
    return [said(first, true), first.some((part) => part.thoughtSignature), said(second)];
  });

/** The model's content goes back as it came, thoughtSignature and all. */
const toolLoop = () => loop("genai, whole", async (...asked) => [await ask(...asked)]);
const streamedToolLoop = () => loop("genai, streamed", async (...asked) => drain(await listen(...asked)));

/** The SDK calls the functions by itself. */
const callableTool = () =>
  each(MODELS, async (model) => {
    const asked = [];
    const tool = {
      tool: async () => WEATHER[0],
      callTool: async (calls) =>
        calls.map(({ id, name, args }) => {
          asked.push(args.city);
          return { functionResponse: { id, name, response: { result: sunny(args) } } };
        }),
    };
    const whole = await ask(TWO_CALLS, model, { tools: [tool] });
    const streamed = await drain(await listen(TWO_CALLS, model, { tools: [tool] }));
    return [whole.text, said(partsOf(...streamed)), asked];
  });

const chat = () =>
  each([...MODELS, DEMO], async (model) => {
    const talk = client.chats.create({ model });
    await talk.sendMessage({ message: "one" });
    await drain(await talk.sendMessageStream({ message: LONG }));
    return [(await talk.sendMessage({ message: "three" })).text, talk.getHistory().length];
  });

const parallelCalls = () =>
  each(MODELS, async (model) => {
    const found = [];
    for (const directed of [TWO_CALLS, `!toolsplit\n${TWO_CALLS}`]) {
      const first = partsOf(...(await drain(await listen(directed, model, { tools: WEATHER }))));
      const contents = [user(directed), { role: "model", parts: first }, answered(first)];
      const answer = await ask(contents, model, { tools: WEATHER });
      const called = first.filter((part) => part.functionCall).map((part) => part.functionCall.args.city);
      found.push([called, answer.text]);
    }
    return found;
  });

const thoughts = () =>
  each(MODELS, async (model) => {
    const directed = "!think two and two\n!say four";
    const parts = partsOf(await ask(directed, model, { thinkingConfig: THINKING[model] }));
    return [said(parts, true), said(parts), said(partsOf(await ask(directed, model)), true)];
  });

const imageIn = () =>
  each(MODELS, async (model) => {
    const picture = { inlineData: { mimeType: "image/png", data: PIXEL } };
    return (await ask([picture, "!say a dot for genai"], model)).text;
  });

async function imageOut() {
  const model = "gemini-3-pro-image";
  const found = partsOf(await ask("!image", model), ...(await drain(await listen("!image", model))));
  return found.filter((part) => part.inlineData).map((part) => part.inlineData.data === PIXEL);
}

/** JSON of a schema, and a call of a function that must be. */
const structured = () =>
  each(MODELS, async (model) => {
    const config = { responseMimeType: "application/json", responseJsonSchema: CAPITAL };
    return JSON.parse((await ask('!say {"city": "Oslo", "people": 700000}', model, config)).text);
  });

async function forcedCall() {
  const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["weather"] };
  const config = { tools: WEATHER, toolConfig: { functionCallingConfig } };
  const answer = await ask('!tool weather {"city": "Rome"}', GEMINI, config);
  return answer.functionCalls.map(({ name, args }) => [name, args]);
}

async function models() {
  const names = [];
  for await (const model of await client.models.list({ config: { pageSize: 5 } })) names.push(model.name);
  return [names, (await client.models.get({ model: GEMINI })).supportedActions];
}

const countTokens = () =>
  each([...MODELS, DEMO], async (model) => {
    const counts = [10, 1000].map((times) => client.models.countTokens({ model, contents: "word ".repeat(times) }));
    const [short, long] = await Promise.all(counts);
    return 0 < short.totalTokens && short.totalTokens < long.totalTokens;
  });

const embeddings = () =>
  raised(() => client.models.embedContent({ model: GEMINI, contents: "hi" }), shown);

async function publicEmbeddings() {
  const { embeddings } = await client.models.embedContent({ model: "gemini-embedding-001", contents: "hi" });
  return embeddings.map((one) => one.values.length);
}

async function failures() {
  const acts = {
    "own bad request": () => ask([{ role: "user", parts: [{ inlineData: { mimeType: "image/png", data: "!" } }] }]),
    "bad request": () => ask("!error 400_invalid_argument_schema"),
    "streamed bad request": () => listen("!error 400_invalid_argument_schema"),
    "wrong key": () => ask("hi", GEMINI, {}, clientOf({}, "sk-of-nobody")),
    "unknown model": () => ask("hi", "gemini-9-of-tomorrow"),
    "model not listed": () => client.models.get({ model: "gemini-9-of-tomorrow" }),
    "rate limit": () => ask("!error 429_rate_limit_minutes", "gemini-3-flash-preview"),
    "no capacity": () => ask("!error 503_no_capacity"),
    "streamed no capacity": () => listen("!error 503_no_capacity"),
    "cut short": () => ask(BREAKS.cut),
  };
  return each(Object.keys(acts), (name) => raised(acts[name], shown));
}

/** The SDK tries again when it is told to, as often as it is told to. */
async function retries() {
  const fetching = counting();
  const by = clientOf({ retryOptions: { attempts: 2, initialDelay: 0.01 }, fetch: fetching });
  const answer = await ask("!error 503_no_capacity 1\n!say now genai works", GEMINI, {}, by);
  return [answer.text, fetching.count];
}

const brokenStreams = () =>
  each(Object.keys(BREAKS), async (name) => {
    let heard = "";
    const error = await raised(async () => {
      for await (const chunk of await listen(BREAKS[name])) heard += chunk.text ?? "";
    }, shown);
    return [heard, error?.slice(0, 3) ?? null];
  });

await run({
  text,
  stream,
  toolLoop,
  streamedToolLoop,
  callableTool,
  chat,
  parallelCalls,
  thoughts,
  imageIn,
  imageOut,
  structured,
  forcedCall,
  models,
  countTokens,
  embeddings,
  publicEmbeddings,
  failures,
  retries,
  brokenStreams,
});
