"""A runner that does as it is told, and a case for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from canao.peers.catalogue import RUNNERS, Peer
from canao.peers.models import Case

_RUNNER = """
import json, os, sys, time
sys.path.insert(0, {runners!r})
import numpy as np
from serve import Served, main

def convert(job):
    if job.options["act"] == "cannot convert":
        raise ValueError("no such operator\\nat line 3")
    (job.converted / "made").write_text("made")

def load(job):
    act = job.options["act"]
    print("libraries print where they like")
    if act == "error":
        raise RuntimeError("no such device")
    if act == "not converted" and not (job.converted / "made").exists():
        raise RuntimeError("not converted")
    (ids,) = job.inputs().values()
    calls = []

    def take(other):
        nonlocal ids
        (ids,) = other.inputs().values()
        if act == "short alone" and ids.size > 4:
            raise ValueError("too long")

    def run():
        calls.append(time.perf_counter())
        if act == "crash later" and len(calls) > 6:
            os.abort()
        if act == "exit":
            sys.stderr.write("the last words\\n")
            sys.stderr.flush()
            os._exit(7)
        if act == "hang":
            time.sleep(600)
        wrong = {{"wrong": 0.5, "nan": float("nan")}}.get(act, 0.0)
        return [ids * 2.0 + wrong]

    def outputs(result):
        return result[:0] if act == "no outputs" else result

    return Served(run, outputs, None if act == "one shape" else take)

main(load, convert)
"""


def fake_peer(directory: Path, act: str, name: str = "") -> Peer:
    """A peer that gives right answers, or what `act` says."""
    script = directory / "runner.py"
    script.write_text(_RUNNER.format(runners=str(RUNNERS)))
    return Peer(
        name or act,
        (name or act).title(),
        script,
        None,
        ("numpy", "no-such-package"),
        "by hand",
        options={"act": act},
    )


def fake_case(directory: Path, length: int = 4) -> Case:
    """A model that doubles its input."""
    case = directory / f"case-1x{length}"
    (case / "expected").mkdir(parents=True)
    numbers = np.arange(length, dtype=np.int64)
    np.save(case / "input_ids.npy", numbers)
    np.save(case / "expected" / "0.npy", numbers * 2.0)
    (case / "case.json").write_text(json.dumps({"inputs": ["input_ids"], "flops": 2_000_000}))
    return Case("double", length, 1, case, directory, "none", 2_000_000)
