// Send the form without leaving the page, and show each event of both sides when it comes.
"use strict";

const form = document.getElementById("ask");
const state = document.getElementById("state");
const stop = document.getElementById("stop");
const MOST = 2000; // pieces of a side that are shown
const WORDS = ["dialect", "model", "prompt"];
const TYPED = "typed"; // when the session was over, until the next one
let running = null;

function block(text, kind) {
  const shown = document.createElement("pre");
  shown.textContent = text;
  if (kind) shown.className = kind;
  return shown;
}

function leaveOut(side) {
  const told = side.querySelector(".more") ?? side.appendChild(document.createElement("li"));
  told.className = "more quiet";
  const count = (told.dataset.count = Number(told.dataset.count ?? 0) + 1);
  told.textContent = `… ${count.toLocaleString("en")} more ${count === 1 ? "piece" : "pieces"} came, not shown here`;
}

function show(event) {
  const side = document.getElementById(event.side);
  if (event.kind === "piece" && side.childElementCount >= MOST) return leaveOut(side); // the end is always shown
  const follows = side.scrollTop + side.clientHeight >= side.scrollHeight - 8;
  const item = document.createElement("li");
  item.className = event.kind;
  const when = document.createElement("span");
  when.className = "quiet";
  when.textContent = `${event.at_ms} ms, ${event.kind}`;
  item.append(when);
  if (event.head) item.append(block(event.head, "said"));
  if (event.text) item.append(block(event.text));
  side.append(item);
  if (follows) side.scrollTop = side.scrollHeight;
  if (event.side === "caller" && event.kind === "end") state.textContent = `Answered: ${event.head}`;
}

async function read(answer) {
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += decoder.decode(value, { stream: !done });
    const lines = rest.split("\n");
    rest = lines.pop();
    lines.filter(Boolean).forEach((line) => show(JSON.parse(line)));
    if (done) return;
  }
}

async function send(body) {
  const answer = await fetch(form.action, {
    method: "POST",
    body,
    headers: { accept: "application/x-ndjson", "x-requested-with": "fetch" },
    signal: running.signal,
  });
  if (answer.status === 401) {
    sessionStorage.setItem(TYPED, JSON.stringify(WORDS.map((name) => form.elements[name].value)));
    location.reload(); // the session is over: the page leads to the login, and that back
  } else if (answer.ok) {
    await read(answer);
  } else {
    const said = await answer.json();
    state.textContent = said.error?.message ?? `Refused with status ${answer.status}`;
  }
}

form?.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  running?.abort();
  const mine = (running = new AbortController());
  for (const side of ["caller", "upstream"]) document.getElementById(side).replaceChildren();
  state.textContent = "Asking …";
  stop.hidden = false;
  try {
    await send(new URLSearchParams(new FormData(form)));
  } catch (error) {
    if (running === mine) state.textContent = error.name === "AbortError" ? "Stopped." : `No answer: ${error.message}`;
  } finally {
    if (running === mine) {
      stop.hidden = true;
      running = null;
    }
  }
});

stop?.addEventListener("click", () => {
  running?.abort();
  form.querySelector("[type=submit]").focus();
});

document.getElementById("prompt")?.addEventListener("keydown", (pressed) => {
  if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) form.requestSubmit();
});

if (form) {
  const typed = JSON.parse(sessionStorage.getItem(TYPED) ?? "[]");
  typed.forEach((value, place) => (form.elements[WORDS[place]].value = value));
  sessionStorage.removeItem(TYPED);
}
