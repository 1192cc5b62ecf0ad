// What stands in for a server: a worker with the model, and files that are kept for later visits.

const ALLOWED = ["worker.js", "service-worker.js"];
const FAILED = "The model cannot be loaded";

const policy = globalThis.trustedTypes?.createPolicy("canao", {
  createScriptURL: name => {
    if (!ALLOWED.includes(name)) throw new TypeError(`${name} is no script of this page`);
    return name;
  },
});
const script = name => policy?.createScriptURL(name) ?? name;

let worker, next = 0, last = Promise.resolve();
const waiting = new Map();

/** Keeps all files, or goes on without where the browser keeps none. */
async function keep() {
  if (!navigator.serviceWorker) return;
  const kept = await navigator.serviceWorker.register(script("service-worker.js"));
  const coming = kept.active ? null : kept.installing ?? kept.waiting;
  if (coming === null) return;
  await new Promise(resolve => {
    const look = () => ["activated", "redundant"].includes(coming.state) && resolve();
    coming.addEventListener("statechange", look);
    look();
  });
}

/** Opens the model; `told` hears how far it is. */
export async function open(told) {
  told("Keeping files for later");
  await keep().catch(() => undefined);
  worker = new Worker(script("worker.js"), { type: "module" });
  await new Promise((resolve, reject) => {
    worker.addEventListener("error", () => reject(new Error(`${FAILED}: its worker does not start`)));
    worker.addEventListener("message", ({ data }) => {
      if (data.kind === "progress") told(`Loading the model: ${Math.floor(100 * data.part)} %`);
      if (data.kind === "failed") reject(new Error(`${FAILED}: ${data.message}`));
      if (data.kind === "ready") resolve();
      if (data.kind === "answer") settle(data);
    });
  });
  told("Runs in this browser");
}

function settle({ number, found, message }) {
  const { resolve, reject } = waiting.get(number);
  waiting.delete(number);
  if (message === undefined) resolve(found);
  else reject(new Error(message));
}

function posted({ question, context }) {
  const number = next++;
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    worker.postMessage({ number, question, context });
  });
}

/**
 * The answer to a question about a text: {question, context}. Only the path of answers is known.
 * It is asked when those before are answered, if it is still wanted then.
 */
export function ask(path, body, signal) {
  if (path !== "api/answer") return Promise.reject(new Error(`there is no ${path} in this page`));
  const answer = last.then(() => {
    signal.throwIfAborted();
    return posted(body);
  });
  last = answer.catch(() => undefined);
  return answer;
}

/** A worker is never too busy: what waits for it is asked in order. */
export function patiently(call) {
  return call();
}

export function busyFor() {
  return "The model is busy";
}
