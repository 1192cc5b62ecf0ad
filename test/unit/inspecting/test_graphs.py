"""The graphs of a model are those of its program, and nodes stand in their modules."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

import canao
from canao.errors import VerificationError
from canao.inspecting.graphs import AFTER, BEFORE, MOVE, OPERATOR, read_graphs
from canao.inspecting.inspection import Inspection, inspect_model
from canao.inspecting.kernel_texts import kernel_text
from canao.inspecting.places import module_paths


def test_counts_are_those_of_the_report(inspected: Inspection) -> None:
    graphs, report = inspected.graphs, inspected.report
    kinds = [node.kind for node in graphs.before]
    assert kinds.count(OPERATOR) == report.layers_before
    assert kinds.count(MOVE) > 0
    assert len(graphs.layers) == report.layers_after
    assert sum(len(layer.operators) > 1 for layer in graphs.layers) == report.fused_layers


def test_layers_have_the_operators_of_their_kernels(inspected: Inspection) -> None:
    for layer in inspected.graphs.layers:
        (row,) = inspected.kernels(layer)
        assert [f"canao.{node.label}" for node in layer.operators] == list(row.ops)


def test_every_call_is_a_layers(encoder: canao.CompiledModel, inspected: Inspection) -> None:
    calls = [number for layer in inspected.graphs.layers for number in layer.calls]
    assert calls == list(range(len(encoder.program.calls)))


def test_what_is_read_was_made_before(inspected: Inspection) -> None:
    graphs = inspected.graphs
    after = [
        *graphs.inputs,
        *(node for layer in graphs.layers for node in (*layer.operators, layer.node)),
        *graphs.results,
    ]
    for nodes in (graphs.before, after):
        made: dict[str, int] = {}
        for node in nodes:
            assert node.id not in made
            for edge in node.reads:
                assert 0 <= edge.result < made[edge.source]
            made[node.id] = len(node.results)


def test_nodes_stand_in_their_modules(inspected: Inspection) -> None:
    paths = {".".join(node.path) for node in inspected.graphs.before if node.label == "matmul"}
    for block in ("blocks.0", "blocks.1"):
        assert {f"{block}.attention", f"{block}.up", f"{block}.down"} <= paths
    (first, second) = (n for n in inspected.graphs.before if n.label == "layer_norm")
    assert [first.path, second.path] == [("blocks", "0", "norm"), ("blocks", "1", "norm")]
    numbers = [layer.node.path[1] for layer in inspected.graphs.layers if len(layer.node.path) > 1]
    assert all(a <= b for a, b in pairwise(numbers))


@pytest.mark.parametrize(
    ("own", "reads", "found"),
    [
        ([("a", "q"), (), ("a", "o")], [[], [0], [1]], [("a", "q"), ("a",), ("a", "o")]),
        ([(), ("a", "q")], [[], [0]], [(), ("a", "q")]),
        ([("p", "dense"), ()], [[], [0]], [("p", "dense"), ("p",)]),
        ([("a", "x"), ("b", "y"), (), ("b", "z")], [[], [], [1, 0], [2]], None),
    ],
)
def test_modules_of_operators_without_weights(
    own: list[tuple[str, ...]], reads: list[list[int]], found: list[tuple[str, ...]] | None
) -> None:
    wanted = found or [*own[:2], ("b",), own[3]]
    assert module_paths(own, reads) == wanted


def test_shapes_that_vary_have_names(inspected: Inspection) -> None:
    (given,) = inspected.graphs.inputs
    assert (given.label, given.results) == ("x", ("float32 batch x sequence x 8",))
    assert inspected.profile.sizes == {"batch": 2, "sequence": 5}


def test_stages_of_another_program(encoder: canao.CompiledModel, hostile: Inspection) -> None:
    other = canao.compile(torch.nn.Linear(3, 2), (torch.ones(1, 3),), threads=1, tune="off")
    with pytest.raises(VerificationError, match="layers and the program calls"):
        read_graphs(encoder.program, other.ir(BEFORE), other.ir(AFTER))


def test_kernels_of_opencl_have_texts() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.GELU())
    compiled = canao.compile(
        model, (torch.ones(3, 8),), target=canao.Target.opencl("cpu"), tune="off"
    )
    (text,) = inspect_model(compiled, "device").texts.values()
    assert text.startswith("/* linear_gelu_8x6: matmul, add, gelu")
    assert "\n__kernel " in text
    assert text.endswith("\n}")


def test_texts_are_whole_functions(encoder: canao.CompiledModel, inspected: Inspection) -> None:
    for name, text in inspected.texts.items():
        assert text.startswith(f"/* {name}: ")
        assert text.count("CANAO_KERNEL void ") == 1
        assert text.count("{") == text.count("}")
        assert text in encoder.source
    with pytest.raises(VerificationError, match="no kernel 'linear'"):
        kernel_text(encoder.source, "linear")
