"""The figures of the paper's Table 1: latency on a phone, beside which ours are put.

A Samsung Galaxy S20 (Snapdragon 865), 8 threads, sequence length 128, 100 runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PaperRow:
    """A row of the table; latencies in milliseconds."""

    title: str
    model: str
    """What is measured here in its place."""
    gflops: float
    litert_cpu: float
    unfused_cpu: float
    unfused_gpu: float
    fused_cpu: float
    fused_gpu: float

    def speedups(self) -> Mapping[str, float]:
        """TFLite on the CPU over each of the others, as the paper prints them."""
        columns = ("unfused_cpu", "unfused_gpu", "fused_cpu", "fused_gpu")
        return {name: self.litert_cpu / getattr(self, name) for name in columns}


TABLE_1 = (
    PaperRow("DistilBERT", "distilbert", 10.9, 188, 157, 237, 105, 86),
    PaperRow("BERT-base", "bert-base", 21.8, 352, 276, 412, 196, 147),
    PaperRow("CANAOBERT", "6x512", 4.6, 98, 89, 152, 49, 45),
)
"""The paper's Table 1. Its third model was found by search; ours has about its operations."""
