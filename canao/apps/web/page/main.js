// Puts the page together when the model is there.

import { Answering } from "./answering.js";
import { open } from "./server.js";

const $ = id => document.getElementById(id);
const LIMITS = { context: 200000, question: 1000 };

async function start() {
  await open(text => {
    $("state").textContent = text;
  });
  new Answering(LIMITS, () => false);
  document.documentElement.dataset.ready = "true";
}

start().catch(error => {
  $("state").textContent = "No model";
  $("notice").textContent = error.message;
  $("notice").hidden = false;
});
