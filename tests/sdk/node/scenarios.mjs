// What the programs of the three SDKs share. A scenario is a function; its outcome is one line of JSON on standard
// output: {"scenario": …, "outcome": …}. What it throws becomes a text, which the test of this scenario shows.

export const [URL, KEY] = process.argv.slice(2);

export const GEMINI = "gemini-3-flash"; // of Code Assist, as is Claude
export const CLAUDE = "claude-sonnet-4-6";
export const PUBLIC = "public/gemini-3-flash-preview"; // of the public Gemini API
export const MODELS = [GEMINI, CLAUDE, PUBLIC];

export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const LONG = "a long answer that comes in more than one piece";
export const TWO_CALLS =
  '!tool weather {"city": "Rome"}\n!tool weather {"city": "Oslo"}\n!then\n!say it is sunny in both';
export const oneCall = (mark) => `!think ${mark}\n!tool weather {"city": "Rome"}\n!then\n!say it is sunny`;
export const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const CAPITAL = {
  type: "object",
  properties: { city: { type: "string" }, people: { type: "integer" } },
  required: ["city", "people"],
  additionalProperties: false,
};

// Streams that break: by an error within, without an end, and with the connection.
export const BREAKS = {
  error: "!fixture 24_error_midstream",
  cut: "!fixture 26_cut_no_finish",
  drop: "!say 12345678 more of it\n!drop 1",
};

export const sunny = ({ city }) => `sunny in ${city}`;

/** Give the outcome for each model. */
export async function each(models, act) {
  const found = {};
  for (const model of models) found[model] = await act(model);
  return found;
}

/** Give the error that an act ends in, in words of its SDK. */
export async function raised(act, show) {
  try {
    await act();
  } catch (error) {
    return show(error);
  }
  return null;
}

/** Count the requests that a client makes. */
export function counting() {
  const fetching = (...asked) => {
    fetching.count += 1;
    return fetch(...asked);
  };
  fetching.count = 0;
  return fetching;
}

/** Run the scenarios one after the other. */
export async function run(scenarios) {
  for (const [scenario, act] of Object.entries(scenarios)) {
    let outcome;
    try {
      outcome = await act();
    } catch (error) {
      outcome = `${error?.constructor?.name}: ${error?.message}`;
    }
    console.log(JSON.stringify({ scenario, outcome: outcome ?? null }));
  }
}
