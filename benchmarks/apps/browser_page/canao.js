// The module and the weights of an exported page, called as its worker does, past the tokenizer.

"use strict";

importScripts("serve.js");

const LINE = 64, NO_FILE = 8;

serve(async ({ inputs }) => {
  const load = async name => (await fetched(`page/${name}`)).arrayBuffer();
  const relaxed = await load("model-relaxed.wasm");
  const module = await WebAssembly.compile(WebAssembly.validate(relaxed) ? relaxed : await load("model.wasm"));
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = () => NO_FILE;
  }
  const c = (await WebAssembly.instantiate(module, imports)).exports;
  c._initialize();
  const put = array => {
    const place = c.aligned_alloc(LINE, Math.ceil(array.byteLength / LINE) * LINE);
    if (!place) throw new Error("there is not enough memory");
    new Uint8Array(c.memory.buffer, place).set(new Uint8Array(array.buffer));
    return place;
  };
  const weights = new Uint8Array(await load("weights.bin"));
  const model = c.canao_model_open_memory(put(weights), weights.length, 0, 0, 0);
  if (!model) throw new Error("the model cannot be opened");
  const whole = values => put(BigInt64Array.from(values, BigInt));
  const tokens = inputs[0].values.length;
  const outputs = [0, 1].map(() => put(new Float32Array(tokens)));
  const given = put(Uint32Array.from(inputs.map(({ values }) => whole(values))));
  const sizes = whole([tokens]), made = put(Uint32Array.from(outputs));
  return () => {
    const status = c.canao_model_run(model, given, sizes, made);
    if (status) throw new Error(`status ${status}`);
    return outputs.map(at => new Float32Array(c.memory.buffer, at, tokens));
  };
});
