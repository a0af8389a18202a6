# SPDX-License-Identifier: Apache-2.0
"""A convolution as a depthwise one and one of 1x1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.errors import UsageError
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.conv2d import Conv2D
from mcuplan.passes._edit import add_node

__all__ = ["separable", "separated"]


def separable(graph: Graph, node: Node) -> bool:
    """Whether a layer is a convolution with a window over several channels, on no grid yet."""
    op, source = node.op, graph.tensor(node.inputs[0]).type
    plain = isinstance(op, Conv2D) and op.groups == 1 and max(op.kernel) > 1
    constant = all(graph.tensor(name).stored is None for name in node.inputs)
    return (
        plain and constant and source.channels > 3 and graph.tensor(node.output).type.quant is None
    )


def separated(graph: Graph, name: str) -> Graph:
    """The graph with the layer of a name as a depthwise convolution and one of 1x1.

    Weights are placeholders: means over filters, and over taps.

    Raises:
        UsageError: no layer of that name is such a convolution.
    """
    found = [node for node in graph.nodes if name in (node.origin, graph.node_name(node))]
    if len(found) != 1 or not separable(graph, found[0]):
        what = "no convolution of a float model with a window over more than 3 channels"
        raise UsageError(f"--reshape separable={name}", name, what)
    node, edit = found[0], Editor(graph)
    assert isinstance(node.op, Conv2D)
    weights = graph.tensor(node.inputs[1]).data
    assert weights is not None
    channels = weights.shape[-1]
    each = np.ascontiguousarray(weights.mean(axis=0).transpose(2, 0, 1)[..., None])
    inputs = [
        node.inputs[0],
        edit.constant(f"{node.name}_taps", each),
        edit.constant(f"{node.name}_none", np.zeros(channels)),
    ]
    made = add_node(edit, node, replace(node.op, groups=channels), inputs, f"{node.name}_depthwise")
    point = Conv2D((1, 1), act=node.op.act)
    mixing = edit.constant(f"{node.name}_mixing", weights.mean(axis=(1, 2), keepdims=True))
    pointwise = replace(node, op=point, inputs=(made, mixing, node.inputs[2]))
    edit.replace(node, pointwise)
    return edit.done()
