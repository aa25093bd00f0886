// The conformance matrix, as far as it is the callers' own: the file that is named last holds the cells, each with the
// arguments for its SDK, and one line of JSON tells what was heard: {"cell": …, "heard": […]}.

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export const usage = (input, output) => ({ input, output });
export const call = (id, name, args) => ({ id: id ?? "", name, arguments: args });
export const heard = (fields) => ({ text: "", thoughts: "", calls: [], finish: null, usage: {}, error: null, ...fields });
export const failed = (error, status, text = "") => heard({ text, error: { status, message: String(error) } });

/** Run the cells of these callers: each has `answer`, which gives what the model said and what was heard, and
    `giveBack`, which goes on with that and the results of its calls. */
export async function run(callers) {
  const cells = JSON.parse(await readFile(process.argv[4]));
  for (const cell of cells) {
    const act = cell.leaves ? leave : ask;
    let outcome;
    try {
      outcome = await act(callers[cell.caller], cell);
    } catch (error) {
      outcome = [{ broke: `${error?.constructor?.name}: ${error?.stack}` }];
    }
    console.log(JSON.stringify({ cell: cell.id, heard: outcome }));
  }
}

async function ask(caller, cell) {
  const body = structuredClone(cell.body);
  const first = await caller.answer(body, cell, {});
  if (!(first.heard.calls.length && cell.wish.results.length)) return [first.heard];
  const results = first.heard.calls.map((one, place) => ({ ...one, result: cell.wish.results[place] }));
  caller.giveBack(body, first.said, results, cell.wish.shown);
  return [first.heard, (await caller.answer(body, cell, {})).heard];
}

/** Go away: from a stream after its first words, from a whole answer before it begins. */
async function leave(caller, cell) {
  const { admin, begins } = cell;
  const post = (path, body = {}) => fetch(`${admin}${path}`, { method: "POST", body: JSON.stringify(body) });
  await post("/_reset");
  if (cell.stream) await post("/_ack", { count: begins });
  const going = new AbortController();
  const asking = new Promise((spoken) => {
    const answered = caller.answer(cell.body, cell, { signal: going.signal, spoken });
    answered.then(spoken, spoken);
    if (!cell.stream) until(admin, (seen) => seen.open_streams > 0).then(spoken);
  });
  await asking;
  going.abort();
  await until(admin, (seen) => seen.disconnects > 0);
  return [];
}

async function until(admin, reached) {
  while (!reached(await (await fetch(`${admin}/_requests`)).json())) await pause(10);
}
