"""A child that says which process it is, and then takes very long."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from canao.nas.isolate import Job, child_main


def work(job: Job) -> dict[str, Any]:
    mark = Path(job["mark"])
    partial = mark.with_name("partial")
    partial.write_text(str(os.getpid()))
    partial.replace(mark)
    time.sleep(600)
    return {}


if __name__ == "__main__":
    sys.exit(child_main(work, sys.argv[1:]))
