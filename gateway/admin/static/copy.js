// Put the new key into the clipboard.
"use strict";

const secret = document.getElementById("secret");
const copy = document.getElementById("copy");
const copied = document.getElementById("copied");

secret.addEventListener("focus", () => secret.select());
copy.hidden = !navigator.clipboard; // it is there on https and on this machine only
copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(secret.value);
    copied.textContent = "Copied.";
  } catch {
    secret.focus();
    copied.textContent = "It is selected; copy it by hand.";
  }
});
