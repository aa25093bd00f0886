// The cells of Messages, by the npm package @anthropic-ai/sdk.

import Anthropic from "@anthropic-ai/sdk";

import { call, failed, heard, run, usage } from "./cells.mjs";
import { KEY, PIXEL, URL } from "./scenarios.mjs";

const client = new Anthropic({ baseURL: URL, apiKey: KEY, maxRetries: 0 });
const SHOWN = [{ type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } }];

const words = (message, kind, field = kind) =>
  message.content
    .filter((block) => block.type === kind)
    .map((block) => block[field])
    .join("");

const sent = (message) =>
  heard({
    text: words(message, "text"),
    thoughts: words(message, "thinking"),
    calls: message.content
      .filter((block) => block.type === "tool_use")
      .map((block) => call(block.id, block.name, block.input)),
    finish: message.stop_reason,
    usage: usage(message.usage.input_tokens, message.usage.output_tokens),
  });

const messages = {
  async answer(body, { stream }, { signal, spoken }) {
    let text = "";
    try {
      if (!stream) {
        const message = await client.messages.create(body, { signal });
        return { said: message.content, heard: sent(message) };
      }
      const told = client.messages.stream(body, { signal });
      told.on("text", (word) => {
        text += word;
        spoken?.();
      });
      const message = await told.finalMessage();
      return { said: message.content, heard: sent(message) };
    } catch (error) {
      return { heard: failed(error, error.status ?? null, text) };
    }
  },
  giveBack(body, said, results, shown) {
    const content = results.map(({ id, result }) => ({
      type: "tool_result",
      tool_use_id: id,
      content: shown ? SHOWN : result,
    }));
    body.messages.push({ role: "assistant", content: said }, { role: "user", content });
  },
};

await run({ anthropic: messages });
