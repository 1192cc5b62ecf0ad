// ONNX Runtime Web by its wasm backend, on one thread.

"use strict";

importScripts("serve.js", "onnxruntime-web/ort.wasm.min.js");

serve(async ({ inputs }) => {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = new URL("onnxruntime-web/", location.href).href;
  const model = new Uint8Array(await (await fetched("model.onnx")).arrayBuffer());
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const feeds = Object.fromEntries(inputs.map(({ name, values }) => [
    name,
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]),
  ]));
  return async () => {
    const { start, end } = await session.run(feeds);
    return [start.data, end.data];
  };
});
