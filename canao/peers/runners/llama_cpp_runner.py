"""llama.cpp, by its Python package: the tokens that follow a prompt, one a run."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import llama_cpp
import numpy as np
from serve import Array, Job, Served, main

_FILE = "model-f32.gguf"
_FLOAT32 = 0
"""In the numbers of GGML, of a tensor's type and of a file's."""


def convert(job: Job) -> None:
    """The weights of a GGUF file as float32."""
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = _FLOAT32
    settings.allow_requantize = True
    source, found = job.model / job.options["file"], job.converted / _FILE
    if llama_cpp.llama_model_quantize(str(source).encode(), str(found).encode(), settings):
        raise ValueError(f"llama.cpp does not read {source}")


def load(job: Job) -> Served:
    """A run makes the next token; the first after `tokens` of them reads the prompt again."""
    prompt: list[int] = job.options["prompt"]
    most: int = job.options["tokens"]
    model: Any = llama_cpp.Llama(
        str(job.converted / _FILE),
        n_ctx=len(prompt) + most,
        n_batch=len(prompt),
        n_ubatch=len(prompt),
        n_threads=job.threads,
        n_threads_batch=job.threads,
        type_k=_FLOAT32,
        type_v=_FLOAT32,
        verbose=False,
    )
    made: list[int] = []

    def run() -> int:
        if len(made) == most:
            made.clear()
        if not made:
            model.reset()
        model.eval(made[-1:] or prompt)
        logits = llama_cpp.llama_get_logits_ith(model.ctx, -1)
        made.append(int(np.ctypeslib.as_array(logits, (model.n_vocab(),)).argmax()))
        return made[-1]

    def outputs(_: Any) -> list[Array]:
        """All tokens; the next run is that of a first one."""
        while len(made) < most:
            run()
        return [np.array(made)]

    return Served(run, outputs)


main(load, convert)
