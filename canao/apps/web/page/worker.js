// Runs the model, away from the page. Functions are those of answering.h and model.h.

const TOP = 5, ANSWER_BYTES = 24, LINE = 64;
const NO_FILE = 8;
// The first that a browser knows all instructions of.
const MODULES = ["model-relaxed.wasm", "model.wasm"];
const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
let c, answerer;

/** What the C library imports: there are no files, and the end of the program is an error. */
function imports(module) {
  const made = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    made[from] ??= {};
    made[from][name] = () => NO_FILE;
  }
  return made;
}

const bytes = (place, count) => new Uint8Array(c.memory.buffer, place, count);
const view = () => new DataView(c.memory.buffer);

function room(count) {
  const place = c.aligned_alloc(LINE, Math.ceil(Math.max(count, 1) / LINE) * LINE);
  if (!place) throw new Error("there is not enough memory");
  return place;
}

/** The text of a status, which ends with a zero. */
function sentence(status) {
  const place = c.canao_model_text(status);
  const whole = new Uint8Array(c.memory.buffer, place);
  return decoder.decode(whole.slice(0, whole.indexOf(0)));
}

async function fetched(name) {
  const response = await fetch(name).catch(() => null);
  if (!response?.ok) throw new Error(`${name} cannot be fetched; connect and load the page again`);
  return response;
}

/** Puts a file into the memory of the model; `told` hears which part is there. */
async function placed(name, told) {
  const whole = new Uint8Array(await (await fetched(name)).arrayBuffer());
  const place = room(whole.length);
  bytes(place, whole.length).set(whole);
  told();
  return [place, whole.length];
}

function opened(call) {
  const status = room(4);
  const made = call(status);
  const why = view().getInt32(status, true);
  c.free(status);
  if (!made) throw new Error(sentence(why));
  return made;
}

async function compiled() {
  let code;
  for (const name of MODULES) {
    code = await (await fetched(name)).arrayBuffer();
    if (WebAssembly.validate(code)) break;
  }
  return WebAssembly.compile(code);
}

async function open() {
  const module = await compiled();
  c = (await WebAssembly.instantiate(module, imports(module))).exports;
  c._initialize();
  let parts = 0;
  const told = () => postMessage({ kind: "progress", part: ++parts / 2 });
  const tokenizer = await placed("tokenizer.bin", told);
  const weights = await placed("weights.bin", told);
  const model = opened(status => c.canao_model_open_memory(...weights, 0, 0, status));
  answerer = opened(status => c.canao_answerer_open_memory(model, ...tokenizer, status));
}

/** The places of characters, in code points, that begin at some bytes. */
function inPoints(text, places) {
  const sorted = [...new Set(places)].sort((a, b) => a - b), found = new Map();
  let points = 0, at = 0;
  for (const place of sorted) {
    for (; at < place; ++at) points += (text[at] & 0xC0) !== 0x80;
    found.set(place, points);
  }
  return place => found.get(place);
}

/** An answer, as the server of the demo gives it. */
function answered(text, spans, milliseconds) {
  const point = inPoints(text, spans.flatMap(span => [span.start, span.end]));
  const [first, ...others] = spans.map(({ start, end, score }) => ({
    answer: decoder.decode(text.subarray(start, end)),
    start: point(start),
    end: point(end),
    score,
  }));
  return { ...first, others, latency_ms: milliseconds };
}

function ask(question, context) {
  const text = encoder.encode(context), asked = encoder.encode(question);
  const places = [room(text.length), room(asked.length), room(TOP * ANSWER_BYTES), room(4)];
  const [textAt, askedAt, answersAt, countAt] = places;
  try {
    bytes(textAt, text.length).set(text);
    bytes(askedAt, asked.length).set(asked);
    const begin = performance.now();
    const status = c.canao_answerer_ask(answerer, textAt, text.length, askedAt, asked.length, answersAt, TOP, countAt);
    const milliseconds = performance.now() - begin;
    if (status) throw new Error(sentence(status));
    const read = view();
    const spans = Array.from({ length: read.getInt32(countAt, true) }, (_, n) => {
      const at = answersAt + n * ANSWER_BYTES;
      return {
        start: Number(read.getBigInt64(at, true)),
        end: Number(read.getBigInt64(at + 8, true)),
        score: read.getFloat32(at + 16, true),
      };
    });
    return answered(text, spans, milliseconds);
  } finally {
    places.forEach(place => c.free(place));
  }
}

const ready = open();
ready.then(() => postMessage({ kind: "ready" }), error => postMessage({ kind: "failed", message: error.message }));

addEventListener("message", async ({ data: { number, question, context } }) => {
  try {
    await ready;
    postMessage({ kind: "answer", number, found: ask(question, context) });
  } catch (error) {
    postMessage({ kind: "answer", number, message: error.message });
  }
});
