"""Files for Model Explorer keep to its format, and say what the profile says.

The fields and their types are those that `graph_builder.py` and `node_data_builder.py` of Model
Explorer 0.1.34 declare, and `input_graph.ts` of its page; those marked required have no default.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from canao.inspecting.inspection import Inspection
from canao.inspecting.model_explorer import AFTER, BEFORE, write_graph

_REQUIRED = {
    "collection": {"label": str, "graphs": list},
    "graph": {"id": str, "nodes": list},
    "node": {"id": str, "label": str, "namespace": str},
    "edge": {"sourceNodeId": str, "sourceNodeOutputId": str, "targetNodeInputId": str},
    "pair": {"key": str, "value": str},
    "metadata": {"id": str, "attrs": list},
    "data": {"results": dict},
    "stop": {"stop": (int, float), "bgColor": str},
}
_OPTIONAL = {
    "collection": {"graphSorting": str},
    "graph": {"groupNodeAttributes": dict},
    "node": {"attrs": list, "incomingEdges": list, "outputsMetadata": list, "config": dict},
    "data": {"name": str, "gradient": list},
}


def _check(kind: str, value: dict[str, Any]) -> None:
    required, optional = _REQUIRED[kind], _OPTIONAL.get(kind, {})
    assert set(required) <= set(value) <= set(required) | set(optional)
    for key, field in value.items():
        assert isinstance(field, (required | optional)[key]), f"{kind}.{key}"


def _written(found: Inspection, directory: Path) -> list[dict[str, Any]]:
    paths = write_graph(found, directory / "model.json")
    assert [path.name for path in paths] == ["model.json", "model.ms.json", "model.share.json"]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


@pytest.fixture(params=["inspected", "hostile"])
def found(request: pytest.FixtureRequest) -> Inspection:
    return request.getfixturevalue(request.param)


def test_graphs_keep_to_the_format(found: Inspection, tmp_path: Path) -> None:
    collection, *_ = _written(found, tmp_path)
    _check("collection", collection)
    assert collection["label"] == found.title
    assert [graph["id"] for graph in collection["graphs"]] == [BEFORE, AFTER]
    for graph in collection["graphs"]:
        _check("graph", graph)
        for node in graph["nodes"]:
            _check("node", node)
            for edge in node["incomingEdges"]:
                _check("edge", edge)
            metadata = [pair for m in node["outputsMetadata"] for pair in m["attrs"]]
            for pair in (*node["attrs"], *metadata):
                _check("pair", pair)
            for each in node["outputsMetadata"]:
                _check("metadata", each)
        for attributes in graph["groupNodeAttributes"].values():
            assert all(isinstance(text, str) for text in attributes.values())


def test_edges_lead_from_results_that_exist(found: Inspection, tmp_path: Path) -> None:
    collection, *_ = _written(found, tmp_path)
    for graph in collection["graphs"]:
        outputs = {n["id"]: {m["id"] for m in n["outputsMetadata"]} for n in graph["nodes"]}
        assert len(outputs) == len(graph["nodes"])
        edges = [edge for node in graph["nodes"] for edge in node["incomingEdges"]]
        assert edges
        for edge in edges:
            assert edge["sourceNodeOutputId"] in outputs[edge["sourceNodeId"]]


def test_groups_are_namespaces_of_nodes(found: Inspection, tmp_path: Path) -> None:
    collection, *_ = _written(found, tmp_path)
    for graph in collection["graphs"]:
        spaces = {node["namespace"] for node in graph["nodes"]}
        assert set(graph["groupNodeAttributes"]) - {""} <= spaces
        assert not any(";" in space or "//" in space for space in spaces)
    groups = collection["graphs"][1]["groupNodeAttributes"]
    assert len(groups) == 1 + found.report.layers_after


def test_times_are_those_of_the_profile(found: Inspection, tmp_path: Path) -> None:
    collection, ms, share = _written(found, tmp_path)
    nodes = {node["id"] for node in collection["graphs"][1]["nodes"]}
    for data in (ms, share):
        assert list(data) == [AFTER]
        _check("data", data[AFTER])
        for stop in data[AFTER]["gradient"]:
            _check("stop", stop)
        assert set(data[AFTER]["results"]) <= nodes
        assert len(data[AFTER]["results"]) == found.report.layers_after
    times = [each["value"] for each in ms[AFTER]["results"].values()]
    assert sum(times) == pytest.approx(sum(call.ms for call in found.profile.calls))
    assert sum(s["value"] for s in share[AFTER]["results"].values()) == pytest.approx(100)
