# SPDX-License-Identifier: Apache-2.0
"""Roundings to a grid become the grid of the node that computes the values."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.facts import Rewrite, Rewritten
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import QuantRule
from mcuplan.ir.types import Quant
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.state_parts import StatePart
from mcuplan.passes._edit import bypass, rename_output, with_quant

__all__ = ["fold_quantize"]


def fold_quantize(graph: Graph) -> Graph:
    """Say on a tensor which grid its values lie on, instead of rounding them in a node.

    Pattern: Quantize behind a node, a model input, or another Quantize of the same tensor.
    Becomes: the tensor lies on the grid of the Quantize and has its name.
    Only if: nobody else reads the unrounded values. A node that only moves or selects
        elements rounds its input instead, and so does a Relu or Clip of a model input; where
        that lies on another grid already, the Quantize stays as a step, in front of a node whose
        constants that grid does not hold. Constants that values are taken out of are rounded. A
        part of a cell's state that is rounded in several ways is taken as often.
    Exact because: a tensor with a grid is rounded to it when computed, and selecting
        elements commutes with rounding; clamping does, if it rounds its limits.
    """
    editor = Editor(graph)
    _part_again(editor)
    _inherit(editor)
    folded = 0
    for node in reversed(tuple(editor.nodes())):
        if isinstance(node.op, Quantize) and node in editor:
            folded += _merge(editor, node)
    return editor.done(Rewritten(Rewrite.ROUNDING_FOLDED, folded))


def _part_again(editor: Editor) -> None:
    """Let each rounding of a part of a cell's state have a node that takes it."""
    for node in editor.nodes():
        if not isinstance(node.op, StatePart):
            continue
        readers = editor.consumers(node.output)
        roundings = [reader.op for reader in readers]
        alike = len(set(roundings)) == 1
        if alike or not all(isinstance(op, Quantize) for op in roundings):
            continue
        source, copies = editor.tensor(node.output), [node]
        for reader in readers[1:]:
            part = replace(source, name=editor.fresh(source.name), origin=None)
            editor.set_tensor(part)
            again = Node(editor.fresh(node.name), node.op, node.inputs, (part.name,), node.origin)
            copies.append(again)
            editor.replace(reader, replace(reader, inputs=(part.name,)))
        editor.replace(node, *copies)


def _inherit(editor: Editor) -> None:
    """The output of a node that selects elements lies on the grid of its input."""
    for node in editor.nodes():
        output = editor.tensor(node.output)
        if node.op.quant_rule is not QuantRule.PASS_THROUGH or output.type.quant is not None:
            continue
        grids = {editor.tensor(name).type.quant for name in node.inputs}
        quant = grids.pop()
        if quant is not None and not grids and all(map(quant.holds, node.op.mixes)):
            editor.set_tensor(with_quant(output, quant))


def _merge(editor: Editor, node: Node) -> int:
    """Fold one Quantize and all others of the same tensor and grid."""
    source = editor.tensor(node.inputs[0])
    quant = editor.tensor(node.output).type.quant
    if source.type.quant is not None:
        if source.type.quant == quant:
            bypass(editor, node, source.name)
            return 1
        return 0
    twins = [n for n in editor.consumers(source.name) if n.op == node.op]
    for twin in twins:
        if twin.name != node.name:
            bypass(editor, twin, node.output)
    alone = editor.only_consumer(source.name) is not None and not source.is_constant
    return len(twins) - 1 + (alone and _fold(editor, node))


def _fold(editor: Editor, node: Node) -> bool:
    """Fold a Quantize that alone reads a tensor without a grid."""
    source, output = editor.tensor(node.inputs[0]), editor.tensor(node.output)
    producer = editor.producer(source.name)
    if producer is None:
        editor.set_tensor(with_quant(source, output.type.quant))
        bypass(editor, node, source.name)
        return True
    moves = producer.op.quant_rule is QuantRule.PASS_THROUGH
    of_constants = _is_of_constants(editor, producer, output.type.quant)
    if moves and not of_constants and not _push(editor, producer, node):
        return False
    if producer.op.clamp is not None and editor.producer(producer.inputs[0]) is None:
        _push(editor, producer, node)
    rename_output(editor, node)
    return True


def _is_of_constants(editor: Editor, node: Node, quant: Quant | None) -> bool:
    """Whether a node takes its values out of constants that lie, or may lie, on a grid."""
    values = [editor.tensor(name) for name in node.inputs]
    real = [each for each in values if each.type.dtype.is_float]
    on_grid = all(each.stored is None or each.stored.quant == quant for each in real)
    return node.op.constants_on_output and on_grid and all(each.is_constant for each in real)


def _push(editor: Editor, producer: Node, node: Node) -> bool:
    """Round the only input of a node that selects elements, instead of its output.

    An input on another grid is rounded only where constants of the node go beside it.
    """
    if len(producer.inputs) != 1 or len(producer.outputs) != 1:
        return False
    name = producer.inputs[0]
    source = editor.tensor(name)
    if source.type.quant is not None and not producer.op.mixes:
        return False
    if source.type.quant is None and editor.only_consumer(name) is None:
        return False
    rounded = with_quant(source, editor.tensor(node.output).type.quant)
    origin = source.origin if source.type.quant is None else None  # not what the model has
    rounded = replace(rounded, name=editor.fresh(f"{name}_rounded"), origin=origin)
    editor.set_tensor(rounded)
    first = Node(editor.fresh(f"{node.name}_in"), node.op, (name,), (rounded.name,), node.origin)
    editor.replace(producer, first, replace(producer, inputs=(rounded.name,)))
    return True
