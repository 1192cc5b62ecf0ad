// Question answering: asks while one types, or where answers take long when typing pauses; marks what comes back.

import { Passage } from "./passage.js";
import { ask, busyFor, patiently } from "./server.js";
import { wellFormed } from "./spans.js";
import { buttons, compared, made, milliseconds, showTimings } from "./timings.js";

const $ = id => document.getElementById(id);
// Milliseconds without a key after which typing has paused.
const PAUSE = 150;
// Answers that take no longer keep up with typing.
const QUICK = 75;
const percent = score => score < 0.01 ? "under 1 %" : `${Math.round(100 * score)} %`;

export class Answering {
  constructor(limits, comparing) {
    this.limits = limits;
    this.comparing = comparing;
    this.took = Infinity;
    this.field = $("question");
    this.field.maxLength = limits.question;
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
    // Their places are those of the text before.
    $("others-part").hidden = true;
    this.took = Infinity;
    this.soon();
  }

  /** Asks at once where the answer before was quick, or when nothing is typed for a moment. */
  soon() {
    this.forget();
    // Screen readers say what stands there when typing has paused.
    $("answer").setAttribute("aria-busy", "true");
    this.paused = new Promise(resolve => {
      this.timer = setTimeout(resolve, PAUSE);
    }).then(() => $("answer").setAttribute("aria-busy", "false"));
    if (this.took <= QUICK) this.ask();
    else this.paused.then(() => this.ask());
  }

  /** Asks for somebody who does not type. */
  now() {
    this.forget();
    this.paused = undefined;
    this.ask();
  }

  /** What is under way is not wanted any more. */
  forget() {
    clearTimeout(this.timer);
    $("answer").setAttribute("aria-busy", "false");
    this.control?.abort();
  }

  async ask() {
    const question = wellFormed(this.field.value), context = this.passage.text;
    if (!context.trim() || !question.trim()) return this.clear();
    if ([...context].length > this.limits.context) return this.refuse(`The text is too long: at most ${this.limits.context.toLocaleString("en")} characters`);
    const control = this.control = new AbortController();
    $("answer").classList.add("waiting");
    try {
      const busy = seconds => this.say(busyFor(seconds), "none");
      const ours = await timed({ context, question }, control.signal, busy);
      this.took = ours.whole;
      this.show(ours.found);
      showTimings($("answer-timings"), [row("canao", ours)]);
      if (!this.comparing()) return undefined;
      await this.paused;
      if (!control.signal.aborted) await this.compare({ context, question }, ours, control.signal);
    } catch (error) {
      if (!control.signal.aborted) this.refuse(error.message);
    }
    return undefined;
  }

  /** Asks PyTorch the same, and shows its time below ours; our answer stands whatever comes of it. */
  async compare(body, ours, signal) {
    const rows = [row("canao", ours)];
    const tell = (verdict, ...theirs) => showTimings($("answer-timings"), [...rows, ...theirs], verdict);
    try {
      const busy = seconds => tell(busyFor(seconds));
      const theirs = await timed({ ...body, backend: "pytorch" }, signal, busy);
      const same = theirs.found.start === ours.found.start && theirs.found.end === ours.found.end;
      const verdict = same ? "the answers are the same" : `PyTorch answers: ${theirs.found.answer || "no answer"}`;
      tell(`${compared(ours.found.latency_ms, theirs.found.latency_ms)}; ${verdict}.`, row("pytorch", theirs));
    } catch (error) {
      if (!signal.aborted) tell(`PyTorch fails: ${error.message}`);
    }
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
    this.passage.mark(null);
  }

  /** Says why there is no answer; one that is under way does not take its place. */
  refuse(message) {
    this.forget();
    this.clear();
    this.say(message, "bad");
  }
}

/** What the server finds and how long that took in all, with its waits; throws once aborted. */
async function timed(body, signal, busy) {
  const start = performance.now();
  const found = await patiently(() => ask("api/answer", body, signal), signal, busy);
  // A later question may have been asked while this one's answer came in.
  signal.throwIfAborted();
  return { found, whole: performance.now() - start };
}

function row(backend, { found, whole }) {
  return {
    backend,
    ms: found.latency_ms,
    facts: [[milliseconds(found.latency_ms), "model"], [milliseconds(whole), "whole request"]],
  };
}
