# SPDX-License-Identifier: Apache-2.0
"""Affine steps that no layer could take become layers of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.movement import Reshape
from mcuplan.ops.unary import Lookup, affine
from mcuplan.passes._edit import add_node, constant_of

__all__ = ["lower_affine"]


def lower_affine(graph: Graph) -> Graph:
    """Give every affine step a kernel.

    Pattern: ChannelAffine.
    Becomes: a Lookup where all channels have one scale and offset, else a depthwise 1x1
        Conv2D between views.
    Only if: the passes that fold affine steps have run.
    Exact because: a depthwise 1x1 convolution multiplies each channel with its weight and
        adds its bias; a weight alone in its channel is exact in int8 (127 times its scale).
    """
    editor = Editor(graph)
    tables = layers = 0
    for node in editor.nodes():
        if not isinstance(node.op, ChannelAffine):
            continue
        scale, offset = (constant_of(editor, name) for name in node.inputs[1:])
        if np.unique(scale).size == np.unique(offset).size == 1:
            op = Lookup((affine(float(scale[0]), float(offset[0])),))
            editor.replace(node, replace(node, op=op, inputs=node.inputs[:1]))
            tables += 1
        else:
            _depthwise(editor, node)
            layers += 1
    return editor.done(
        Rewritten(Rewrite.AFFINE_TO_TABLE, tables), Rewritten(Rewrite.AFFINE_TO_LAYER, layers)
    )


def _depthwise(editor: Editor, node: Node) -> None:
    name, scale, offset = node.inputs
    tensor, output = editor.tensor(name), editor.tensor(node.output)
    shape, channels = tensor.type.shape, tensor.type.channels
    rows = shape if len(shape) == 4 and shape[0] == 1 else _as_rows(shape)
    weights = constant_of(editor, scale).reshape(channels, 1, 1, 1)
    made = editor.constant(scale, weights)
    source, target = name, node.output
    if rows != shape:
        source = add_node(
            editor, node, Reshape(rows), [name], f"{name}_rows", quant=tensor.type.quant
        )
        target = editor.set_tensor(
            Tensor(editor.fresh(f"{node.output}_rows"), replace(output.type, shape=rows))
        )
    conv = Conv2D((1, 1), groups=channels)
    new = [replace(node, op=conv, inputs=(source, made, offset), outputs=(target,))]
    if rows != shape:
        view = Reshape(shape)
        new.append(Node(editor.fresh(f"{node.name}_view"), view, (target,), node.outputs))
    editor.replace(node, *new)


def _as_rows(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A shape of rows of pixels with the same bytes: rank 3 has its rows on axis 1."""
    rows = int(np.prod(shape[:-1]))
    return (1, rows, 1, shape[-1])
