// Text generation: pieces of text appear as they come, until the model ends or the reader stops it.

import { STARTS } from "./examples.js";
import { busyFor, events, patiently } from "./server.js";
import { wellFormed } from "./spans.js";
import { buttons, compared, milliseconds, showTimings } from "./timings.js";

const ENDINGS = { end: "the model ended", length: "as many as wanted", stop: "stopped", closed: "stopped" };
/** Where texts are shown: canao's, and PyTorch's. */
const PLACES = ["written", "other"];
const $ = id => document.getElementById(id);

export class Writing {
  constructor(limits, comparing) {
    this.comparing = comparing;
    this.prompt = $("prompt");
    this.prompt.value = STARTS[0];
    this.prompt.maxLength = limits.prompt;
    $("tokens").max = String(Math.min(256, limits.new_tokens));
    buttons($("starts"), STARTS.map(start => [[start], () => {
      this.prompt.value = start;
      this.write();
    }]));
    for (const name of ["temperature", "tokens"]) {
      const shown = () => { $(`${name}-shown`).value = $(name).value; };
      $(name).addEventListener("input", shown);
      shown();
    }
    $("write").addEventListener("submit", event => {
      event.preventDefault();
      this.write();
    });
    this.prompt.addEventListener("keydown", event => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.write();
    });
    $("stop").addEventListener("click", () => this.stop());
    $("writing").addEventListener("keydown", event => {
      if (event.key === "Escape") this.stop();
    });
  }

  async write() {
    const prompt = wellFormed(this.prompt.value);
    if (!prompt.trim()) return this.say("Write the start of a text first.", "bad");
    this.control?.abort();
    const control = this.control = new AbortController();
    const body = {
      prompt,
      max_new_tokens: Number($("tokens").value),
      temperature: Number($("temperature").value),
      seed: crypto.getRandomValues(new Uint32Array(1))[0],
    };
    this.begin(prompt);
    try {
      const ours = await this.run(body, "written", control.signal);
      if (ours.tokens) showTimings($("write-timings"), [row("canao", ours)]);
      if (this.comparing()) await this.compare(body, ours, control.signal);
      this.say(`Done: ${ours.tokens} tokens, ${ENDINGS[ours.ended]}`);
    } catch (error) {
      if (this.control !== control) return undefined;
      if (control.signal.aborted) this.say("Stopped");
      else this.say(error.message, "bad");
    }
    this.end();
    return undefined;
  }

  /** Lets PyTorch write the same below ours. */
  async compare(body, ours, signal) {
    $("other-part").hidden = false;
    this.say("PyTorch writes ...");
    const theirs = await this.run({ ...body, backend: "pytorch" }, "other", signal);
    if (!ours.tokens || !theirs.tokens) return;
    showTimings($("write-timings"), [row("canao", ours), row("pytorch", theirs)], verdict(ours, theirs));
  }

  /** Shows the pieces of one request in a place, and gives its timings. */
  async run(body, place, signal) {
    const region = $(place), written = $(`${place}-text`);
    region.setAttribute("aria-busy", "true");
    const stream = await patiently(async () => {
      const coming = events("api/generate", body, signal);
      return { coming, first: await coming.next() };
    }, signal, seconds => this.say(busyFor(seconds)));
    for (let next = stream.first; !next.done; next = await stream.coming.next()) {
      const { name, data } = next.value;
      signal.throwIfAborted();
      if (name === "error") throw new Error(data.detail);
      if (name === "done") {
        region.setAttribute("aria-busy", "false");
        return data;
      }
      written.append(data.text);
      region.scrollTop = region.scrollHeight;
    }
    throw new Error("the server ended before the text did; see whether canao demo still runs");
  }

  stop() {
    this.control?.abort();
  }

  begin(prompt) {
    for (const place of PLACES) {
      $(`${place}-prompt`).textContent = prompt;
      $(`${place}-text`).replaceChildren();
      $(place).setAttribute("aria-busy", "false");
    }
    $("other-part").hidden = true;
    $("write-timings").replaceChildren();
    $("stop").disabled = false;
    this.say("Writing ...");
  }

  /** After the last text that was asked for: an earlier one leaves the page as it is. */
  end() {
    for (const place of PLACES) $(place).setAttribute("aria-busy", "false");
    // A disabled button loses the focus, which the reader needs to go on from here.
    if (document.activeElement === $("stop")) $("start").focus();
    $("stop").disabled = true;
  }

  say(text, kind = "") {
    $("write-status").className = `status ${kind}`;
    $("write-status").textContent = text;
  }
}

/** The time of a token: of those after the first, or the first where there is no other. */
function perToken(done) {
  return done.token_ms ?? done.first_token_ms;
}

function verdict(ours, theirs) {
  const same = $("written-text").textContent === $("other-text").textContent;
  return `${compared(perToken(ours), perToken(theirs))} a token; the texts ${same ? "are the same" : "differ"}.`;
}

function row(backend, done) {
  return {
    backend,
    ms: perToken(done),
    facts: [
      [milliseconds(perToken(done)), "a token"],
      [done.words_per_second.toFixed(1), "words a second"],
      [milliseconds(done.first_token_ms), "to the first"],
    ],
  };
}
