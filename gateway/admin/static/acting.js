// Where the row that one was in is gone, go on at the row that took its place; say it where no answer comes.
"use strict";

const said = document.getElementById("said");
let left = null;

function miss({ requestConfig, xhr }) {
  if (requestConfig.verb === "get" && said.querySelector(".missed")) return; // a page that refreshes itself says it once
  const note = document.createElement("p");
  note.className = "note bad missed";
  note.textContent = `The gateway does not answer${xhr.status ? `: status ${xhr.status}` : ""}. What is shown may be old.`;
  said.replaceChildren(note);
}

document.addEventListener("htmx:sendError", ({ detail }) => miss(detail));

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.serverResponse.includes(`id="${detail.target.id}"`)) {
    detail.shouldSwap = false; // a proxy has answered
    miss(detail);
    return;
  }
  said.querySelector(".missed")?.remove();
  const row = document.activeElement?.closest("tbody tr");
  const table = detail.target.contains(row) ? row.closest("table") : null;
  left = table && { caption: table.caption.textContent, place: row.sectionRowIndex };
});

document.addEventListener("htmx:afterSettle", () => {
  if (!left || document.activeElement !== document.body) return;
  const table = [...document.querySelectorAll("table")].find((one) => one.caption?.textContent === left.caption);
  const rows = table?.tBodies[0].rows ?? [];
  const next = rows[Math.min(left.place, rows.length - 1)] ?? document.getElementById("content");
  left = null;
  next.tabIndex = -1; // not one of its buttons: who presses twice would do it to another
  next.focus({ preventScroll: true }); // a page that refreshes itself is not to jump
});

// A form that leaves the page is sent once: the answer to a second one would hide what the first has made.
document.addEventListener("submit", ({ target, submitter }) => {
  if (submitter && !target.hasAttribute("hx-boost")) submitter.disabled = true;
});

addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[type=submit]:disabled")) button.disabled = false; // one came back
});
