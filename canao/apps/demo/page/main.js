// Puts the page together from what the server offers.

import { Answering } from "./answering.js";
import { showModels } from "./models.js";
import { ask } from "./server.js";
import { Writing } from "./writing.js";

const $ = id => document.getElementById(id);
const TASKS = { answer: ["answering", Answering], generate: ["writing", Writing] };

async function start() {
  const { limits, models } = await ask("api/model");
  const compare = $("compare"), asked = [];
  for (const [kind, [section, Task]] of Object.entries(TASKS)) {
    const offered = kind in models;
    $(section).hidden = !offered;
    document.querySelector(`nav a[href="#${section}"]`).hidden = !offered;
    if (offered) asked.push(new Task(limits, () => compare.checked));
  }
  compare.addEventListener("change", () => asked.forEach(task => task instanceof Answering && task.soon()));
  showModels($("model-list"), models);
  document.documentElement.dataset.ready = "true";
}

start().catch(error => {
  $("notice").textContent = error.message;
  $("notice").hidden = false;
});
