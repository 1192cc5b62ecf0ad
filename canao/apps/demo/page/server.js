// What the page asks of its server.

/** An answer of the server that is none: `retryAfter` is in seconds, or undefined. */
export class Refusal extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

async function refusal(response) {
  let detail = `the server answered ${response.status}`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    // Not JSON: the status has to do.
  }
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Refusal(detail, response.status, Number.isNaN(wait) ? undefined : wait);
}

async function asked(path, body, signal) {
  let response;
  try {
    response = await fetch(path, body === undefined ? { signal } : {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("the server cannot be reached; see whether canao demo still runs", 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** JSON from a path; with a body it is posted. */
export async function ask(path, body, signal) {
  return (await asked(path, body, signal)).json();
}

/** Pauses, or throws when the signal aborts. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

/** What a page says while the server is busy. */
export function busyFor(seconds) {
  return `The server is busy; asking again in ${seconds} s`;
}

/** Runs `call` again, when the server says, for as long as it is busy; `told` hears of each wait. */
export async function patiently(call, signal, told) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      // A refusal that comes in late is no news for whoever has gone on.
      signal.throwIfAborted();
      if (error.status !== 503 || error.retryAfter === undefined) throw error;
      told(error.retryAfter);
      await pause(error.retryAfter, signal);
    }
  }
}

/** Events of a posted request as they come: {name, data}. They may end early with the server. */
export async function* events(path, body, signal) {
  const response = await asked(path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => {
      signal.throwIfAborted();
      return { done: true };
    });
    if (done) return;
    const parts = (waiting + value).split("\n\n");
    waiting = parts.pop();
    for (const part of parts) {
      const event = parsed(part);
      if (event !== null) yield event;
    }
  }
}

function parsed(text) {
  let name = "message";
  const data = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}
