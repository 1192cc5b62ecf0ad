"""What an exported program must know to answer questions as `QuestionAnswerer` does."""

from __future__ import annotations

from canao.answering.windows import WindowMaker
from canao.compiled_model import CompiledModel
from canao.errors import UnsupportedModelError
from canao.exporting.answering.answering_program import Asking


def asking_of(
    maker: WindowMaker,
    model: CompiledModel,
    *,
    answer_tokens: int,
    threshold: float,
    no_answer: bool,
) -> Asking:
    """How questions are asked of a compiled model, through the windows of `maker`."""
    results = model.convention.results
    if len(results) != 2 or any(result.source != "computed" for result in results):
        raise UnsupportedModelError(
            "the model computes more or less than logits of starts and of ends; give one for "
            "question answering"
        )
    frame = maker.frame()
    return Asking(
        tokenizer=maker.tokenizer_json,
        window=maker.window,
        stride=maker.stride,
        longest=answer_tokens,
        threshold=threshold,
        no_answer=no_answer,
        first=frame.first,
        between=frame.between,
        last=frame.last,
        types=frame.types,
        none=-1 if maker.null is None else maker.null,
        starts=results[0].index,
        ends=results[1].index,
    )
