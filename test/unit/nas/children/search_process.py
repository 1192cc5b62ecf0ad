"""A search as a process of its own, for tests that kill it or run several.

Arguments: JSON with storage, out, log, trials, seconds, sampler, worker, seed and teacher. With a
teacher (a directory) candidates are trained, else accuracies follow from sizes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from unit.nas.search_support import TableEvaluator, TableMeter

from canao.nas.controller.replay import Settings
from canao.nas.evaluator import Evaluator
from canao.nas.search import search
from canao.nas.space.space import SearchSpace, Sizes
from canao.nas.study.progress import Progress

TRAINED = SearchSpace(Sizes(1, 3), Sizes(16, 32, 8), Sizes(16, 48, 8), head_width=8)


def started(progress: Progress) -> None:
    print(progress.stage, flush=True)


def evaluator_of(values: dict[str, Any]) -> Evaluator:
    if values["teacher"] is None:
        return TableEvaluator(log=Path(values["log"]), seconds=values["seconds"])
    from unit.training.training_support import task

    from canao.nas.training.candidates.task_trainer import TaskTrainer
    from canao.nas.training.fit.distil import DistilRecipe

    recipe = DistilRecipe(batch_size=8, learning_rate=5e-3, save_every=2)
    teacher = Path(values["teacher"])
    return TaskTrainer(task(), teacher, fidelities=(4, 20), final_steps=20, recipe=recipe)


def main(text: str) -> None:
    values = json.loads(text)
    out = Path(values["out"])
    result = search(
        evaluator_of(values),
        trials=values["trials"],
        storage=values["storage"],
        sampler=values["sampler"],
        out=out,
        space=TRAINED if values["teacher"] else None,
        sequence=16,
        settings=Settings(seed=values["seed"], phase_one=4, updates=1),
        meter=TableMeter(),
        cache_dir=out / "cache",
        worker=values["worker"],
        progress=started,
    )
    print(f"found {result.best.architecture.key if result.best else None}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
