// The compiled models: what fusion made of them, and the time of each kernel.

import { ask } from "./server.js";
import { made, milliseconds } from "./timings.js";

const TITLES = { answer: "Question answering", generate: "Text generation" };

/** A part for each model, with a button that has its kernels measured. */
export function showModels(list, models) {
  list.replaceChildren(...Object.entries(models).map(([kind, model]) => part(kind, model)));
}

function part(kind, model) {
  const times = made("div", "");
  const status = made("p", "status");
  status.setAttribute("role", "status");
  const button = made("button", "", `Time the kernels of ${model.name}`);
  button.type = "button";
  button.addEventListener("click", async () => {
    // One that is disabled would lose the focus.
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    status.className = "status";
    status.textContent = "Measuring ...";
    try {
      const found = await ask(`api/model/${kind}/kernels`);
      times.replaceChildren(table(model, found));
      status.textContent = `${found.kernels.length} kernels, ${milliseconds(found.kernels_ms)} in all`;
      if (document.activeElement === button) times.firstElementChild.focus();
      button.hidden = true;
    } catch (error) {
      status.className = "status bad";
      status.textContent = error.message;
      button.setAttribute("aria-disabled", "false");
    }
  });
  const threads = `${model.threads} ${model.threads === 1 ? "thread" : "threads"}`;
  return made(
    "div",
    "model",
    made("h3", "", `${TITLES[kind]}: ${model.name}`),
    made("p", "about", `${model.target}, ${threads}, ${model.compiler}`),
    fusion(model),
    laws(model.laws),
    button,
    status,
    times,
  );
}

function fusion(model) {
  const rows = made("dl", "fusion");
  for (const what of ["layers", "computations"]) {
    const before = model[`${what}_before`], after = model[`${what}_after`];
    for (const [when, count] of [["before", before], ["fused", after]]) {
      const bar = made("div", "bar");
      bar.style.setProperty("--part", `${(100 * count / Math.max(before, after, 1)).toFixed(1)}%`);
      rows.append(made("div", "", made("dt", "", `${what}, ${when}`), made("dd", "", bar), made("dd", "", String(count))));
    }
  }
  return rows;
}

function laws(counts) {
  const names = Object.entries(counts).map(([law, count]) => `${law} ${count}`);
  return made("p", "about", names.length ? `Laws used: ${names.join(", ")}` : "No law lowers the cost of this model.");
}

function table(model, found) {
  const rows = found.kernels.map(kernel => {
    const bar = made("span", "share");
    bar.style.setProperty("--part", `${(100 * kernel.share).toFixed(1)}%`);
    const name = made("th", "", kernel.name, made("small", "", kernel.operators));
    name.scope = "row";
    return made("tr", "", name, number(String(kernel.calls)), number(kernel.ms.toFixed(3)), number(bar, `${(100 * kernel.share).toFixed(1)} %`));
  });
  const heads = [["kernel, operators", ""], ["calls", "n"], ["ms", "n"], ["share", "n"]].map(([text, kind]) => {
    const head = made("th", kind, text);
    head.scope = "col";
    return head;
  });
  const sizes = Object.entries(found.sizes).map(([name, value]) => `, ${name} ${value}`).join("");
  const whole = made("table", "", made("caption", "", `Times inside the running model${sizes}; median of ${found.runs} runs`), made("thead", "", made("tr", "", ...heads)), made("tbody", "", ...rows));
  const wide = made("div", "wide", whole);
  wide.tabIndex = 0;
  wide.setAttribute("role", "region");
  wide.setAttribute("aria-label", `Kernels of ${model.name}`);
  return wide;
}

function number(...content) {
  return made("td", "n", ...content);
}
