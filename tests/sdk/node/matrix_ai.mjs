// The cells of each dialect, by the npm package ai and its provider of the dialect.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, streamText, tool } from "ai";

import { call, failed, heard, run, usage } from "./cells.mjs";
import { KEY, PIXEL, URL } from "./scenarios.mjs";

const openai = createOpenAI({ baseURL: `${URL}/v1`, apiKey: KEY });
const providers = {
  chat: openai.chat,
  compatible: createOpenAICompatible({
    name: "gateway",
    baseURL: `${URL}/v1`,
    apiKey: KEY,
    includeUsage: true,
    supportsStructuredOutputs: true,
  }),
  responses: openai.responses,
  anthropic: createAnthropic({ baseURL: `${URL}/v1`, apiKey: KEY }),
  google: createGoogle({ baseURL: `${URL}/v1beta`, apiKey: KEY }),
};
const NUMBERS = { type: "object", properties: { a: { type: "integer" } } };
// each provider shows thoughts of its own models only, unless it is told to
const THINKING = { openai: { forceReasoning: true, store: false }, google: { thinkingConfig: { includeThoughts: true } } };
const data = (mediaType, bytes) => ({ type: "file", mediaType, data: bytes, filename: "a.pdf" });

/** Say a wish in the words of the package. */
function asked(wish, document) {
  const parts = [
    ...(wish.picture ? [data("image/png", PIXEL)] : []),
    ...(wish.document ? [data("application/pdf", document)] : []),
    { type: "text", text: wish.text },
  ];
  const tools = wish.tools.map((name) => [name, tool({ description: name, inputSchema: jsonSchema(NUMBERS) })]);
  return {
    maxRetries: 0,
    messages: [{ role: "user", content: parts }],
    ...(wish.system ? { system: wish.system } : {}),
    ...(tools.length ? { tools: Object.fromEntries(tools) } : {}),
    ...(wish.forced ? { toolChoice: { type: "tool", toolName: wish.forced } } : {}),
    ...(wish.thinks ? { reasoning: "low", providerOptions: THINKING } : {}),
    ...(wish.schema ? { output: Output.object({ schema: jsonSchema(wish.schema) }) } : {}),
    ...(wish.stop.length ? { stopSequences: wish.stop } : {}),
    ...(wish.limit ? { maxOutputTokens: wish.limit } : {}),
    onError: () => {},
  };
}

const status = (error) => (error?.lastError ?? error)?.statusCode ?? null;

async function gathered(told, spoken) {
  let text = "";
  for await (const part of told.stream) {
    if (part.type === "error") return { heard: failed(part.error, status(part.error), text) };
    if (part.type === "text-delta") text += part.text;
    if (text) spoken?.();
  }
  return answered({
    text: await told.text,
    reasoningText: await told.reasoningText,
    toolCalls: await told.toolCalls,
    finishReason: await told.finishReason,
    usage: await told.usage,
    response: await told.response,
  });
}

const answered = ({ text, reasoningText, toolCalls, finishReason, usage: counts, response }) => ({
  said: response.messages,
  heard: heard({
    text,
    thoughts: reasoningText ?? "",
    calls: toolCalls.map((one) => call(one.toolCallId, one.toolName, one.input)),
    finish: finishReason,
    usage: usage(counts.inputTokens, counts.outputTokens),
  }),
});

const caller = (model) => ({
  async answer(body, { wish, stream, document }, { signal, spoken }) {
    body.asked ??= asked(wish, document);
    const given = { ...body.asked, model: model(wish.model), abortSignal: signal };
    try {
      return stream ? await gathered(streamText(given), spoken) : answered(await generateText(given));
    } catch (error) {
      return { heard: failed(error, status(error)) };
    }
  },
  giveBack({ asked: given }, said, results, shown) {
    const picture = { type: "content", value: [{ type: "image-data", data: PIXEL, mediaType: "image/png" }] };
    const content = results.map(({ id, name, result }) => ({
      type: "tool-result",
      toolCallId: id,
      toolName: name,
      output: shown ? picture : { type: "text", value: result },
    }));
    given.messages.push(...said, { role: "tool", content });
  },
});

await run(Object.fromEntries(Object.entries(providers).map(([name, model]) => [`ai ${name}`, caller(model)])));
