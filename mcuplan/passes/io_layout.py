# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs in the layout that the layers want, on request."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Layout, Node, Port
from mcuplan.ops.movement import Reshape, Transpose

__all__ = ["rows_at_boundary", "rows_in_states"]


def rows_at_boundary(graph: Graph) -> Graph:
    """Take inputs and give outputs as rows of pixels (NHWC).

    Pattern: an input that only a Transpose reads, or the Reshape that does its work where
        there is one channel; an output that a Transpose makes.
    Becomes: a port without the Transpose; the application hands over the other layout.
    Only if: asked for, since the C boundary changes, and the first axis stays the first.
    Exact because: the same values cross the boundary in another order.
    """
    graph = rows_in_states(graph)
    edit = Editor(graph)
    inputs = tuple(port if port.state else _input(edit, port) for port in graph.inputs)
    outputs = tuple(port if port.state else _output(edit, port) for port in graph.outputs)
    changed = sum(
        a is not b for a, b in zip(inputs + outputs, graph.inputs + graph.outputs, strict=True)
    )
    if not changed:
        return graph
    edit.set_ports(inputs, outputs)
    return edit.done()


def rows_in_states(graph: Graph) -> Graph:
    """Keep states as the layers have them.

    Pattern: a state of which only a Transpose reads one end and a Transpose makes the other.
    Becomes: a state without them.
    Only if: both ends then have one layout.
    Exact because: nobody but the model sees a state, and the next call finds what this one left.
    """
    for state in graph.states:
        edit = Editor(graph)
        read, written = _input(edit, state.read), _output(edit, state.written)
        if read is state.read or read.layout != written.layout:
            continue
        edit.set_ports(
            [read if port is state.read else port for port in graph.inputs],
            [written if port is state.written else port for port in graph.outputs],
        )
        graph = edit.done()
    return graph


def _input(edit: Editor, port: Port) -> Port:
    node = edit.only_consumer(port.tensor)
    if node is None:
        return port
    before = port.layout or tuple(range(len(port.shape)))
    origin = edit.tensor(node.output).origin
    if isinstance(node.op, Transpose) and node.op.axes[0] == 0:
        layout: Layout = tuple(before[axis] for axis in node.op.axes)
    elif _only_moves_axes(edit, node) and origin is not None:
        layout = origin.layout
    else:
        return port
    edit.replace(node)
    return replace(port, tensor=node.output, layout=layout)


def _only_moves_axes(edit: Editor, node: Node) -> bool:
    """Whether a Reshape is a Transpose that leaves the bytes as they are: of one channel.

    The first axis stays the first here, too: one of the model that is not 1 is no batch.
    """
    before, after = edit.tensor(node.inputs[0]).origin, edit.tensor(node.output).origin
    if before is None or after is None or before.name != after.name:
        return False
    return isinstance(node.op, Reshape) and before.layout[0] == after.layout[0]


def _output(edit: Editor, port: Port) -> Port:
    node = edit.producer(port.tensor)
    if node is None or not isinstance(node.op, Transpose) or edit.consumers(port.tensor):
        return port
    axes = node.op.axes
    if axes[0] != 0:
        return port
    before = port.layout or tuple(range(len(port.shape)))
    layout = tuple(before[axes.index(axis)] for axis in range(len(axes)))
    edit.replace(node)
    return replace(port, tensor=node.inputs[0], layout=layout)
