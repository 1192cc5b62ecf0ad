// BERT's encoder and its two logits in operations of TensorFlow.js, by its wasm backend with SIMD.

"use strict";

importScripts("serve.js", "tfjs/tf.min.js", "tfjs-backend-wasm/tf-backend-wasm.min.js");

async function useBackend() {
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  tf.wasm.setWasmPaths(new URL("tfjs-backend-wasm/", location.href).href);
  if (!(await tf.setBackend("wasm"))) throw new Error("the wasm backend does not start");
  if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))) throw new Error("there is no SIMD");
}

/** The weights by name; those of products lie as [inputs, outputs]. */
async function readTensors(layout) {
  const whole = await (await fetched("weights.bin")).arrayBuffer();
  return Object.fromEntries(layout.map(({ name, shape, offset, count }) => [
    name,
    tf.tensor(new Float32Array(whole, offset, count), shape),
  ]));
}

/** A function from token numbers and kinds to both logits, of [tokens] float32 each. */
function encoder(w, { layers, heads, epsilon }) {
  const product = (x, name) =>
    tf.fused.matMul({ a: x, b: w[`${name}.weight`], bias: w[`${name}.bias`] });
  const norm = (x, name) => {
    const { mean, variance } = tf.moments(x, -1, true);
    const scaled = x.sub(mean).mul(variance.add(epsilon).rsqrt());
    return scaled.mul(w[`${name}.weight`]).add(w[`${name}.bias`]);
  };
  const gelu = x => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
  const split = x => x.reshape([x.shape[0], heads, -1]).transpose([1, 0, 2]);
  const attention = (x, bias, name) => {
    const [query, key, value] = ["query", "key", "value"].map(part => split(product(x, `${name}.${part}`)));
    const scores = tf.matMul(query, key, false, true).mul(1 / Math.sqrt(query.shape[2])).add(bias);
    return tf.matMul(scores.softmax(), value).transpose([1, 0, 2]).reshape(x.shape);
  };
  const layer = (x, bias, name) => {
    const seen = product(attention(x, bias, `${name}.attention.self`), `${name}.attention.output.dense`);
    const middle = norm(seen.add(x), `${name}.attention.output.LayerNorm`);
    const wide = gelu(product(middle, `${name}.intermediate.dense`));
    return norm(product(wide, `${name}.output.dense`).add(middle), `${name}.output.LayerNorm`);
  };
  return (ids, mask, kinds) => {
    const words = w["embeddings.word_embeddings.weight"].gather(ids);
    const kind = w["embeddings.token_type_embeddings.weight"].gather(kinds);
    const place = w["embeddings.position_embeddings.weight"].slice([0, 0], [ids.shape[0], -1]);
    const bias = tf.scalar(1).sub(mask).mul(-1e9);
    let x = norm(words.add(kind).add(place), "embeddings.LayerNorm");
    for (let n = 0; n < layers; ++n) x = layer(x, bias, `encoder.layer.${n}`);
    return tf.unstack(product(x, "qa_outputs"), 1);
  };
}

serve(async ({ inputs, encoder: sizes }) => {
  await useBackend();
  const compute = encoder(await readTensors(sizes.tensors), sizes);
  const values = Object.fromEntries(inputs.map(input => [input.name, input.values]));
  return async () => {
    const made = tf.tidy(() => compute(
      tf.tensor1d(values.input_ids, "int32"),
      tf.tensor1d(values.attention_mask, "float32"),
      tf.tensor1d(values.token_type_ids, "int32"),
    ));
    const read = await Promise.all(made.map(tensor => tensor.data()));
    tf.dispose(made);
    return read;
  };
});
