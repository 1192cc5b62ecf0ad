// A worker for each way to run the model; one at a time is asked for something.

"use strict";

const workers = new Map();

function asked(worker, request) {
  return new Promise((resolve, reject) => {
    worker.onerror = ({ message }) => reject(new Error(message || "its worker does not start"));
    worker.onmessage = ({ data }) => ("failed" in data ? reject(new Error(data.failed)) : resolve(data));
    worker.postMessage(request);
  });
}

/** Opens the model one way; the outputs of its first run, {start, end}. */
window.openModel = ({ script, settings }) => {
  const worker = new Worker(script);
  workers.set(script, worker);
  return asked(worker, { settings });
};

/** A rest, a run that does not count, and milliseconds of each of the runs that do. */
window.takeTurn = async ({ script, rest, count }) => {
  await new Promise(done => setTimeout(done, rest));
  return asked(workers.get(script), { count });
};

window.closeModel = ({ script }) => {
  workers.get(script).terminate();
  workers.delete(script);
};
