// Question answering: asks when typing pauses, marks what comes back.

import { Passage } from "./passage.js";
import { ask, patiently } from "./server.js";
import { wellFormed } from "./spans.js";
import { buttons, compared, made, milliseconds, showTimings } from "./timings.js";

const $ = id => document.getElementById(id);
const PAUSE = 150;
const percent = score => score < 0.01 ? "under 1 %" : `${Math.round(100 * score)} %`;

export class Answering {
  constructor(limits, comparing) {
    this.limits = limits;
    this.comparing = comparing;
    this.field = $("question");
    this.passage = new Passage(limits.context, questions => this.offer(questions), message => this.refuse(message));
    this.field.addEventListener("input", () => this.soon());
    $("ask").addEventListener("submit", event => {
      event.preventDefault();
      this.now();
    });
  }

  /** Offers questions about a new text, and asks the one that stands there. */
  offer(questions) {
    buttons($("questions"), questions.map(question => [[question], () => {
      this.field.value = question;
      this.now();
    }]));
    if (questions.length) this.field.value = "";
    this.soon();
  }

  /** Asks when nothing is typed for a moment. What is under way is not wanted any more. */
  soon() {
    this.forget();
    this.timer = setTimeout(() => this.now(), PAUSE);
  }

  forget() {
    clearTimeout(this.timer);
    this.control?.abort();
  }

  async now() {
    this.forget();
    const question = wellFormed(this.field.value), context = this.passage.text;
    if (!context?.trim() || !question.trim()) return this.clear();
    if ([...context].length > this.limits.context) return this.refuse(`The text is too long: at most ${this.limits.context.toLocaleString("en")} characters`);
    const control = this.control = new AbortController();
    $("answer").classList.add("waiting");
    try {
      const ours = await this.timed({ context, question }, control.signal);
      // A later question may have been asked while this one's answer came in.
      if (control.signal.aborted) return undefined;
      this.show(ours.found);
      const rows = [row("canao", ours)];
      showTimings($("answer-timings"), rows);
      if (!this.comparing()) return undefined;
      const theirs = await this.timed({ context, question, backend: "pytorch" }, control.signal);
      if (control.signal.aborted) return undefined;
      const same = theirs.found.start === ours.found.start && theirs.found.end === ours.found.end;
      const verdict = `${compared(ours.found.latency_ms, theirs.found.latency_ms)}; ${same ? "the answers are the same" : `PyTorch answers: ${theirs.found.answer || "no answer"}`}.`;
      showTimings($("answer-timings"), [...rows, row("pytorch", theirs)], verdict);
    } catch (error) {
      if (!control.signal.aborted) this.refuse(error.message);
    }
    return undefined;
  }

  async timed(body, signal) {
    const start = performance.now();
    const found = await patiently(() => ask("api/answer", body, signal), signal, seconds => {
      this.say(`The server is busy; asking again in ${seconds} s`, "none");
    });
    return { found, whole: performance.now() - start };
  }

  show(found) {
    $("answer").classList.remove("waiting");
    const answered = found.answer !== "";
    this.say(answered ? found.answer : "The text has no answer to this.", answered ? "" : "none");
    $("confidence").hidden = false;
    $("confidence-bar").value = found.score;
    $("confidence-text").textContent = `${percent(found.score)} sure`;
    this.passage.mark(answered ? found : null);
    const spans = answered ? [found, ...found.others] : found.others;
    $("others-part").hidden = found.others.length === 0;
    buttons($("others"), spans.map((span, n) => [
      [span.answer, made("span", "", percent(span.score))],
      button => this.select(button, span, answered && n === 0 ? "" : "other"),
    ]));
    [...$("others").children].forEach((button, n) => button.setAttribute("aria-pressed", String(answered && n === 0)));
  }

  select(chosen, span, kind) {
    for (const button of $("others").children) button.setAttribute("aria-pressed", String(button === chosen));
    this.passage.edit(false);
    this.passage.mark(span, kind);
  }

  say(text, kind) {
    const place = $("answer-text");
    place.className = `answer ${kind}`;
    if (place.textContent !== text) place.textContent = text;
  }

  clear() {
    $("answer").classList.remove("waiting");
    this.say("Ask a question to see its answer.", "none");
    $("confidence").hidden = true;
    $("others-part").hidden = true;
    $("answer-timings").replaceChildren();
    this.passage?.mark(null);
  }

  refuse(message) {
    this.clear();
    this.say(message, "bad");
  }
}

function row(backend, { found, whole }) {
  return {
    backend,
    ms: found.latency_ms,
    facts: [[milliseconds(found.latency_ms), "model"], [milliseconds(whole), "whole request"]],
  };
}
