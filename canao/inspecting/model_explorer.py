"""Graphs and times in the JSON that Model Explorer reads.

https://github.com/google-ai-edge/model-explorer: a file of graphs holds a *graph collection*, and
a file of node data a number a node for each graph. The fields are those of its `graph_builder.py`
and `node_data_builder.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from canao.files import replace_text
from canao.inspecting.graphs import Layer, Node
from canao.inspecting.inspection import Inspection

BEFORE, AFTER = "before fusion", "after fusion"
"""The ids of the graphs."""

_GRADIENT = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#f2994a"}]
_PINNED = {"pinToGroupTop": True}


def write_graph(found: Inspection, path: Path) -> list[Path]:
    """Write the graphs to `path`, and beside it the files of node data; returns all paths.

    Of `model.json` these are `model.ms.json`, milliseconds of each layer, and `model.share.json`,
    its part of the time of all in percent.
    """
    texts = {path: graph_collection(found)}
    for name, data in node_data(found).items():
        texts[path.with_suffix(f".{name}.json")] = data
    for place, data in texts.items():
        replace_text(place, json.dumps(data, indent=1) + "\n")
    return list(texts)


def graph_collection(found: Inspection) -> dict[str, Any]:
    """The graphs before and after fusion, whose nodes fold by the modules they belong to."""
    graphs = found.graphs
    before = [_node(node, _namespace(node.path)) for node in graphs.before]
    after = [_node(node, "") for node in graphs.inputs]
    groups: dict[str, dict[str, str]] = {}
    for layer in graphs.layers:
        namespace = _namespace((*layer.node.path, f"{layer.number} {layer.node.label}"))
        facts = _facts(found, layer)
        groups[namespace] = facts
        after += [_node(node, namespace) for node in layer.operators]
        after.append(_node(layer.node, namespace, facts) | {"config": _PINNED})
    after += [_node(node, "") for node in graphs.results]
    report = found.report
    counts = {
        BEFORE: {
            "layers": str(report.layers_before),
            "computations": str(report.computations_before),
        },
        AFTER: {
            "layers": str(report.layers_after),
            "computations": str(report.computations_after),
            "laws": ", ".join(f"{r.law} {r.count}" for r in report.rewrites) or "none",
            "latency": f"{found.profile.latency_ms:.3f} ms",
            "target": f"{report.target}, {report.threads} threads",
        },
    }
    return {
        "label": found.title,
        "graphs": [
            {"id": BEFORE, "nodes": before, "groupNodeAttributes": {"": counts[BEFORE]}},
            {"id": AFTER, "nodes": after, "groupNodeAttributes": {"": counts[AFTER], **groups}},
        ],
        "graphSorting": "name_asc",
    }


def node_data(found: Inspection) -> dict[str, dict[str, Any]]:
    """Milliseconds and percents of the layers, each as node data of the graph after fusion.

    The node of a layer is that of what it writes; the operators inside it have no times of their
    own.
    """
    values: dict[str, tuple[str, Callable[[Layer], float]]] = {
        "ms": ("time (ms)", found.ms),
        "share": ("share of time (%)", lambda layer: 100 * found.share(layer)),
    }
    return {
        key: {
            AFTER: {
                "name": name,
                "results": {layer.node.id: {"value": of(layer)} for layer in found.graphs.layers},
                "gradient": _GRADIENT,
            }
        }
        for key, (name, of) in values.items()
    }


def _node(node: Node, namespace: str, facts: Mapping[str, str] | None = None) -> dict[str, Any]:
    attributes = {"kind": node.kind, **(node.attributes or {}), **(facts or {})}
    if node.weights:
        attributes["weights"] = ", ".join(node.weights)
    return {
        "id": node.id,
        "label": node.label,
        "namespace": namespace,
        "attrs": _pairs(attributes),
        "incomingEdges": [
            {
                "sourceNodeId": edge.source,
                "sourceNodeOutputId": str(edge.result),
                "targetNodeInputId": str(edge.operand),
            }
            for edge in node.reads
        ],
        "outputsMetadata": [
            {"id": str(number), "attrs": _pairs({"shape": text})}
            for number, text in enumerate(node.results)
        ],
    }


def _facts(found: Inspection, layer: Layer) -> dict[str, str]:
    """What is known of a layer: its kernel, how that runs, and how long."""
    facts = {
        "fused": ", ".join(node.label for node in layer.operators),
        "time": f"{found.ms(layer):.4f} ms, {found.share(layer):.1%}",
    }
    for row in found.kernels(layer):
        facts |= {
            "kernel": row.name,
            "schedule": row.variant,
            "operations": f"{row.flops} FLOP, {row.gflops:.1f} GFLOP/s, {row.peak_fraction:.0%}",
            "memory": f"{row.bytes} bytes, {row.gb_per_s:.1f} GB/s",
        }
    return facts


def _pairs(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in attributes.items()]


def _namespace(path: Sequence[str]) -> str:
    """A path as Model Explorer has it: slashes part it, and semicolons part several of them."""
    return "/".join(part.replace("/", "_").replace(";", "_") for part in path)
