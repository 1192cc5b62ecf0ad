"""All that is shown of a compiled model: counts, graphs, kernels with their times and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from canao.compiled_model import CompiledModel
from canao.inspecting.graphs import AFTER, BEFORE, Layer, ModelGraphs, read_graphs
from canao.inspecting.kernel_texts import kernel_text
from canao.report.execution_report import ExecutionReport, KernelRow
from canao.report.profile import Profile


@dataclass(frozen=True)
class Inspection:
    """A compiled model with what was measured of it."""

    title: str
    language: str
    """That of the emitted text: "c" or "opencl"."""
    report: ExecutionReport
    profile: Profile
    graphs: ModelGraphs
    texts: Mapping[str, str]
    """The emitted function of each kernel that runs, by its name."""

    def kernels(self, layer: Layer) -> list[KernelRow]:
        """The kernels that a layer calls and that run at these sizes: one."""
        called = {self.profile.calls[number].kernel for number in layer.calls}
        return [row for row in self.profile.kernels if row.name in called]

    def ms(self, layer: Layer) -> float:
        """Milliseconds of a layer in one run."""
        return sum(self.profile.calls[number].ms for number in layer.calls)

    def share(self, layer: Layer) -> float:
        """The layer's part of the time of all layers."""
        total = sum(call.ms for call in self.profile.calls)
        return self.ms(layer) / total if total else 0.0


def inspect_model(compiled: CompiledModel, title: str) -> Inspection:
    """Reads a model's stages and measures it, on its example inputs.

    `title` may be any text, such as a path that is not in UTF-8.
    """
    report, profile = compiled.report, compiled.profile()
    return Inspection(
        title=title.encode("utf-8", "replace").decode(),
        language=compiled.program.language,
        report=report,
        profile=profile,
        graphs=read_graphs(compiled.program, compiled.ir(BEFORE), compiled.ir(AFTER)),
        texts={row.name: kernel_text(compiled.source, row.name) for row in profile.kernels},
    )
