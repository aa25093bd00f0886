// What users of the npm package ai do, through its provider of each dialect.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, isStepCount, jsonSchema, Output, RetryError, streamText, tool } from "ai";

import { BREAKS, CAPITAL, CITY, GEMINI, KEY, LONG, MODELS, PIXEL, TWO_CALLS, URL } from "./scenarios.mjs";
import { each, oneCall, raised, run, sunny } from "./scenarios.mjs";

const openai = createOpenAI({ baseURL: `${URL}/v1`, apiKey: KEY });
const providers = {
  chat: openai.chat,
  responses: openai.responses,
  compatible: createOpenAICompatible({ name: "gateway", baseURL: `${URL}/v1`, apiKey: KEY, includeUsage: true }),
  anthropic: createAnthropic({ baseURL: `${URL}/v1`, apiKey: KEY }),
  google: createGoogle({ baseURL: `${URL}/v1beta`, apiKey: KEY }),
};
const names = Object.keys(providers);
const QUIET = { maxRetries: 0 };

/** Give the outcome for each provider and model; an error is one, too, so that the others are still seen. */
const all = (act, models = MODELS) =>
  each(names, (name) =>
    each(models, async (model) => {
      try {
        return await act(providers[name](model), name);
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    }),
  );

const weather = (asked) =>
  tool({
    description: "Tell the weather",
    inputSchema: jsonSchema(CITY),
    execute: (input) => asked.push(input.city) && sunny(input),
  });

const text = () =>
  all(async (model) => {
    const answer = await generateText({ ...QUIET, model, prompt: "!say good morning" });
    const { inputTokens, outputTokens, totalTokens } = answer.usage;
    const counted = inputTokens > 0 && outputTokens > 0 && totalTokens === inputTokens + outputTokens;
    return [answer.text, answer.finishReason, counted];
  });

const stream = () =>
  all(async (model) => {
    const answer = streamText({ ...QUIET, model, prompt: `!say ${LONG}` });
    const pieces = [];
    for await (const piece of answer.textStream) pieces.push(piece);
    const { outputTokens } = await answer.usage;
    return [pieces.join(""), pieces.length > 1, await answer.finishReason, outputTokens > 0];
  });

const toolLoop = () =>
  all(async (model, name) => {
    const asked = [];
    const prompt = oneCall(`ai, whole, ${name}`);
    const answer = await generateText({
      ...QUIET,
      model,
      prompt,
      tools: { weather: weather(asked) },
      reasoning: "high",
      stopWhen: isStepCount(3),
    });
    return [answer.text, asked, answer.steps.map((step) => step.finishReason)];
  });

const streamedToolLoop = () =>
  all(async (model, name) => {
    const asked = [];
    const answer = streamText({
      ...QUIET,
      model,
      prompt: oneCall(`ai, streamed, ${name}`),
      tools: { weather: weather(asked) },
      reasoning: "high",
      stopWhen: isStepCount(3),
    });
    return [await answer.text, asked, (await answer.steps).map((step) => step.finishReason)];
  });

const parallelCalls = () =>
  all(async (model) => {
    const asked = [];
    const tools = { weather: weather(asked) };
    const answer = await generateText({ ...QUIET, model, prompt: TWO_CALLS, tools, stopWhen: isStepCount(3) });
    return [answer.text, asked];
  });

const thoughts = () =>
  all(async (model) => {
    const prompt = "!think two and two\n!say four";
    const answer = await generateText({ ...QUIET, model, prompt, reasoning: "high" });
    return [answer.reasoningText ?? null, answer.text];
  });

const structured = () =>
  all(async (model) => {
    const output = Output.object({ schema: jsonSchema(CAPITAL) });
    const prompt = '!say {"city": "Oslo", "people": 700000}';
    return (await generateText({ ...QUIET, model, prompt, output })).output;
  });

const imageIn = () =>
  all(async (model, name) => {
    const picture = { type: "file", mediaType: "image/png", data: PIXEL };
    const content = [{ type: "text", text: `!say a dot for ai, ${name}` }, picture];
    return (await generateText({ ...QUIET, model, messages: [{ role: "user", content }] })).text;
  });

const status = (error) => {
  const last = RetryError.isInstance(error) ? error.lastError : error;
  return APICallError.isInstance(last) ? [last.statusCode, last.isRetryable, last.message] : [error.name, error.message];
};

const failures = () =>
  each(names, async (name) => ({
    "bad request": await raised(() => asking(name, "!error 400_invalid_argument_schema"), status),
    "no capacity": await raised(() => asking(name, "!error 503_no_capacity"), status),
    "unknown model": await raised(() => asking(name, "hi", "gemini-9-of-tomorrow"), status),
  }));

const asking = (name, prompt, model = GEMINI) => generateText({ ...QUIET, model: providers[name](model), prompt });

/** A stream that breaks must not look like one that has ended. */
const brokenStreams = () =>
  each(names, (name) =>
    each(Object.keys(BREAKS), async (broken) => {
      const answer = streamText({
        ...QUIET,
        model: providers[name](GEMINI),
        prompt: BREAKS[broken],
        onError: () => {},
      });
      let heard = "";
      let failed = false;
      for await (const part of answer.stream) {
        if (part.type === "text-delta") heard += part.text;
        failed ||= part.type === "error";
      }
      return [heard, failed];
    }),
  );

await run({
  text,
  stream,
  toolLoop,
  streamedToolLoop,
  parallelCalls,
  thoughts,
  structured,
  imageIn,
  failures,
  brokenStreams,
});
