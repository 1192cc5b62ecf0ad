// Rows that show times as bars, longest first in length, all in one scale.

const NAMES = { canao: "canao", pytorch: "PyTorch" };

/** A number with as many digits as matter. */
export function milliseconds(value) {
  return `${value < 1 ? value.toFixed(3) : value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** An element with a class and children. */
export function made(tag, kind, ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

/** Several buttons of one group, each with what it does. */
export function buttons(parent, rows) {
  parent.replaceChildren(...rows.map(([content, act]) => {
    const button = made("button", "", ...content);
    button.type = "button";
    button.addEventListener("click", () => act(button));
    return button;
  }));
}

/** Shows a row for each backend: {backend, ms, facts}, facts as pairs of a value and its words. */
export function showTimings(element, rows, verdict = "") {
  const longest = Math.max(...rows.map(row => row.ms));
  element.replaceChildren(...rows.map(row => {
    const bar = made("div", "bar");
    bar.style.setProperty("--part", `${(100 * row.ms / longest).toFixed(1)}%`);
    const facts = made("p", "");
    row.facts.forEach(([value, words], n) => {
      facts.append(n ? " \u00b7 " : "", made("b", "", value), ` ${words}`);
    });
    return made("div", `timing ${row.backend}`, made("strong", "", NAMES[row.backend]), bar, facts);
  }));
  if (verdict) element.append(made("p", "verdict", verdict));
}

/** How two times compare, in words. */
export function compared(ours, theirs) {
  const ratio = theirs / ours;
  return ratio >= 1 ? `canao is ${ratio.toFixed(1)} times as fast` : `PyTorch is ${(1 / ratio).toFixed(1)} times as fast`;
}
