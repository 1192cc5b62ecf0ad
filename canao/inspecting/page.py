"""A compiled model on one page of HTML that needs nothing else: no file, no network."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from canao.files import replace_text
from canao.inspecting.graphs import MOVE, OPERATOR, Layer, Node
from canao.inspecting.inspection import Inspection
from canao.report.execution_report import KernelRow, bound_by, counted
from canao.templates import render

_LANGUAGES = {"c": "C", "opencl": "OpenCL C"}


def write_page(found: Inspection, path: Path) -> None:
    """Write the page, in one step."""
    replace_text(path, render("canao.inspecting", "page.html.j2", _contents(found)))


def _contents(found: Inspection) -> dict[str, Any]:
    report, profile, graphs = found.report, found.profile, found.graphs
    operators = [node for node in graphs.before if node.kind == OPERATOR]
    moves = [node for node in graphs.before if node.kind == MOVE]
    numbers = {row.name: n for n, row in enumerate(profile.kernels)}
    return {
        "title": found.title,
        "language": _LANGUAGES[found.language],
        "facts": _facts(found),
        "machine": _machine(found),
        "rewrites": report.rewrites,
        "layers_before": report.layers_before,
        "layers_after": report.layers_after,
        "moves": len(moves),
        "operator_counts": Counter(node.label for node in operators).most_common(),
        "before": [_operator(node) for node in graphs.before],
        "layers": [_layer(found, layer, numbers) for layer in graphs.layers],
        "kernels": [_kernel(found, row) for row in profile.kernels],
        "profile": profile.summary(),
    }


def _facts(found: Inspection) -> list[tuple[str, str]]:
    report, profile = found.report, found.profile
    rate = report.flops / report.latency_ms / 1e6 if report.latency_ms else 0.0
    return [
        ("layers", f"{report.layers_before} to {report.layers_after}"),
        ("computations", f"{report.computations_before} to {report.computations_after}"),
        ("layers of several operators", str(report.fused_layers)),
        ("operators left to PyTorch", str(report.fallbacks)),
        ("latency", f"{profile.latency_ms:.3f} ms"),
        ("rate", f"{rate:.1f} GFLOP/s"),
        ("arithmetic", f"{report.flops / 1e9:.3f} GFLOP"),
        ("memory", f"{report.peak_bytes / 2**20:.1f} MiB"),
    ]


def _machine(found: Inspection) -> str:
    report = found.report
    flags = f" ({' '.join(report.cpu_flags)})" if report.cpu_flags else ""
    sizes = "".join(f", {name} {value}" for name, value in found.profile.sizes.items())
    threads = f"{report.threads} thread{'s' if report.threads > 1 else ''}"
    return f"{report.target}{flags}, {threads}, {report.dtype}{sizes}, {report.compiler}"


def _operator(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "label": node.label,
        "kind": node.kind,
        "module": ".".join(node.path),
        "reads": [edge.source for edge in node.reads],
        "weights": node.weights,
        "result": ", ".join(node.results),
    }


def _layer(found: Inspection, layer: Layer, numbers: dict[str, int]) -> dict[str, Any]:
    node = layer.node
    rows = found.kernels(layer)
    return {
        "id": node.id,
        "number": layer.number,
        "name": node.label,
        "kernels": [(row.name, numbers[row.name]) for row in rows],
        "module": ".".join(node.path),
        "operators": counted([each.label for each in layer.operators]),
        "reads": layer.reads,
        "result": ", ".join(node.results),
        "ms": found.ms(layer),
        "share": found.share(layer),
    }


def _kernel(found: Inspection, row: KernelRow) -> dict[str, Any]:
    layers = [layer for layer in found.graphs.layers if row in found.kernels(layer)]
    return {
        "row": row,
        "operators": counted([name.rpartition(".")[2] for name in row.ops]),
        "bound": bound_by(row),
        "layers": [(layer.node.id, layer.number) for layer in layers],
        "reads": layers[0].operands if layers else (),
        "writes": layers[0].node.results if layers else (),
        "text": found.texts[row.name],
    }
