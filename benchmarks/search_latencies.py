"""Measure a few dozen architectures with canao: the latencies that `search.py` compares with.

    python benchmarks/search_latencies.py [--count 40] [--cache-dir DIR]

Writes benchmarks/results/search_latencies.json after each architecture; what is
there already is not measured again.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from search_samples import SEQUENCE, Record, samples

from canao.building.cache import Cache
from canao.machine.target import Target
from canao.nas.measuring.latency import DeviceLatency

RECORD = "search_latencies.json"


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--cache-dir", type=Path)
    arguments = parser.parse_args()
    meter = DeviceLatency(Cache(arguments.cache_dir), threads=1, time_limit=1800)
    common = {"cpu": Target.host().cpu, "threads": 1, "sequence": SEQUENCE, "tune": meter.tune}
    record = Record.open(RECORD, common)
    for number, architecture in enumerate(samples(arguments.count), start=1):
        if architecture.key in record.rows:
            continue
        execution = asdict(meter.measure(architecture))
        del execution["kernels"]
        record.keep(architecture, execution)
        print(f"{number:3} {architecture.key:40} {execution['latency_ms']:8.3f} ms", flush=True)


if __name__ == "__main__":
    main()
