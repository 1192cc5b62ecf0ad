"""The question answering model that is exported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from canao.cli.models import CompileOptions, compile_target, refuse_device
from canao.cli.progress import shown_progress
from canao.errors import InputFileError

if TYPE_CHECKING:
    from canao.apps.question_answerer import QuestionAnswerer


def open_answerer(path: Path, options: CompileOptions, window: int | None) -> QuestionAnswerer:
    """Compile a question answering model of a Hugging Face directory, or load a saved one."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from canao.apps.question_answerer import QuestionAnswerer
    from canao.huggingface.pretrained import quiet_transformers

    if not path.exists():
        raise InputFileError(f"{path} does not exist; name the folder of a model")
    refuse_device(options, "models that answer questions")
    quiet_transformers()
    name = path.resolve().name
    with shown_progress(f"compiling {name}", f"compiled {name}") as progress:
        progress("loading")
        return QuestionAnswerer(
            path,
            window=window,
            batch=1,
            target=compile_target(options),
            threads=options.threads,
            dtype=options.dtype,
            tune=options.tune.value,
            cache_dir=options.cache_dir,
            progress=progress,
        )
