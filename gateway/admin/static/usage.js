// Whoever chooses a period means it, also where days were given before: those go before it.
"use strict";

document.getElementById("since").addEventListener("change", () => {
  for (const name of ["begin", "end"]) document.getElementById(name).value = "";
});
