# SPDX-License-Identifier: Apache-2.0
"""Truth values: comparisons, Not, and Where as a function of the one value it chooses by."""

from __future__ import annotations

from dataclasses import replace

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, Reader
from mcuplan.ir.types import Quant
from mcuplan.ops._chain import Chain, Conditional, UnaryFn, affine
from mcuplan.ops._read import inner
from mcuplan.ops.arithmetic import read_two
from mcuplan.ops.unary import Lookup

__all__ = ["READERS"]

_TRUTH = Quant.per_tensor(1.0, 0)


def _comparison(name: str, swapped: str) -> Reader:
    """Reader of a comparison; ``swapped`` is the one with its operands exchanged."""

    def read(node: OnnxNode, build: Builder) -> None:
        for side, kind in ((1, name), (0, swapped)):
            value = build.constant(node.input(side))
            if value is not None and value.data.size == 1:
                limit = float(value.data.reshape(-1)[0])
                _add_truth(node, build, 1 - side, (UnaryFn(kind, (limit,)),))
                return
        apart = inner(node, "apart")
        read_two(replace(apart, op_type="Sub"), build)
        _add_truth(replace(node, inputs=apart.outputs), build, 0, (UnaryFn(name, (0.0,)),))

    return read


def read_not(node: OnnxNode, build: Builder) -> None:
    """1 - x."""
    _add_truth(node, build, 0, (affine(-1.0, 1.0),))


def _add_truth(node: OnnxNode, build: Builder, index: int, chain: Chain) -> None:
    """Values 0 and 1, which are integers in C, too."""
    name = node.input(index)
    layout = build.preferred_layout([name])
    build.add(Lookup(chain), [build.in_layout(name, layout)], node, layout, quant=_TRUTH)


def read_where(node: OnnxNode, build: Builder) -> None:
    """Where whose condition and values are functions of one tensor.

    Raises:
        UnsupportedOp: they are not.
    """
    shape = build.shape(node.input(0))
    root = _maker(build, node.input(0))[0]
    chains = [_chain_from(build, name, root) for name in node.inputs]
    condition, then, other = chains
    if not root or condition is None or then is None or other is None:
        raise UnsupportedOp(
            "Where that chooses between different tensors",
            hint="write it as a product with the condition as a number",
        )
    if any(build.shape(name) not in (shape, (), (1,)) for name in node.inputs[1:]):
        raise UnsupportedOp("Where of tensors of different shapes")
    choice = Conditional(condition, then, other)
    layout = build.preferred_layout([node.input(0)])
    build.add(Lookup((choice,)), [root], node, layout)


def _maker(build: Builder, name: str) -> tuple[str, Chain]:
    """Our tensor that a tensor is made of by functions of one value, and these."""
    if build.constant(name) is not None:
        return "", ()
    tensor = build.in_layout(name, build.preferred_layout([name]))
    chain: Chain = ()
    while (made := build.made_by(tensor)) is not None and isinstance(made.op, Lookup):
        tensor, chain = made.inputs[0], (*made.op.chain, *chain)
    return tensor, chain


def _chain_from(build: Builder, name: str, root: str) -> Chain | None:
    """A tensor or number as functions of another tensor, None where it is none."""
    value = build.constant(name)
    if value is not None:
        return (affine(0.0, float(value.data.reshape(-1)[0])),) if value.data.size == 1 else None
    source, chain = _maker(build, name)
    return chain if source == root else None


READERS = {
    "Equal": _comparison("equal", "equal"),
    "Greater": _comparison("greater", "less"),
    "GreaterOrEqual": _comparison("greater_equal", "less_equal"),
    "Less": _comparison("less", "greater"),
    "LessOrEqual": _comparison("less_equal", "greater_equal"),
    "Not": read_not,
    "Where": read_where,
}
