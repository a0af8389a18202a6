# SPDX-License-Identifier: Apache-2.0
"""Einsum as the operators that it abbreviates: Transpose, views, MatMul, Mul and ReduceSum."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_letters
from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.types import Array
from mcuplan.ops._classical import Standard
from mcuplan.ops.movement import read_transpose

__all__ = ["READERS"]

_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


@dataclass(frozen=True, slots=True)
class _Operand:
    """A tensor and the label of each of its axes."""

    name: str
    labels: str


class _Steps:
    """The nodes that an Einsum is rewritten to, each read as the model's own would be."""

    def __init__(self, node: OnnxNode, build: Builder) -> None:
        self.build, self._standard = build, Standard(node, build)

    def sizes(self, operand: _Operand) -> dict[str, int]:
        """Size of each label of an operand."""
        return dict(zip(operand.labels, self.build.shape(operand.name), strict=True))

    def read(self, op_type: str, names: Sequence[str], labels: str, **given: Any) -> _Operand:
        """The result of an operator, as its reader makes it."""
        return _Operand(self._standard.op(op_type, names, **given), labels)

    def _constant(self, data: Array, labels: str) -> _Operand:
        return _Operand(self._standard.constant(data), labels)

    def ints(self, *values: int) -> str:
        """A constant list."""
        return self._standard.constant(np.array(values, np.int64))

    def seen(self, operand: _Operand, shape: Sequence[int], labels: str) -> _Operand:
        """The same elements with other axes."""
        if tuple(shape) == self.build.shape(operand.name):
            return _Operand(operand.name, labels)
        constant = self.build.constant(operand.name)
        if constant is not None:
            return self._constant(constant.data.reshape(shape), labels)
        return self.read("Reshape", [operand.name, self.ints(*shape)], labels)

    def ordered(self, operand: _Operand, labels: str) -> _Operand:
        """The axes in another order."""
        if labels == operand.labels:
            return operand
        perm = tuple(operand.labels.index(label) for label in labels)
        constant = self.build.constant(operand.name)
        if constant is not None:
            return self._constant(constant.data.transpose(perm), labels)
        return self.read("Transpose", [operand.name], labels, perm=perm)

    def without(self, operand: _Operand, labels: str) -> _Operand:
        """Axes of size 1 left out."""
        sizes = self.sizes(operand)
        left = "".join(label for label in operand.labels if label not in labels)
        return self.seen(operand, [sizes[label] for label in left], left)

    def summed(self, operand: _Operand, labels: str) -> _Operand:
        """The sum over some axes."""
        if not labels:
            return operand
        axes = tuple(operand.labels.index(label) for label in labels)
        left = "".join(label for label in operand.labels if label not in labels)
        constant = self.build.constant(operand.name)
        if constant is not None:
            return self._constant(constant.data.sum(axes, dtype=constant.data.dtype), left)
        return self.read("ReduceSum", [operand.name, self.ints(*axes)], left, keepdims=0)

    def diagonal(self, operand: _Operand) -> _Operand:
        """One axis for each label: of several of one label those elements of equal indices."""
        for label in dict.fromkeys(operand.labels):
            while operand.labels.count(label) > 1:
                first = operand.labels.index(label)
                second = operand.labels.index(label, first + 1)
                rest = [a for a in range(len(operand.labels)) if a not in (first, second)]
                turned = self._turned(operand, (*rest, first, second))
                operand = self._step(turned, label, [operand.labels[a] for a in rest])
        return operand

    def _turned(self, operand: _Operand, perm: Sequence[int]) -> _Operand:
        labels = "".join(operand.labels[axis] for axis in perm)
        constant = self.build.constant(operand.name)
        if constant is not None:
            return self._constant(constant.data.transpose(perm), labels)
        return self.read("Transpose", [operand.name], labels, perm=tuple(perm))

    def _step(self, operand: _Operand, label: str, rest: Sequence[str]) -> _Operand:
        """The diagonal of the last two axes: every so-and-so-many element of both in one."""
        *before, size, other = self.build.shape(operand.name)
        if size != other:
            raise DamagedModel(f"{label} is {size} and {other}")
        labels = "".join([*rest, label])
        constant = self.build.constant(operand.name)
        if constant is not None:
            return self._constant(np.diagonal(constant.data, axis1=-2, axis2=-1), labels)
        line = self.seen(operand, (*before, size * size), labels)
        bounds = [self.ints(0), self.ints(size * size), self.ints(-1), self.ints(size + 1)]
        return self.read("Slice", [line.name, *bounds], labels)

    def multiplied(self, a: _Operand, b: _Operand, kept: str) -> _Operand:
        """The product of two operands, summed over labels that nobody keeps."""
        a, b = (self.summed(x, _only(x, y, kept)) for x, y in ((a, b), (b, a)))
        sizes = {label: max(self.sizes(x).get(label, 1) for x in (a, b)) for label in _all(a, b)}
        a, b = (
            self.without(x, "".join(n for n, k in self.sizes(x).items() if k == 1 < sizes[n]))
            for x in (a, b)
        )
        for label in set(a.labels) & set(b.labels):
            if self.sizes(a)[label] != self.sizes(b)[label]:
                raise DamagedModel(f"{label} is {self.sizes(a)[label]} and {self.sizes(b)[label]}")
        if self.build.constant(a.name) is not None:
            a, b = b, a
        both = [label for label in a.labels if label in b.labels]
        batch = "".join(label for label in both if label in kept)
        inside = "".join(label for label in both if label not in kept)
        left = "".join(label for label in a.labels if label not in both)
        right = "".join(label for label in b.labels if label not in both)
        if not inside:
            return self._products(a, b, batch, left, right, sizes)
        return self._sums(a, b, (batch, inside, left, right), sizes)

    def _products(
        self, a: _Operand, b: _Operand, batch: str, left: str, right: str, sizes: dict[str, int]
    ) -> _Operand:
        """Nothing is summed: both with all labels, of size 1 where they have none."""
        labels = batch + left + right
        made = []
        for operand, own in ((a, batch + left), (b, batch + right)):
            ordered = self.ordered(operand, own)
            shape = [sizes[label] if label in own else 1 for label in labels]
            made.append(self.seen(ordered, shape, labels).name)
        return self.read("Mul", made, labels)

    def _sums(
        self, a: _Operand, b: _Operand, groups: tuple[str, str, str, str], sizes: dict[str, int]
    ) -> _Operand:
        """A product of matrices, for each index of the batch."""
        batch, inside, left, right = groups

        def count(labels: str) -> int:
            return math.prod(sizes[label] for label in labels)

        rows = self.ordered(a, batch + left + inside)
        columns = self.ordered(b, batch + inside + right)
        many = [sizes[label] for label in batch]
        own = [sizes[label] for label in left] if not batch and left else [count(left)]
        rows = self.seen(rows, [*many, *own, count(inside)], "")
        columns = self.seen(columns, [*many, count(inside), count(right)], "")
        product = self.read("MatMul", [rows.name, columns.name], "")
        labels = batch + left + right
        return self.seen(product, [sizes[label] for label in labels], labels)


def _all(a: _Operand, b: _Operand) -> str:
    return "".join(dict.fromkeys(a.labels + b.labels))


def _only(operand: _Operand, other: _Operand, kept: str) -> str:
    """Labels that an operand alone has, and nobody keeps."""
    return "".join(x for x in operand.labels if x not in other.labels and x not in kept)


def _terms(node: OnnxNode, build: Builder) -> tuple[list[str], str]:
    """Labels of the inputs and of the output, those of an ellipsis written out.

    Raises:
        DamagedModel: they do not fit the inputs.
    """
    equation = node.get_str("equation", "").replace(" ", "")
    said, arrow, result = equation.partition("->")
    terms = said.split(",")
    if len(terms) != len(node.inputs) or not all(map(_TERM.fullmatch, (*terms, result))):
        raise DamagedModel(f"equation {equation!r} of {len(node.inputs)} inputs")
    ranks = [len(build.shape(name)) for name in node.inputs]
    more = [r - len(t.replace("...", "")) for r, t in zip(ranks, terms, strict=True)]
    free = [letter for letter in ascii_letters if letter not in equation]
    if any(n < 0 or (n > 0 and "..." not in t) for n, t in zip(more, terms, strict=True)):
        raise DamagedModel(f"equation {equation!r} of inputs of rank {ranks}")
    longest = max([n for n, t in zip(more, terms, strict=True) if "..." in t], default=0)
    dots = "".join(free[:longest])
    wide = [t.replace("...", dots[longest - n :]) for n, t in zip(more, terms, strict=True)]
    if arrow:
        result = result.replace("...", dots)
    else:
        once = sorted(x for x in set("".join(terms)) - {"."} if "".join(terms).count(x) == 1)
        result = dots + "".join(once)
    if len(set(result)) != len(result) or not set(result) <= set("".join(wide)):
        raise DamagedModel(f"equation {equation!r} makes what it does not have")
    return wide, result


def read_einsum(node: OnnxNode, build: Builder) -> None:
    """Operands multiplied one after the other; labels that no one needs any more are summed."""
    terms, result = _terms(node, build)
    steps = _Steps(node, build)
    pairs = zip(node.inputs, terms, strict=True)
    first, *others = (steps.diagonal(_Operand(name, term)) for name, term in pairs)
    for k, other in enumerate(others):
        kept = result + "".join(operand.labels for operand in others[k + 1 :])
        first = steps.multiplied(first, other, kept)
    first = steps.summed(first, "".join(x for x in first.labels if x not in result))
    perm = tuple(first.labels.index(label) for label in result)
    read_transpose(replace(node, inputs=(first.name,), attributes={"perm": perm}), build)


READERS = {"Einsum": read_einsum}
