// The cells of Gemini, by the npm package @google/genai.

import { GoogleGenAI } from "@google/genai";

import { call, failed, heard, run, usage } from "./cells.mjs";
import { KEY, PIXEL, URL } from "./scenarios.mjs";

const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: URL } });
const SHOWN = [{ inlineData: { mimeType: "image/png", data: PIXEL } }];

const partsOf = (chunks) =>
  chunks.flatMap((chunk) => (chunk.candidates ?? []).flatMap((one) => one.content?.parts ?? []));
const words = (parts, thought = false) =>
  parts
    .filter((part) => Boolean(part.thought) === thought)
    .map((part) => part.text ?? "")
    .join("");

function generated(chunks) {
  const parts = partsOf(chunks);
  const counts = chunks.findLast((chunk) => chunk.usageMetadata).usageMetadata;
  return heard({
    text: words(parts),
    thoughts: words(parts, true),
    calls: parts.flatMap(({ functionCall: one }) => (one ? [call(one.id, one.name, one.args ?? {})] : [])),
    finish: chunks
      .flatMap((chunk) => (chunk.candidates ?? []).map((one) => one.finishReason))
      .filter(Boolean)
      .join(),
    usage: usage(counts.promptTokenCount, counts.candidatesTokenCount),
  });
}

const gemini = {
  async answer(body, { stream }, { signal, spoken }) {
    const asked = { ...body, config: { ...body.config, abortSignal: signal } };
    const chunks = [];
    try {
      if (!stream) chunks.push(await client.models.generateContent(asked));
      else {
        for await (const chunk of await client.models.generateContentStream(asked)) {
          chunks.push(chunk);
          if (words(partsOf(chunks))) spoken?.();
        }
      }
      return { said: partsOf(chunks), heard: generated(chunks) };
    } catch (error) {
      return { heard: failed(error, error.status ?? null, words(partsOf(chunks))) };
    }
  },
  giveBack(body, said, results, shown) {
    const parts = results.map(({ id, name, result }) => ({
      functionResponse: {
        ...(id ? { id } : {}),
        name,
        response: { output: result },
        ...(shown ? { parts: SHOWN } : {}),
      },
    }));
    body.contents.push({ role: "model", parts: said }, { role: "user", parts });
  },
};

await run({ genai: gemini });
