// The cells of Chat Completions and of Responses, by the npm package openai.

import OpenAI from "openai";

import { call, failed, heard, run, usage } from "./cells.mjs";
import { KEY, PIXEL, URL } from "./scenarios.mjs";

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, maxRetries: 0 });
const SHOWN = `data:image/png;base64,${PIXEL}`;

const completed = ({ message, finish_reason: finish }, counts, thoughts = message.reasoning_content ?? "") =>
  heard({
    text: message.content ?? message.refusal ?? "",
    thoughts,
    calls: (message.tool_calls ?? []).map((one) => call(one.id, one.function.name, JSON.parse(one.function.arguments))),
    finish,
    usage: usage(counts.prompt_tokens, counts.completion_tokens),
  });

/** Leave out what the SDK has put into the message of a stream, and the API does not take back. */
function unparsed({ parsed: _, ...message }) {
  return message;
}

const chat = {
  async answer(body, { stream }, { signal, spoken }) {
    let text = "";
    let thoughts = "";
    try {
      if (!stream) {
        const whole = await client.chat.completions.create(body, { signal });
        return { said: whole.choices[0].message, heard: completed(whole.choices[0], whole.usage) };
      }
      const told = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } }, { signal });
      for await (const chunk of told) {
        text += chunk.choices[0]?.delta.content ?? "";
        thoughts += chunk.choices[0]?.delta.reasoning_content ?? "";
        if (text) spoken?.();
      }
      const whole = await told.finalChatCompletion();
      return { said: unparsed(whole.choices[0].message), heard: completed(whole.choices[0], whole.usage, thoughts) };
    } catch (error) {
      return { heard: failed(error, error.status ?? null, text) };
    }
  },
  giveBack(body, said, results, shown) {
    const content = (result) => (shown ? [{ type: "image_url", image_url: { url: SHOWN } }] : result);
    body.messages.push(said);
    body.messages.push(...results.map(({ id, result }) => ({ role: "tool", tool_call_id: id, content: content(result) })));
  },
};

const responded = (response) =>
  heard({
    text: response.output_text,
    thoughts: response.output
      .filter((item) => item.type === "reasoning")
      .flatMap((item) => item.summary.map((part) => part.text))
      .join(""),
    calls: response.output
      .filter((item) => item.type === "function_call")
      .map((item) => call(item.call_id, item.name, JSON.parse(item.arguments))),
    finish: response.incomplete_details?.reason ?? response.status,
    usage: usage(response.usage.input_tokens, response.usage.output_tokens),
  });

const responses = {
  async answer({ extra_body: more, ...body }, { stream }, { signal, spoken }) {
    let text = "";
    let response;
    try {
      if (!stream) response = await client.responses.create({ ...body, ...more }, { signal });
      else {
        for await (const event of client.responses.stream({ ...body, ...more }, { signal })) {
          if (event.type === "response.output_text.delta") text += event.delta;
          if (text) spoken?.();
          response = event.response ?? response;
        }
        const words = response.output
          .filter((item) => item.type === "message")
          .flatMap((item) => item.content.map((part) => part.text ?? ""));
        response = { ...response, output_text: words.join("") }; // an event has none
      }
    } catch (error) {
      return { heard: failed(error, error.status ?? null, text) };
    }
    if (response.error) return { heard: failed(response.error.message, null, text) };
    return { said: response.output, heard: responded(response) };
  },
  giveBack(body, said, results, shown) {
    const output = (result) => (shown ? [{ type: "input_image", image_url: SHOWN, detail: "auto" }] : result);
    body.input.push(...said);
    body.input.push(
      ...results.map(({ id, result }) => ({ type: "function_call_output", call_id: id, output: output(result) })),
    );
  },
};

await run({ "openai chat": chat, "openai responses": responses });
