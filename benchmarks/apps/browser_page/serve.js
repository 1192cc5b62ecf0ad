// A worker's side of a turn: opens the model once, then times runs of it.

"use strict";

async function timed(run, count) {
  const milliseconds = [];
  await run();
  for (let n = 0; n < count; ++n) {
    const begin = performance.now();
    await run();
    milliseconds.push(performance.now() - begin);
  }
  return { milliseconds };
}

async function fetched(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: status ${response.status}`);
  return response;
}

/** Answers the page; `open` takes the settings and gives a function that returns both logits. */
function serve(open) {
  let run;
  const answered = async ({ settings, count }) => {
    if (settings === undefined) return timed(run, count);
    run = await open(settings);
    const [start, end] = await run();
    return { start: [...start], end: [...end] };
  };
  addEventListener("message", async ({ data }) => {
    try {
      postMessage(await answered(data));
    } catch (error) {
      postMessage({ failed: String(error?.message ?? error) });
    }
  });
}
