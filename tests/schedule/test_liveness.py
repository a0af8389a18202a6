# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.ir.graph import Graph, Node, Port, Tensor
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.ops.boundary import FlipSign
from mcuplan.ops.movement import Reshape
from mcuplan.schedule.assembly.order import find_order, peak_bytes
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.program import Plan
from mcuplan.targets import load_target

_TARGET = load_target("cortex-m4")


def _flipped(kind: TensorType) -> TensorType:
    """The type of the other sign."""
    dtype = DType.UINT8 if kind.dtype is DType.INT8 else DType.INT8
    return TensorType(kind.shape, dtype, kind.q.stored_as(dtype))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs of in-place steps and views over tensors of one size, widely shared."""
    kind = TensorType((1, 2, 3, 4), DType.INT8, Quant.per_tensor(0.1, 0))
    flat = (1, 24)
    tensors = {"t0": Tensor("t0", kind)}
    nodes = []
    for i in range(draw(st.integers(1, 12))):
        source = draw(st.sampled_from(sorted(tensors)))
        view = draw(st.booleans())
        name = f"t{i + 1}"
        read = tensors[source].type
        shape = kind.shape if read.shape == flat else flat
        op = Reshape(shape) if view else FlipSign()
        made = replace(read, shape=shape) if view else _flipped(read)
        tensors[name] = Tensor(name, made)
        nodes.append(Node(f"n{i}", op, (source,), (name,)))
    ends = draw(st.lists(st.sampled_from(sorted(tensors)[1:]), min_size=1, max_size=3, unique=True))
    outputs = tuple(Port(e, e, tensors[e].type.shape, tensors[e].type.dtype) for e in ends)
    inputs = (Port("t0", "t0", kind.shape, DType.INT8),)
    return Graph("g", inputs, outputs, tuple(nodes), MappingProxyType(tensors))


def _simulate(plan: Plan, x: Array) -> dict[str, Array]:
    """Run a plan on real bytes: whatever shares an address shares its fate."""
    graph = plan.program.graph
    arena = np.full(plan.memory["sram"].arena_bytes, 99, np.int8)

    def span(name: str) -> slice:
        _, offset = plan.address(name)
        return slice(offset, offset + graph.tensor(name).type.nbytes)

    arena[span("t0")] = x
    for step in plan.program.steps:
        kind = step.signature.inputs[0].dtype.numpy
        source = arena[span(step.node.inputs[0])].view(kind).copy()
        (made,) = step.node.op.integer(step.signature, source)
        arena[span(step.node.output)] = made.view(np.int8)
    return {port.tensor: arena[span(port.tensor)].copy() for port in graph.outputs}


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_a_plan_keeps_every_value_until_its_last_reader(graph: Graph) -> None:
    """Running the steps on the planned bytes gives the outputs of the graph."""
    graph = find_order(graph).graph
    plan = make_plan(select_kernels(graph, _TARGET))
    x = np.arange(24, dtype=np.int8)
    flips = {"t0": 0}
    for node in graph.nodes:
        flips[node.output] = flips[node.inputs[0]] + (not node.op.is_view)
    for name, got in _simulate(plan, x).items():
        flipped = x if flips[name] % 2 == 0 else (x.view(np.uint8) ^ 0x80).view(np.int8)
        assert flipped.tolist() == got.tolist()


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_the_chosen_order_is_never_worse_than_the_models(graph: Graph) -> None:
    """The peak of the chosen order is at most that of the model's own."""
    assert peak_bytes(find_order(graph).graph) <= peak_bytes(graph)


def test_a_chain_of_in_place_steps_needs_one_buffer() -> None:
    """Element-wise steps write over an operand that nobody reads later."""
    kind = TensorType((1, 2, 3, 4), DType.INT8, Quant.per_tensor(0.1, 0))
    kinds = [_flipped(kind) if i % 2 else kind for i in range(5)]
    tensors = MappingProxyType({f"t{i}": Tensor(f"t{i}", kind) for i, kind in enumerate(kinds)})
    nodes = tuple(Node(f"n{i}", FlipSign(), (f"t{i}",), (f"t{i + 1}",)) for i in range(4))
    ports = [(Port(n, n, kind.shape, DType.INT8),) for n in ("t0", "t4")]
    graph = Graph("g", ports[0], ports[1], nodes, tensors)
    plan = make_plan(select_kernels(graph, _TARGET))
    assert 24 == plan.memory["sram"].arena_bytes
