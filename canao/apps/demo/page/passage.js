// The text that is asked about: read, edited, pasted, opened from a file or dropped.

import { TEXTS } from "./examples.js";
import { readText } from "./files.js";
import { scrollTo, showMarked, wellFormed } from "./spans.js";
import { buttons } from "./timings.js";

const $ = id => document.getElementById(id);

export class Passage {
  /** `changed(questions)` is called when there is another text, `failed(message)` for a bad file. */
  constructor(limit, changed, failed) {
    this.limit = limit;
    this.changed = changed;
    this.failed = failed;
    this.view = $("passage");
    this.field = $("context");
    this.choices = [...TEXTS.map(each => [[each.title], () => this.choose(each)]), [["Your own"], () => this.own()]];
    buttons($("texts"), this.choices);
    $("edit").addEventListener("click", () => this.edit(!this.view.hidden));
    this.field.addEventListener("input", () => this.take(this.field.value, []));
    $("open").addEventListener("change", event => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.read(file);
    });
    this.acceptDrops($("answering"));
    this.choose(TEXTS[0]);
  }

  choose(example) {
    this.edit(false);
    this.take(example.text, example.questions);
    this.press(TEXTS.indexOf(example));
  }

  own() {
    this.take("", []);
    this.edit(true);
    this.field.focus();
  }

  /** Takes a text; it is shown unmarked. A file that is still being read is not wanted any more. */
  take(text, questions) {
    this.reading = null;
    this.text = wellFormed(text);
    if (this.field.value !== this.text) this.field.value = this.text;
    this.mark(null);
    this.view.scrollTop = 0;
    this.press(TEXTS.length);
    this.changed(questions);
  }

  press(number) {
    [...$("texts").children].forEach((button, n) => button.setAttribute("aria-pressed", String(n === number)));
  }

  edit(on) {
    this.view.hidden = on;
    $("editing").hidden = !on;
    $("edit").setAttribute("aria-pressed", String(on));
    if (!on && this.marked) scrollTo(this.view, this.marked);
  }

  mark(span, kind) {
    this.marked = showMarked(this.view, this.text, span, kind);
    if (this.marked) scrollTo(this.view, this.marked);
  }

  async read(file) {
    this.reading = file;
    try {
      const text = await readText(file, this.limit);
      if (this.reading !== file) return;
      this.edit(false);
      this.take(text, []);
    } catch (error) {
      if (this.reading === file) this.failed(error.message);
    }
  }

  acceptDrops(card) {
    const holdsFile = event => [...event.dataTransfer.types].includes("Files");
    addEventListener("dragover", event => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      card.classList.toggle("dropping", card.contains(event.target));
    });
    addEventListener("dragleave", event => {
      if (event.relatedTarget === null) card.classList.remove("dropping");
    });
    addEventListener("drop", event => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      card.classList.remove("dropping");
      const [file] = event.dataTransfer.files;
      if (file && card.contains(event.target)) this.read(file);
    });
  }
}
