"""A search as a process of its own, for tests that kill it or run several.

Arguments: JSON with storage, out, log, trials, seconds, sampler, worker and seed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from unit.nas.search_support import TableEvaluator, TableMeter

from canao.nas.reinforce import Settings
from canao.nas.search import Progress, search


def started(progress: Progress) -> None:
    print(progress.stage, flush=True)


def main(text: str) -> None:
    values = json.loads(text)
    out = Path(values["out"])
    result = search(
        TableEvaluator(log=Path(values["log"]), seconds=values["seconds"]),
        trials=values["trials"],
        storage=values["storage"],
        sampler=values["sampler"],
        out=out,
        settings=Settings(seed=values["seed"], phase_one=4, updates=1),
        meter=TableMeter(),
        cache_dir=out / "cache",
        worker=values["worker"],
        progress=started,
    )
    print(f"found {result.best.architecture.key if result.best else None}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
